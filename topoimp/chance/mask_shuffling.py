"""Masks that keep as many weights in random places: controls for the choice of weights that a mask makes.

The kept weights of a layer are dealt out anew among its nonzero weights, its edges (``MaskShuffle``):

- ``edges``: over all edges of the layer; every set of as many is equally likely.
- ``rows``: over the edges of each row, so that every row keeps its number.
- ``columns``: over the edges of each column, so that every column keeps its number.
- ``degrees``: by swaps (``degrees``), so that every row and every column keeps its number. The layer may have no zeros,
  as a swap could lead to one.

A layer draws from a generator of its own, seeded with the seed and its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.chance.degrees import STEPS_PER_EDGE, graph_of
from topoimp.chance.drawing import generator_of
from topoimp.choices import MaskShuffle, chosen
from topoimp.errors import LayerError
from topoimp.layers.layer import Layer
from topoimp.pruning.applied_masks import write_where
from topoimp.pruning.rules import PartPruner, Pruner, kept_of


@dataclass(frozen=True)
class ShuffledMask:
    """Keeps as many weights of a layer as a mask keeps, in random places."""

    mask: Pruner
    shuffle: MaskShuffle
    seed: int

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Return the function that writes parts of a layer."""
        kept = kept_of(self.mask, layer, threads).reshape(layer.codes.shape)
        try:
            shuffled = shuffled_mask(kept, layer.edges(), self.shuffle, generator_of(layer.name, self.seed))
        except LayerError as error:
            raise LayerError(f"layer {layer.name!r} {error}") from error
        flat = shuffled.reshape(-1)
        return partial(write_where, layer, lambda start, stop: flat[start:stop])


def shuffled_mask(
    kept: BoolArray, is_edge: BoolArray, shuffle: MaskShuffle | str, rng: np.random.Generator
) -> BoolArray:
    """Return a random mask that keeps as many weights as another.

    Args:
        kept: flags of the kept weights, shape (rows, columns); it may keep none, or all.
        is_edge: flags of the weights that are not zero, of the same shape; the others are never kept.
        shuffle: what stays as it is; see above.
        rng: source of the random numbers.

    Raises:
        LayerError: if more weights are kept than there are edges to choose from, or ``degrees`` meets a zero.
        OptionError: if there is no such shuffle.

    >>> shuffled_mask(np.eye(3, dtype=bool), np.ones((3, 3), bool), "rows", np.random.default_rng(0)).sum(axis=1)
    array([1, 1, 1])
    """
    return _SHUFFLES[chosen(MaskShuffle, shuffle)](kept, is_edge, rng)


def _over_edges(kept: BoolArray, is_edge: BoolArray, rng: np.random.Generator) -> BoolArray:
    shuffled = np.zeros(kept.size, np.bool_)
    shuffled[_dealt(np.flatnonzero(is_edge), int(np.count_nonzero(kept)), rng)] = True
    return shuffled.reshape(kept.shape)


def _within_rows(kept: BoolArray, is_edge: BoolArray, rng: np.random.Generator) -> BoolArray:
    return np.stack([_over_edges(*row, rng) for row in zip(kept, is_edge, strict=True)])


def _within_columns(kept: BoolArray, is_edge: BoolArray, rng: np.random.Generator) -> BoolArray:
    return np.ascontiguousarray(_within_rows(kept.T, is_edge.T, rng).T)


def _with_degrees(kept: BoolArray, is_edge: BoolArray, rng: np.random.Generator) -> BoolArray:
    if not is_edge.all():
        raise LayerError("has zeros; the shuffle degrees needs a layer without them")
    graph = graph_of(np.flatnonzero(kept), kept.shape[1])
    graph = graph.after(STEPS_PER_EDGE * len(graph.rows), rng)

    # The graph has only the rows and columns with kept weights, and may list the places without.
    shape = (graph.n_rows, graph.n_columns)
    live = np.unpackbits(graph.taken, count=graph.n_rows * graph.n_columns, bitorder="little").astype(np.bool_)
    shuffled = np.zeros(kept.shape, np.bool_)
    shuffled[np.ix_(kept.any(axis=1), kept.any(axis=0))] = (live != graph.has_holes).reshape(shape)
    return shuffled


def _dealt(places: IndexArray, n: int, rng: np.random.Generator) -> IndexArray:
    """Return n of the places, every set of n equally likely."""
    if n > len(places):
        raise LayerError(f"has {len(places)} nonzero weights where the mask keeps {n}; they cannot be shuffled")
    return rng.choice(places, n, replace=False, shuffle=False)


_SHUFFLES: dict[MaskShuffle, Callable[[BoolArray, BoolArray, np.random.Generator], BoolArray]] = {
    MaskShuffle.EDGES: _over_edges,
    MaskShuffle.ROWS: _within_rows,
    MaskShuffle.COLUMNS: _within_columns,
    MaskShuffle.DEGREES: _with_degrees,
}
