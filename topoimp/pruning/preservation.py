"""How much of a layer's topology is left after pruning or training, compared with the reference's forest."""

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
    """The topology that is left of a layer, or of several layers together.

    Args:
        n_weights: weights, stored zeros included.
        n_edges: nonzero weights of the reference.
        n_kept: edges that are left.
        floor: edges of the reference's forest.
        n_forest_kept: edges of the reference's forest that are left.
        beta0: components that are left.
        beta0_reference: components of the reference.
        beta1: independent cycles that are left.
        beta0_kept: whether beta0 equals that of the reference, in every layer.
        barcode_kept: whether the bars are exactly those of the reference, in every layer.
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
        """Share of the weights that are kept; a stored zero is not kept."""
        return self.n_kept / self.n_weights


def count_present(forest: Forest, layer: Layer) -> int:
    """Count the edges of a forest that are also edges of a layer of the same shape."""
    codes = layer.codes.reshape(-1)[forest.indices]
    return int(np.count_nonzero(layer.number_format.magnitudes(codes)))


def preservation_of(
    reference: Forest,
    left: Forest,
    *,
    n_weights: int,
    n_forest_kept: int,
    n_edges: int | None = None,
    n_kept: int | None = None,
) -> Preservation:
    """Compare any two layers of the same shape by their forests.

    Args:
        reference: the forest of the layer before.
        left: the forest of the layer after.
        n_weights: weights of the layer, stored zeros included.
        n_forest_kept: edges of the reference's forest that are edges after.
        n_edges: nonzero weights before, where they are not the edges (view ``channel``).
        n_kept: nonzero weights after, where they are not the edges.
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
    """Return the topology of the strongest weights, or of the forest and the strongest other weights.

    This needs no second forest: Kruskal's algorithm on the kept weights takes exactly the kept edges of the reference's
    forest. An edge that it rejected before is still the weakest of a cycle, as all stronger edges are still kept.

    Args:
        reference: the forest of the layer before.
        n_weights: weights of the layer, stored zeros included.
        n_kept: weights kept.
        n_forest_kept: edges of the forest that are kept, the strongest ones.
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
    """Return a spanning forest of the mask as a graph, in which a kept weight of 0 is an edge too.

    Args:
        info: the layer.
        mask: of its tensor.
        after: the forest of the weights that were trained under the mask.
        threads: number of threads.
    """
    if after.n_edges == mask.n_kept_of(info.first, info.first + info.n_weights):
        return after
    kept = mask.part(info.first, info.first + info.n_weights).astype(np.float32).view(np.uint32)
    return spanning_forest(Layer(info.name, kept.reshape(info.n_rows, -1), F32), threads=threads)


def preservation_under_mask(
    reference: Forest, after: Forest, graph: Forest, mask: PackedMask, info: LayerInfo
) -> Preservation:
    """Compare a layer that was trained under a mask with the reference: its bars by its weights, the rest by the mask.

    Args:
        reference: the forest of the layer before.
        after: the forest of the trained weights.
        graph: the forest of the mask (``graph_of_mask``).
        mask: of the layer's tensor.
        info: the layer.
    """
    n_forest_kept = int(np.count_nonzero(mask.keeps(info.first + reference.indices)))
    left = preservation_of(reference, graph, n_weights=info.n_weights, n_forest_kept=n_forest_kept)
    is_same = barcode_of_forest(after).equals(barcode_of_forest(reference))
    return left if left.barcode_kept == is_same else replace(left, barcode_kept=is_same)


def together(parts: Sequence[Preservation]) -> Preservation:
    """Return the same facts about several layers: counts add up, and flags hold if they hold for each layer."""
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
