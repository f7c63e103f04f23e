"""The own scales of a reference and of the checkpoints beside it, once their layers are compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from topoimp.comparison.comparison import LayerComparison
from topoimp.comparison.others import Other, OtherCheckpoint
from topoimp.layers.records import Layers
from topoimp.layers.streaming import LayerStream
from topoimp.topology.own_scale import largest_unselected, own_scale


@dataclass(frozen=True)
class Scales:
    """The own scales of a reference and of another checkpoint (``topoimp.topology.own_scale``); None without edges.

    Distances are at the scale of the reference, neural persistences each at that of its own checkpoint.
    """

    reference: float | None
    other: float | None


def scales_of(
    reference: LayerStream, others: Sequence[Other], compared: Sequence[Sequence[LayerComparison]]
) -> list[Scales]:
    """Return the scales of a reference and of each other, whose compared layers ``compared`` holds.

    The layers that are not selected are read once in each checkpoint.
    """
    unselected = _unselected(reference, reference.layers)
    of_others = [
        unselected if other.own_layers is None else _unselected(reference, other.own_layers) for other in others
    ]
    return [_scales(layers, unselected, of_other) for layers, of_other in zip(compared, of_others, strict=True)]


def scales_in_turn(
    first: LayerStream, others: Sequence[OtherCheckpoint], compared: Sequence[Sequence[LayerComparison]]
) -> list[Scales]:
    """Return the scales of the reference of each other, which is the one before it, and of the other."""
    unselected = [_unselected(first, layers) for layers in (first.layers, *(other.layers for other in others))]
    return [_scales(*each) for each in zip(compared, unselected[:-1], unselected[1:], strict=True)]


def _unselected(stream: LayerStream, layers: Layers) -> float | None:
    """Return the largest |w| of the layers that are not selected, read as the stream reads."""
    return largest_unselected(layers, stream.threads, stream.workers)


def _scales(layers: Sequence[LayerComparison], of_reference: float | None, of_other: float | None) -> Scales:
    return Scales(
        reference=own_scale((layer.pair.reference for layer in layers), of_reference),
        other=own_scale((layer.pair.other for layer in layers), of_other),
    )
