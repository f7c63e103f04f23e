"""How much of a layer's topology pruning or training preserves, compared with the reference's forest."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from topoimp.checkpoint.number_format import F32
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import InHand
from topoimp.pruning.masks import PackedMask
from topoimp.pruning.methods.magnitude import strength_rule
from topoimp.pruning.rules import keep_each
from topoimp.topology.barcode import barcode_of_forest
from topoimp.topology.forest import Forest, spanning_forest
from topoimp.topology.strong_edges import collect


@dataclass(frozen=True)
class Preservation:
    """The topology of a layer beside that of its reference, or of several layers together.

    Args:
        n_weights: weights, stored zeros included.
        n_edges: nonzero weights of the reference.
        n_kept: nonzero weights.
        floor: edges of the reference's forest.
        n_forest_kept: edges of the reference's forest that are kept.
        beta0: components.
        beta0_reference: components of the reference.
        beta1: independent cycles.
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


def overlap(layer: Layer, forest: Forest, *, threads: int = 1) -> float | None:
    """Return the share of a layer's forest among its n largest weights, n being the number of the forest's edges.

    Equal magnitudes are ordered by index, as in the forest. In the view ``channel`` edges are counted, not weights. A
    forest edge is among the n largest weights if and only if it joins two components that they leave apart: the overlap
    is (V - beta0) / n, with V vertices and the components of the n largest weights as a graph.

    Args:
        layer: any type; a stored zero is no edge.
        forest: the layer's maximum spanning forest.
        threads: number of cores; the result does not depend on it.

    Returns:
        a share in (0, 1]; None for a layer of zeros.

    Source: Balwani & Krzyston, PMLR 196, 2022, theorem 3.3, which bounds it from below.

    >>> from topoimp.layers.layer import as_layer
    >>> layer = as_layer([[5.0, 4.0, 0.1], [3.0, 2.0, 0.2]])
    >>> overlap(layer, spanning_forest(layer))
    0.75
    """
    n_edges = len(forest.indices)
    return count_overlapping(layer, forest, threads) / n_edges if n_edges else None


def count_overlapping(layer: Layer, forest: Forest, threads: int) -> int:
    """Return the number of edges of ``overlap``: those of the forest among as many largest weights."""
    n_edges = len(forest.indices)
    strongest = collect(layer, threads).indices
    if len(strongest) >= n_edges:
        return len(np.intersect1d(forest.indices, strongest[:n_edges], assume_unique=True))

    # Many weights are equal, and only the larger ones were collected.
    edges = replace(layer, parallel=None)
    shape = edges.codes.shape
    info = LayerInfo(layer.name, layer.name, shape, layer.n_rows, layer.n_columns, layer.number_format)

    (kept,) = keep_each([info], {layer.name: forest}, [n_edges], strength_rule([info]), InHand(edges, threads))
    return kept[layer.name].n_kept_of(forest, edges, threads)


def preservation_of(
    reference: Forest,
    after: Forest,
    *,
    n_weights: int,
    n_forest_kept: int,
    n_edges: int | None = None,
    n_kept: int | None = None,
) -> Preservation:
    """Compare a layer after with the layer before, of the same shape, by their forests.

    ``n_edges`` and ``n_kept`` are the nonzero weights before and after if these are not the edges (view ``channel``).
    """
    return Preservation(
        n_weights=n_weights,
        n_edges=reference.n_edges if n_edges is None else n_edges,
        n_kept=after.n_edges if n_kept is None else n_kept,
        floor=len(reference.indices),
        n_forest_kept=n_forest_kept,
        beta0=after.n_components,
        beta0_reference=reference.n_components,
        beta1=after.n_cycles,
        beta0_kept=after.n_components == reference.n_components,
        barcode_kept=barcode_of_forest(after).equals(barcode_of_forest(reference)),
    )


def preservation_by_strength(reference: Forest, *, n_weights: int, n_kept: int, n_forest_kept: int) -> Preservation:
    """Return the topology of the strongest weights, or of the forest's strongest edges and the strongest other weights.

    This needs no second forest: Kruskal's algorithm on the kept weights takes exactly the kept edges of the reference's
    forest. An edge that it rejected before is still the weakest of a cycle, as all stronger edges are still kept.
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
    """Return a spanning forest of a layer's mask as a graph, in which a kept weight of 0 is an edge too.

    ``after`` is the forest of the weights that were trained under the mask: the same graph if none of them is 0.
    """
    if after.n_edges == mask.n_kept_of(info.block):
        return after
    kept = mask.part_of(info.block, 0, info.n_weights).astype(np.float32).view(np.uint32)
    return spanning_forest(Layer(info.name, kept.reshape(info.n_rows, -1), F32), threads=threads)


def preservation_under_mask(
    reference: Forest, after: Forest, graph: Forest, mask: PackedMask, info: LayerInfo
) -> Preservation:
    """Compare a layer that was trained under a mask with its reference.

    The bars are those of the trained weights, all counts those of the mask's ``graph`` (see ``graph_of_mask``).
    """
    n_forest_kept = int(np.count_nonzero(mask.keeps(info.block.places(reference.indices))))
    preservation = preservation_of(reference, graph, n_weights=info.n_weights, n_forest_kept=n_forest_kept)
    return replace(preservation, barcode_kept=barcode_of_forest(after).equals(barcode_of_forest(reference)))


def total_preservation(parts: Sequence[Preservation]) -> Preservation:
    """Return the preservation of several layers: counts add up, and flags hold if they hold for each layer."""
    total: dict[str, Any] = {}  # Any: counts and flags
    for field in fields(Preservation):
        values = [getattr(part, field.name) for part in parts]
        total[field.name] = all(values) if field.type is bool else sum(values)
    return Preservation(**total)
