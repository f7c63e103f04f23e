"""What chance keeps of a layer's forest, simulated where it must be, and beside it what the layer's weights keep.

The edges of a forest that the k strongest weights keep are counted: those of the layer itself, and of the layer
shuffled (``shuffling``), several times. Only what is kept in excess of chance says anything about the weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from topoimp.chance.drawing import Drawing, generator_of
from topoimp.chance.nulls import expected_forest_edges_iid, expected_forest_edges_random, guaranteed_forest_edges
from topoimp.chance.shuffling import live_shape, n_forest_edges_of, shuffled, strongest_of
from topoimp.choices import Shuffle, chosen
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.topology.forest import Forest, spanning_forest

FEW_TIES = 0.01
"""Share of the weights kept that may be chosen by index without mattering to what is expected."""


@dataclass(frozen=True)
class NullDistribution:
    """How many forest edges were kept by chance.

    Args:
        n_kept: how many weights were kept.
        counts: forest edges kept in each simulation; at least one.
    """

    n_kept: int
    counts: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Forest edges kept on average."""
        return sum(self.counts) / len(self.counts)

    @property
    def standard_deviation(self) -> float | None:
        """Deviation of one simulation, estimated from all (n - 1 in the denominator); None of a single one."""
        return float(np.std(self.counts, ddof=1)) if len(self.counts) > 1 else None

    def excess(self, observed: int) -> float:
        """Give how many more edges than on average were observed."""
        return observed - self.mean

    def z_score(self, observed: int) -> float | None:
        """Give the excess in standard deviations.

        Returns:
            None of a single simulation. If all simulations agree, 0 where the observed number agrees with them, and
            infinity with the sign of the excess elsewhere.
        """
        deviation, excess = self.standard_deviation, self.excess(observed)
        if deviation is None:
            return None
        if deviation == 0:
            return 0.0 if excess == 0 else inf if excess > 0 else -inf
        return excess / deviation


@dataclass(frozen=True)
class ForestEdgesKept:
    """How many edges of a layer's forest its strongest weights keep, and how many chance would.

    Args:
        n_kept: how many weights are kept.
        guaranteed: the fewest, whatever the weights of a layer with as many live rows and columns.
        iid: expected if strengths were independent and alike.
        random: edges of the forest that as many random edges are expected to meet.
        observed: what the layer's own strongest weights keep.
    """

    n_kept: int
    guaranteed: int
    iid: float
    random: float
    observed: int


def simulated_forest_edges_iid(
    n_rows: int, n_columns: int, n_kept: int, *, n_simulations: int = 200, seed: int = 0
) -> NullDistribution:
    """Simulate how many forest edges the strongest weights keep if strengths are independent, alike and without ties.

    Args:
        n_rows: at least 1; a layer of any shape, for which ``expected_forest_edges_iid`` may have no closed form.
        n_columns: at least 1.
        n_kept: from 0 to n_rows * n_columns.
        n_simulations: at least 1.
        seed: at least 0; the same seed gives the same numbers, and more simulations begin with those of fewer.

    Raises:
        OptionError: if a number is outside its range.
    """
    guaranteed_forest_edges(n_rows, n_columns, n_kept)  # it checks their ranges
    starts, wanted = np.array([0, n_rows * n_columns]), np.array([n_kept])
    drawing = Drawing(n_rows, n_columns, None, starts, wanted, most=n_rows + n_columns - 1)
    return _simulated(drawing, n_kept, n_simulations, seed, f"{n_rows}x{n_columns}")


