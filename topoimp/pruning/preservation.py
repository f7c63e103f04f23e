"""What became of a layer's topology: what is left, held against the forest of the reference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from topoimp.checkpoint.number_format import F32
from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.layer import Layer
from topoimp.pruning.masks import PackedMask
from topoimp.topology.barcode import barcode_of_forest
from topoimp.topology.forest import Forest, spanning_forest


@dataclass(frozen=True)
class Preservation:
    """What is left of a layer, or of several together.

    Args:
        n_weights: weights, stored zeros included.
        n_edges: weights of the reference that are not zero.
        n_kept: those that are left.
        floor: edges of the reference's forest.
        n_forest_kept: how many of these are present.
        beta0: components left.
        beta0_reference: components of the reference.
        beta1: cycles left.
        beta0_kept: whether there are as many components as in the reference; of several layers, in each.
        barcode_kept: whether the bars are exactly those of the reference; of several layers, in each.
    """

    n_weights: int
    n_edges: int
    n_kept: int
    floor: int
    n_forest_kept: int
    beta0: int
    beta0_reference: int
    beta1: int
    beta0_kept: bool
    barcode_kept: bool

    @property
    def density(self) -> float:
        """Share of the weights that are kept; stored zeros are not."""
        return self.n_kept / self.n_weights


def count_present(forest: Forest, layer: Layer) -> int:
    """Give how many edges of a forest are edges of a layer, of the same shape, too."""
    there = layer.codes.reshape(-1)[forest.indices]
    return int(np.count_nonzero(layer.number_format.magnitudes(there)))


def preservation_of(
    reference: Forest,
    left: Forest,
    *,
    n_weights: int,
    n_forest_kept: int,
    n_edges: int | None = None,
    n_kept: int | None = None,
) -> Preservation:
    """Hold what is left of a layer, whatever it is, against the reference.

    Args:
        reference: the forest of the layer before.
        left: the forest of the layer after, or of the other checkpoint's layer of the same shape.
        n_weights: weights of the layer, stored zeros included.
        n_forest_kept: how many edges of the reference's forest are edges after.
        n_edges: weights of the reference that are not zero, where they are not its edges (view ``channel``).
        n_kept: the same of what is left.
    """
    return Preservation(
        n_weights=n_weights,
        n_edges=reference.n_edges if n_edges is None else n_edges,
        n_kept=left.n_edges if n_kept is None else n_kept,
        floor=len(reference.indices),
        n_forest_kept=n_forest_kept,
        beta0=left.n_components,
        beta0_reference=reference.n_components,
        beta1=left.n_cycles,
        beta0_kept=left.n_components == reference.n_components,
        barcode_kept=barcode_of_forest(left).equals(barcode_of_forest(reference)),
    )


def preservation_by_strength(reference: Forest, *, n_weights: int, n_kept: int, n_forest_kept: int) -> Preservation:
    """Give what is left if the strongest weights are kept, or the forest and the strongest others.

    No forest has to be found for that: what Kruskal's rule takes of such weights is what is kept of the reference's
    forest. Every edge that it passed over is still the weakest of a cycle if the stronger ones are still there.

    Args:
        reference: the forest of the layer before.
        n_weights: weights of the layer, stored zeros included.
        n_kept: weights kept.
        n_forest_kept: how many of the forest's edges, strongest first, are kept.
    """
    is_whole = n_forest_kept == len(reference.indices)
    return Preservation(
        n_weights=n_weights,
        n_edges=reference.n_edges,
        n_kept=n_kept,
        floor=len(reference.indices),
        n_forest_kept=n_forest_kept,
        beta0=reference.n_vertices - n_forest_kept,
        beta0_reference=reference.n_components,
        beta1=n_kept - n_forest_kept,
        beta0_kept=is_whole,
        barcode_kept=is_whole,
    )


def graph_of_mask(info: LayerInfo, mask: PackedMask, after: Forest, threads: int) -> Forest:
    """Give a spanning forest of all weights that a mask keeps: a kept weight may happen to be zero by now.

    Args:
        info: the layer.
        mask: of its tensor.
        after: the forest of the weights that were trained under the mask.
        threads: how many cores to use.
    """
    if after.n_edges == mask.n_kept_of(info.first, info.first + info.n_weights):
        return after
    kept = mask.part(info.first, info.first + info.n_weights).astype(np.float32).view(np.uint32)
    return spanning_forest(Layer(info.name, kept.reshape(info.n_rows, -1), F32), threads=threads)


def preservation_under_mask(
    reference: Forest, after: Forest, graph: Forest, mask: PackedMask, info: LayerInfo
) -> Preservation:
    """Hold a layer that was trained under a mask against the reference: its weights' bars, and what the mask keeps.

    Args:
        reference: the forest of the layer before.
        after: the forest of its weights.
        graph: that of what the mask keeps.
        mask: of its tensor.
        info: the layer.
    """
    n_forest_kept = int(np.count_nonzero(mask.keeps(info.first + reference.indices)))
    left = preservation_of(reference, graph, n_weights=info.n_weights, n_forest_kept=n_forest_kept)
    is_same = barcode_of_forest(after).equals(barcode_of_forest(reference))
    return left if left.barcode_kept == is_same else replace(left, barcode_kept=is_same)


def together(parts: Sequence[Preservation]) -> Preservation:
    """Give the same facts about several layers: counts added up, and what is kept only if each layer keeps it."""
    return Preservation(
        n_weights=sum(part.n_weights for part in parts),
        n_edges=sum(part.n_edges for part in parts),
        n_kept=sum(part.n_kept for part in parts),
        floor=sum(part.floor for part in parts),
        n_forest_kept=sum(part.n_forest_kept for part in parts),
        beta0=sum(part.beta0 for part in parts),
        beta0_reference=sum(part.beta0_reference for part in parts),
        beta1=sum(part.beta1 for part in parts),
        beta0_kept=all(part.beta0_kept for part in parts),
        barcode_kept=all(part.barcode_kept for part in parts),
    )
