"""The weights that a layer keeps under a pattern N:M (``topoimp.pruning.block_pattern``).

Each block keeps its first N weights: by the method ``magnitude`` the strongest ones; by ``topological`` the edges of
the forest first, then the strongest others. A block with more than N edges of the forest keeps the N strongest of them,
and the others do not fit: then the mask lacks a part of the forest.
"""

from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, IndexArray
from topoimp.layers.layer import Layer
from topoimp.pruning.block_pattern import LayerBlocks
from topoimp.pruning.methods.method import Rule
from topoimp.pruning.rules import PartPruner
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class PatternKeep:
    """The weights that a layer keeps under a pattern.

    Args:
        rule: the order of the weights.
        blocks: the blocks of the layer.
        favoured: flat indices, ascending, of the edges of the forest that come first in their block.
        n_kept: weights kept.
        n_forest_kept: edges of the forest that are kept.
        n_forest_unfit: edges of the forest beyond N of a block: as many are dropped, whatever the method.
        n_forest_added: edges of the forest that ``topological`` keeps and ``magnitude`` drops.
    """

    rule: Rule
    blocks: LayerBlocks
    favoured: IndexArray
    n_kept: int
    n_forest_kept: int
    n_forest_unfit: int
    n_forest_added: int

    @property
    def n_protected(self) -> int:
        """Edges of the forest that are kept whatever the other weights are: all of them, or none if some do not fit."""
        return 0 if self.n_forest_unfit else len(self.favoured)

    @property
    def known_norms(self) -> None:
        """Squared norms, which the counts of blocks do not tell."""

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Return the function that writes parts of the layer, once the mask of all blocks is known: a bit a weight."""
        mask = self.blocks.mark(layer, self.favoured, threads)

        def write(start: int, pruned: CodeArray) -> BoolArray:
            stop = start + len(pruned)
            kept = mask.part(start, stop)
            np.multiply(layer.weights[start:stop], kept, out=pruned)
            return kept

        return write


def keep_blocks(layer: Layer, forest: Forest, rule: Rule, blocks: LayerBlocks, threads: int) -> PatternKeep:
    """Return the weights that a layer keeps under a pattern; the rule is by strength, and protects the forest or none.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.pruning.block_pattern import BlockPattern
    >>> from topoimp.pruning.methods.magnitude import StrengthRule
    >>> from topoimp.topology.forest import spanning_forest
    >>> layer = as_layer([[5.0, 4.0, 3.0, 1.0], [1.0, 1.0, 2.0, 0.5]])
    >>> blocks = LayerBlocks(BlockPattern(2, 4))
    >>> keep = keep_blocks(layer, spanning_forest(layer), StrengthRule(32, protected_above=0.0), blocks, threads=1)
    >>> keep.n_kept, keep.n_forest_kept, keep.n_forest_unfit
    (4, 3, 2)
    """
    n_kept = blocks.n_within(layer, threads)
    most = blocks.pattern.n_kept
    _, in_block = np.unique(blocks.of(layer, forest.indices), return_counts=True)
    n_fitting = int(np.minimum(in_block, most).sum())
    n_strong = int(np.count_nonzero(blocks.positions(layer, forest.indices) < most))

    favoured = np.sort(forest.indices[: rule.n_protected(forest)])
    return PatternKeep(
        rule,
        blocks,
        favoured,
        n_kept=n_kept,
        n_forest_kept=n_fitting if len(favoured) else n_strong,
        n_forest_unfit=len(forest.indices) - n_fitting,
        n_forest_added=n_fitting - n_strong,
    )
