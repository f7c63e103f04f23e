"""How large a forest random edges of a layer have: graphs drawn at random, and nothing about weights.

The edges of a layer, its *places*, are numbered by flat index and lie in *groups*: one group is the whole layer, or one
group is one row. From each group so many places are drawn, every set of that size equally likely. What is wanted is
only the rank of the graph drawn: vertices less components.

Two things make that cheap. A set of distinct places is what a sequence of independent draws has met by the time that
it has met enough different ones, so drawing goes on in small batches, repeats and all. And after about V log V draws of
a graph on V vertices nothing is left to join: whatever else would be drawn, the rank is known.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.choices import check_seed
from topoimp.kernels.components import join_edges


def generator_of(name: str, seed: int) -> np.random.Generator:
    """Give the generator of a layer: by name, so that layers of one shape are drawn independently.

    Raises:
        OptionError: if the seed is negative.
    """
    check_seed(seed)
    return np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()])


@dataclass(frozen=True)
class Tied:
    """Places drawn from what is left of one group, of which the first by index are kept.

    Args:
        group: the group's number.
        n_drawn: how many are drawn.
        n_first: how many of these, by index, are kept.
    """

    group: int
    n_drawn: int
    n_first: int


@dataclass(frozen=True)
class Drawing:
    """What is drawn.

    Args:
        n_rows: of the layer.
        n_columns: of the layer.
        flat: flat index of each place, ascending, any integer type; None if every weight is a place.
        starts: first place of each group, and one beyond the last; shape (groups + 1,).
        wanted: how many places of each group are drawn, at most as many as it has; shape (groups,).
        most: an upper bound of the rank; the lower, the sooner a draw is over.
        tied: what is drawn after that; None if nothing.
    """

    n_rows: int
    n_columns: int
    flat: np.ndarray | None
    starts: IndexArray
    wanted: IndexArray
    most: int
    tied: Tied | None = None

    @property
    def sizes(self) -> IndexArray:
        """Places of each group."""
        return np.diff(self.starts)

    def rank(self, rng: np.random.Generator) -> int:
        """Draw once, and give how many edges a spanning forest of what is drawn has."""
        joining = _Joining(self)
        is_drawn = np.zeros(int(self.starts[-1]), np.bool_)
        # Of a group that gives more than half of its places, half are drawn with repeats, the others without.
        with_repeats = np.minimum(self.wanted, self.sizes // 2)
        self._draw_with_repeats(with_repeats, is_drawn, joining, rng)
        if not joining.is_over:
            self._draw_the_rest(self.wanted - with_repeats, is_drawn, joining, rng)
        if not joining.is_over and self.tied is not None:
            self._draw_tied(self.tied, is_drawn, joining, rng)
        return joining.n_joined

    def joining_draws(self, rng: np.random.Generator) -> IndexArray:
        """Draw all places in a random order, groups aside, and give which draws, counted from 1, join two components.

        The rank of the first k draws is the number of those up to k.
        """
        flat = rng.permutation(int(self.starts[-1]))
        if self.flat is not None:
            flat = self.flat[flat].astype(np.int64)
        joining = np.empty(min(len(flat), self.most), np.int64)
        parent = np.arange(self.n_rows + self.n_columns)
        n_joined = join_edges(flat, self.n_columns, parent, self.most, joining)
        return joining[:n_joined] + 1

    def _draw_with_repeats(
        self, wanted: IndexArray, is_drawn: BoolArray, joining: "_Joining", rng: np.random.Generator
    ) -> None:
        missing, n_missing, batch = wanted.copy(), int(wanted.sum()), self.n_rows + self.n_columns
        while n_missing and not joining.is_over:
            n_draws = missing if n_missing <= batch else -(-missing * batch // n_missing)
            places = self._independent(n_draws, rng)
            places = np.unique(places[~is_drawn[places]])
            is_drawn[places] = True
            joining.join(places)
            missing = missing - self._n_by_group(places)
            n_missing, batch = n_missing - len(places), 2 * batch

    def _independent(self, n_draws: IndexArray, rng: np.random.Generator) -> IndexArray:
        """Draw so many places of each group, repeats allowed."""
        if len(n_draws) == 1:
            return rng.integers(int(self.starts[-1]), size=int(n_draws[0]))
        first, size = np.repeat(self.starts[:-1], n_draws), np.repeat(self.sizes, n_draws)
        return np.asarray(first + rng.integers(size))

    def _n_by_group(self, places: IndexArray) -> IndexArray:
        """Count ascending places by group."""
        return np.diff(np.searchsorted(places, self.starts))

    def _draw_the_rest(
        self, wanted: IndexArray, is_drawn: BoolArray, joining: "_Joining", rng: np.random.Generator
    ) -> None:
        """Draw from what is left of the groups that still lack places, by putting it in a random order."""
        groups = np.flatnonzero(wanted)
        if len(groups) == 0:
            return
        sizes = self.sizes[groups]
        before = np.cumsum(sizes) - sizes
        places = np.arange(sizes.sum()) + np.repeat(self.starts[groups] - before, sizes)
        group = np.repeat(np.arange(len(groups)), sizes)
        left = ~is_drawn[places]
        places, group = places[left], group[left]
        n_left = np.bincount(group, minlength=len(groups))
        if not np.array_equal(n_left, wanted[groups]):
            order = np.argsort(group + rng.random(len(group)))
            number = np.arange(len(group)) - np.repeat(np.cumsum(n_left) - n_left, n_left)
            places = np.sort(places[order[number < np.repeat(wanted[groups], n_left)]])
        is_drawn[places] = True
        joining.join(places)

    def _draw_tied(self, tied: Tied, is_drawn: BoolArray, joining: "_Joining", rng: np.random.Generator) -> None:
        start, stop = self.starts[tied.group : tied.group + 2]
        left = start + np.flatnonzero(~is_drawn[start:stop])
        if tied.n_drawn < len(left):
            left = np.sort(rng.choice(left, tied.n_drawn, replace=False, shuffle=False))
        joining.join(left[: tied.n_first])


class _Joining:
    """The components of what is drawn so far."""

    def __init__(self, drawing: Drawing) -> None:
        self.n_joined = 0
        self._drawing = drawing
        self._parent = np.arange(drawing.n_rows + drawing.n_columns)

    @property
    def is_over(self) -> bool:
        """Whether no more edge can join two components."""
        return self.n_joined == self._drawing.most

    def join(self, places: IndexArray) -> None:
        """Add edges."""
        flat = places if self._drawing.flat is None else self._drawing.flat[places].astype(np.int64)
        n_wanted = self._drawing.most - self.n_joined
        scratch = np.empty(min(len(flat), n_wanted), np.int64)
        self.n_joined += join_edges(flat, self._drawing.n_columns, self._parent, n_wanted, scratch)
