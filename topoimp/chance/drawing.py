"""Random graphs with a given number of edges, and the rank of each: vertices less components.

A *place* is an edge of the layer, numbered by flat index. Places lie in *groups*: the whole layer is one group, or each
row is one. A drawing takes a given number of places from each group; every set of that size is equally likely. Where
each column is a group, the drawing is of the transposed layer.

Two facts make that cheap. The distinct values in a sequence of independent draws are a uniform set, so places are drawn
in small batches with repeats. And after about V log V draws of a graph on V vertices no component is left to join, so
that the rank is known before all places are drawn.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.choices import check_seed
from topoimp.kernels.components import join_edges


def generator_of(name: str, seed: int) -> np.random.Generator:
    """Return the random generator of a layer: the name counts, so that layers of one shape differ."""
    check_seed(seed)
    return np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()])


@dataclass(frozen=True)
class Tied:
    """A second drawing: ``n_drawn`` places from the rest of each group; the first ``n_first`` by index count."""

    n_drawn: IndexArray
    n_first: int


@dataclass(frozen=True)
class Drawing:
    """A distribution over random graphs of some rows and columns.

    ``flat`` has the flat index of each place, ascending, any integer type; None if every weight is a place. ``starts``
    has the first place of each group, then the number of places; shape (groups + 1,). ``n_drawn`` places are drawn from
    each group, at most as many as it has. Drawing stops when the rank reaches its upper bound ``most``. In a transposed
    layer (``is_transposed``) the index that decides about tied places is that of the layer itself.
    """

    n_rows: int
    n_columns: int
    flat: np.ndarray | None
    starts: IndexArray
    n_drawn: IndexArray
    most: int
    tied: Tied | None = None
    is_transposed: bool = False

    @property
    def sizes(self) -> IndexArray:
        """Number of places in each group."""
        return np.diff(self.starts)

    def rank(self, rng: np.random.Generator) -> int:
        """Draw one graph; return its rank, the number of edges of a spanning forest."""
        joining = _Joining(self)
        is_drawn = np.zeros(int(self.starts[-1]), np.bool_)

        # More than half of a group's places would repeat too often: the second half is drawn without repeats.
        with_repeats = np.minimum(self.n_drawn, self.sizes // 2)
        self._draw_with_repeats(with_repeats, is_drawn, joining, rng)
        if not joining.is_over:
            self._draw_the_rest(self.n_drawn - with_repeats, is_drawn, joining, rng)
        if not joining.is_over and self.tied is not None:
            self._draw_tied(self.tied, is_drawn, joining, rng)
        return joining.n_joined

    def joining_draws(self, rng: np.random.Generator) -> IndexArray:
        """Draw all places in one random order; return the numbers, from 1, of the draws that join two components.

        The rank of the first k draws is the number of returned values up to k. Groups do not matter.
        """
        flat = rng.permutation(int(self.starts[-1]))
        if self.flat is not None:
            flat = self.flat[flat].astype(np.int64)

        joining = np.empty(min(len(flat), self.most), np.int64)
        parent = np.arange(self.n_rows + self.n_columns)
        n_joined = join_edges(flat, self.n_columns, parent, self.most, joining)
        return joining[:n_joined] + 1

    def _draw_with_repeats(
        self, n_drawn: IndexArray, is_drawn: BoolArray, joining: "_Joining", rng: np.random.Generator
    ) -> None:
        """Draw in batches that double, repeats and all, until each group has its number of distinct places."""
        missing = n_drawn.copy()
        n_missing = int(n_drawn.sum())
        batch = self.n_rows + self.n_columns

        while n_missing and not joining.is_over:
            n_draws = missing if n_missing <= batch else -(-missing * batch // n_missing)
            places = self._independent(n_draws, rng)
            places = np.unique(places[~is_drawn[places]])
            is_drawn[places] = True
            joining.join(places)

            missing = missing - np.diff(np.searchsorted(places, self.starts))
            n_missing -= len(places)
            batch *= 2

    def _independent(self, n_draws: IndexArray, rng: np.random.Generator) -> IndexArray:
        """Draw places of each group independently, so that they may repeat."""
        if len(n_draws) == 1:
            return rng.integers(int(self.starts[-1]), size=int(n_draws[0]))
        first = np.repeat(self.starts[:-1], n_draws)
        size = np.repeat(self.sizes, n_draws)
        return np.asarray(first + rng.integers(size))

    def _draw_the_rest(
        self, n_missing: IndexArray, is_drawn: BoolArray, joining: "_Joining", rng: np.random.Generator
    ) -> None:
        """Draw the missing places of each group without repeats, by putting its free places in a random order."""
        groups = np.flatnonzero(n_missing)
        if len(groups) == 0:
            return

        # Free places of these groups, and the group of each.
        sizes = self.sizes[groups]
        before = np.cumsum(sizes) - sizes
        places = np.arange(sizes.sum()) + np.repeat(self.starts[groups] - before, sizes)
        group = np.repeat(np.arange(len(groups)), sizes)
        is_free = ~is_drawn[places]
        places, group = places[is_free], group[is_free]
        n_free = np.bincount(group, minlength=len(groups))

        # The first places of each group in a random order, unless all of them are needed.
        if not np.array_equal(n_free, n_missing[groups]):
            order = np.argsort(group + rng.random(len(group)))
            number = np.arange(len(group)) - np.repeat(np.cumsum(n_free) - n_free, n_free)
            places = np.sort(places[order[number < np.repeat(n_missing[groups], n_free)]])
        is_drawn[places] = True
        joining.join(places)

    def _draw_tied(self, tied: Tied, is_drawn: BoolArray, joining: "_Joining", rng: np.random.Generator) -> None:
        parts = []
        for group in np.flatnonzero(tied.n_drawn).tolist():
            start, stop = self.starts[group : group + 2]
            free = start + np.flatnonzero(~is_drawn[start:stop])
            n_drawn = int(tied.n_drawn[group])
            if n_drawn < len(free):
                free = np.sort(rng.choice(free, n_drawn, replace=False, shuffle=False))
            parts.append(free)

        places = np.concatenate(parts)
        if self.is_transposed:
            row, column = np.divmod(self.flat_of(places), self.n_columns)
            places = places[np.argsort(column * self.n_rows + row)]
        joining.join(places[: tied.n_first])

    def flat_of(self, places: IndexArray) -> IndexArray:
        """Return the flat indices of places."""
        return places if self.flat is None else self.flat[places].astype(np.int64)


class _Joining:
    """The components of the places drawn so far."""

    def __init__(self, drawing: Drawing) -> None:
        self.n_joined = 0
        self._drawing = drawing
        self._parent = np.arange(drawing.n_rows + drawing.n_columns)

    @property
    def is_over(self) -> bool:
        """Whether the rank has reached its upper bound."""
        return self.n_joined == self._drawing.most

    def join(self, places: IndexArray) -> None:
        """Add the edges at these places, in this order."""
        flat = self._drawing.flat_of(places)
        n_missing = self._drawing.most - self.n_joined
        scratch = np.empty(min(len(flat), n_missing), np.int64)
        self.n_joined += join_edges(flat, self._drawing.n_columns, self._parent, n_missing, scratch)
