"""A layer and any mask in, the nearest mask of the same size out that keeps the layer's barcode.

A mask keeps the barcode if and only if it contains a maximum spanning forest (docs/theory.md, section 4). With equal
strengths a layer has several; the repair chooses one with as many kept edges as any has. It adds the edges of that
forest that the mask lacks, and drops as many kept edges outside the forest, the weakest first, equal ones from the last
flat index. So a mask that keeps the barcode stays as it is, and no mask of the same size that keeps it differs in fewer
weights. A mask that keeps fewer weights than the forest has edges grows to the forest.
"""

from dataclasses import dataclass, replace

import numpy as np

from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import InHand
from topoimp.pruning.methods.magnitude import strength_rule
from topoimp.pruning.rules import PartPruner, Pruner, keep_each, pruned_codes, pruned_layer
from topoimp.topology.boruvka import joining
from topoimp.topology.forest import Forest, spanning_forest


@dataclass(frozen=True)
class Repair:
    """The edges that a mask must keep for the barcode of a layer to stay, and how many of them it lacks.

    Args:
        reference: the layer's maximum spanning forest in the order of edges.
        forest: a maximum spanning forest with as many edges of the mask as any has.
        n_kept: nonzero weights that the mask keeps.
        n_missing: edges of ``forest`` that the mask lacks.
    """

    reference: Forest
    forest: Forest
    n_kept: int
    n_missing: int

    @property
    def is_at_floor(self) -> bool:
        """Whether the mask keeps fewer weights than the forest has edges, so that the repaired one keeps more."""
        return self.n_kept < len(self.forest.indices)


def repair_of(mask: Pruner, layer: Layer, threads: int) -> Repair:
    """Return the edges that a mask must keep for the layer's barcode to stay, and how many of them it lacks.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.pruning.applied_masks import write_where
    >>> class Two:
    ...     def on(self, layer, threads):
    ...         kept = np.array([True, True, False, False])
    ...         return lambda start, pruned: write_where(layer, lambda a, b: kept[a:b], start, pruned)
    >>> repair_of(Two(), as_layer(np.array([[3.0, 1.0], [2.0, 0.5]])), 1).n_missing
    1
    """
    reference = spanning_forest(layer, threads=threads)
    kept = pruned_layer(mask, layer, threads)
    own = spanning_forest(kept, threads=threads)
    forest = _with_most_kept(layer, kept, reference, own)
    n_missing = int(np.count_nonzero(~_are_edges(kept, forest)))
    return Repair(reference, forest, own.n_edges, n_missing)


@dataclass(frozen=True)
class RepairedMask:
    """Keeps the weights of a mask, but for the weakest outside a forest, in whose place the missing edges are kept."""

    mask: Pruner
    info: LayerInfo
    repair: Repair

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Return the function that writes parts of a layer."""
        forest = self.repair.forest
        codes = pruned_codes(self.mask, layer, threads)
        codes[forest.indices] = layer.weights[forest.indices]
        either = replace(layer, codes=codes.reshape(layer.codes.shape))

        rule = strength_rule([self.info], protected_above=0.0)
        forests = {self.info.name: forest}
        (keeps,) = keep_each([self.info], forests, [self.repair.n_kept], rule, InHand(either, threads))
        return keeps[self.info.name].on(either, threads)


def _with_most_kept(layer: Layer, kept: Layer, reference: Forest, own: Forest) -> Forest:
    """Return the maximum spanning forest of a layer in the order (strength, kept edges first, flat index).

    Its kept edges are edges of the forest of the kept weights. Its other edges may be taken from the layer's forest:
    where one of equal strength serves, so does an edge of that forest.
    """
    edges = np.union1d(own.indices, reference.indices)
    strengths = layer.number_format.strengths(layer.weights[edges])
    is_kept = kept.number_format.magnitudes(kept.weights[edges]) != 0
    order = np.lexsort((edges, ~is_kept, -strengths))
    parent = np.arange(layer.n_vertices)
    indices = joining(edges[order], layer.n_columns, parent, layer.n_vertices - 1)
    strengths = layer.number_format.strengths(layer.weights[indices])
    return Forest(layer.n_rows, layer.n_columns, reference.n_edges, indices, strengths)


def _are_edges(layer: Layer, forest: Forest) -> np.ndarray:
    return np.asarray(layer.number_format.magnitudes(layer.weights[forest.indices]) != 0)