def shuffled_forest_edges(
    layer: Layer,
    n_kept: int,
    *,
    forest: Forest | None = None,
    shuffle: Shuffle | str = Shuffle.EDGES,
    n_simulations: int = 20,
    seed: int = 0,
) -> NullDistribution:
    """Simulate how many forest edges the strongest weights of a layer keep when it is shuffled.

    Time goes into finding the k-th strongest weight, once; a simulation of a layer of any size takes milliseconds,
    unless so few weights are kept, or the layer is so odd, that it does not hang together by then. Memory: a copy of
    the layer for a moment, a byte per weight, and four bytes per edge if there are zeros in the live block.

    Args:
        layer: its weights, of any type. In the view ``channel`` edges are shuffled, and counted.
        n_kept: how many edges are kept, from 0 to those that there are; of a mask or another checkpoint, its edges.
        forest: the layer's maximum spanning forest, if it is known; it saves time.
        shuffle: what is shuffled.
        n_simulations: at least 1.
        seed: at least 0; together with the layer's name it chooses the shuffles. More simulations begin with those of
            fewer.

    Raises:
        OptionError: if a number is outside its range, or there is no such choice.
        LayerError: if a weight is NaN or infinite.
    """
    shuffle = chosen(Shuffle, shuffle)
    forest = spanning_forest(layer, threads=1) if forest is None else forest
    drawing = shuffled(layer, forest, strongest_of(layer, forest, n_kept), shuffle)
    return _simulated(drawing, n_kept, n_simulations, seed, layer.name)


def added_up(nulls: Sequence[NullDistribution]) -> NullDistribution:
    """Give the distribution for several layers together: their simulations are added up one by one.

    Args:
        nulls: at least one, all with as many simulations; of layers with different names, as a layer's name is part of
            its seed.
    """
    counts = zip(*(null.counts for null in nulls), strict=True)
    return NullDistribution(sum(null.n_kept for null in nulls), tuple(map(sum, counts)))


def forest_edges_kept(layer: Layer, forest: Forest, n_kept: int) -> int:
    """Give how many edges of a layer's forest are among its strongest weights, equal ones taken by index. Exact.

    Args:
        layer: its weights.
        forest: its maximum spanning forest.
        n_kept: from 0 to the number of edges.

    Raises:
        OptionError: if that is outside its range.
    """
    return n_forest_edges_of(layer, forest, strongest_of(layer, forest, n_kept))


def forest_edges_by_chance(
    layer: Layer, n_kept: int, *, forest: Forest | None = None, n_simulations: int = 20, seed: int = 0
) -> ForestEdgesKept:
    """Give what a layer's strongest weights keep of its forest, beside what chance would keep.

    What is expected of independent strengths is computed in closed form where it holds: no zeros but in dead rows and
    columns, which are not counted, no short side below ``LEAST_SIDE``, and at most one in a hundred of the weights kept
    chosen by index out of equal ones. Elsewhere it is the mean of simulations that shuffle the edges.

    Args:
        layer: its weights, of any type.
        n_kept: how many edges are kept, from 0 to those that there are.
        forest: the layer's maximum spanning forest, if it is known; it saves time.
        n_simulations: where it has to be simulated; at least 1.
        seed: of the simulations; at least 0.

    Raises:
        OptionError: if a number is outside its range.
        LayerError: if a weight is NaN or infinite.
    """
    forest = spanning_forest(layer, threads=1) if forest is None else forest
    top = strongest_of(layer, forest, n_kept)
    n_rows, n_columns = live_shape(forest)
    iid = None
    if forest.n_edges == n_rows * n_columns > 0 and not (top.is_split and top.n_first > FEW_TIES * n_kept):
        iid = expected_forest_edges_iid(n_rows, n_columns, n_kept)
    if iid is None:
        drawing = shuffled(layer, forest, top, Shuffle.EDGES)
        iid = _simulated(drawing, n_kept, n_simulations, seed, layer.name).mean
    return ForestEdgesKept(
        n_kept=n_kept,
        guaranteed=guaranteed_forest_edges(n_rows, n_columns, n_kept) if n_kept else 0,
        iid=iid,
        random=expected_forest_edges_random(forest.n_edges, len(forest.indices), n_kept).mean,
        observed=n_forest_edges_of(layer, forest, top),
    )


def _simulated(drawing: Drawing, n_kept: int, n_simulations: int, seed: int, name: str) -> NullDistribution:
    if n_simulations < 1:
        raise OptionError(f"the number of simulations is {n_simulations}; it must be at least 1")
    rng = generator_of(name, seed)
    return NullDistribution(n_kept, tuple(drawing.rank(rng) for _ in range(n_simulations)))
