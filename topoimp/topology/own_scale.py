"""A checkpoint's own scale: the largest |w| of its network, whichever layers a command looks at.

The network is all layers that ``barcode`` shows by default, embeddings and heads too, without those that ``exclude``
names. So the neural persistence of a layer is one number, whatever else is selected, in every command. The layers that
are not selected are read for their largest |w| alone, once; if all are selected, nothing more is read. Their NaN and
infinite weights do not count, as no command checks these layers. A network without edges has no scale.

Source: Rieck et al., "Neural Persistence", ICLR 2019: weights are divided by the largest |w| of the network.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from topoimp.choices import View
from topoimp.kernels.threads import pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import Layers
from topoimp.layers.streaming import LayerStream, Workers
from topoimp.topology.barcode import largest_strength
from topoimp.topology.forest import ForestCounts
from topoimp.topology.strong_edges import collect_parts


def own_scale(forests: Iterable[ForestCounts], unselected: float | None) -> float | None:
    """Return the own scale of a checkpoint from the forests of the selected layers and the largest |w| of the others.

    >>> own_scale([], 2.0)
    2.0
    """
    found = [each for each in (largest_strength(forests), unselected) if each is not None]
    return max(found, default=None)


def scale_of(stream: LayerStream, forests: Mapping[str, ForestCounts]) -> float | None:
    """Return the own scale of a checkpoint, given with the forests of its selected layers."""
    return own_scale(forests.values(), largest_unselected(stream.layers, stream.threads, stream.workers))


def largest_unselected(layers: Layers, threads: int, workers: Workers | None = None) -> float | None:
    """Return the largest finite |w| of the network's layers that are not selected; None if all their weights are 0.

    Raises:
        CheckpointError: if the file cannot be read.
    """
    if not layers.unselected:
        return None
    # Flat: the largest weight is the same in every view, and the view channel would check that all are finite.
    infos = tuple(replace(info, view=View.MATRIX) for info in layers.unselected)
    stream = LayerStream(replace(layers, infos=infos), threads, workers=workers)
    return max(stream.each(largest_finite).values()) or None


def largest_finite(layer: Layer, threads: int) -> float:
    """Return the largest finite |w| of a layer; 0 if there is none above 0.

    >>> from topoimp.layers.layer import as_layer
    >>> largest_finite(as_layer(np.array([[0.5, -2.0], [0.0, 1.0]])), threads=1)
    2.0
    """
    number_format = layer.number_format
    parts = collect_parts(layer, number_format.first_special, 0, threads)
    largest = max(part.largest for part in parts)
    if largest >= number_format.first_special:
        largest = _largest_below(number_format.first_special, layer)
    return float(number_format.strengths(np.array(largest, number_format.code_dtype)))


def _largest_below(first_special: int, layer: Layer) -> int:
    """Return the largest magnitude code of a layer that is finite; 0 if none is."""
    largest = 0
    for start, stop in pieces(0, layer.n_weights):
        magnitudes = layer.number_format.magnitudes(layer.weights[start:stop])
        largest = max(largest, int(magnitudes[magnitudes < first_special].max(initial=0)))
    return largest
