"""One layer in a reference and in another checkpoint: the edges in both, and those that the other checkpoint lacks."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from topoimp.arrays import BoolArray
from topoimp.comparison.weight_differences import n_shared_edges
from topoimp.layers.records import LayerInfo
from topoimp.layers.squared_norms import SquaredNorms
from topoimp.pruning.preservation import Preservation
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class LayerPair:
    """One layer in the reference and in another checkpoint.

    Args:
        info: the layer, as the reference has it.
        reference: its forest in the reference.
        other: its forest in the other checkpoint.
        graph: forest of the weights that the other keeps: ``other``, unless a mask keeps weights that are 0 by now.
        preservation: the share of the reference's topology that the other has.
        n_both: number of weights that are edges in both.
        squared_norms: those of the reference's weights, and of the weights that the other keeps of them.
        is_present: for each edge of the reference's forest, whether the other has it.
        is_masked: whether every weight of the other is 0 or as strong as in the reference.
        largest_difference: largest | |w| - |w'| |; None under a mask file.
    """

    info: LayerInfo
    reference: Forest
    other: Forest
    graph: Forest
    preservation: Preservation
    n_both: int
    squared_norms: SquaredNorms
    is_present: BoolArray
    is_masked: bool = True
    largest_difference: float | None = None

    @cached_property
    def n_forest_shared(self) -> int:
        """Number of edges in both forests."""
        return n_shared_edges(self.reference, self.other)

    @property
    def n_kept(self) -> int:
        """Number of strongest edges of the reference to count by chance: as many as the other has."""
        return min(self.graph.n_edges, self.reference.n_edges)

    @property
    def strongest_missing(self) -> float:
        """Strength of the strongest edge of the reference's forest that the other lacks; 0 if it has all."""
        return float(np.max(self.reference.strengths[~self.is_present], initial=0.0))

    @property
    def largest_shift(self) -> float:
        """Upper bound of the difference between deaths of the same rank, as strengths; a bar that never dies ends at 0.

        The missing edges of a masked layer's forest are at most as strong as some d. All stronger edges of the forest
        are present, and so are all components at levels above d; every other bar dies between 0 and d in both.
        Otherwise the bound is the largest difference of strengths.

        Source of the other bound: Cohen-Steiner, Edelsbrunner, Harer, "Stability of Persistence Diagrams", 2007.
        """
        if self.is_masked or self.largest_difference is None:
            return self.strongest_missing
        return self.largest_difference
