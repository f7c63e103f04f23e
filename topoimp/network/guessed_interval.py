"""An interval of keys that holds the last key of a target, guessed from some weights, and the weights outside it.

Guesses save a pass that finds the key of every weight. In a float32 layer the products of magnitudes and of the
strengths of paths, in float32, tell most weights from the interval, so only the keys of the others are found. A guess
may be wrong: the numbers of weights above the interval and in it show whether it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import CodeArray
from topoimp.kernels.path_strengths import FRACTION_BITS, LEAST, write_levels
from topoimp.kernels.sure_levels import write_sure_levels
from topoimp.kernels.threads import in_parallel
from topoimp.layers.layer import Layer
from topoimp.network.logarithms import row_pieces
from topoimp.network.path_strengths import PathStrengths
from topoimp.network.strongest_steps import approximate_strengths
from topoimp.network.weighted_graph import Edges

MANY = 1 << 20
"""A network of fewer weights has all its keys found."""

_WEIGHTS_PER_SAMPLE, _FEWEST_SAMPLES = 512, 1 << 16
_STEP = 2_654_435_761
"""A prime near 2^32 over the golden ratio: its multiples are spread evenly over the weights of any network."""

_DEVIATIONS = 6
"""Half the width of an interval, in standard deviations of the rank in a random sample."""

_MARGIN = 2.0**-20
"""Products in float32 of numbers of at least 2^-100, compared with a limit, err by less than this share."""


@dataclass(frozen=True)
class Guess:
    """The keys from ``low`` to ``high`` - 1."""

    low: int
    high: int


def guessed_interval(strengths: PathStrengths, n_wanted: int) -> Guess | None:
    """Return an interval that is likely to hold the key with so many keys, itself included, at or above it.

    None if the network has few weights, or if the interval would hold keys of weights on no path.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.network.graph import chain_graph
    >>> from topoimp.network.path_strengths import path_strengths
    >>> from topoimp.network.weighted_graph import WeightedGraph
    >>> network = WeightedGraph(chain_graph({"fc": (1024, 1024)}), {"fc": as_layer(np.full((1024, 1024), 0.5))})
    >>> guessed_interval(path_strengths(network), 1000) == Guess(low=-(1 << 38), high=1 - (1 << 38))
    True
    """
    n_weights = strengths.network.n_weights
    if n_weights < MANY:
        return None
    n_samples = min(n_weights, max(n_weights // _WEIGHTS_PER_SAMPLE, _FEWEST_SAMPLES))
    sample = np.sort(np.arange(n_samples) * _STEP % n_weights)
    keys = np.sort(strengths.keys_of_numbers(sample))[::-1]

    # The number of samples at or above the key is binomial, near enough.
    share = min(n_wanted / n_weights, 1.0)
    width = _DEVIATIONS * np.sqrt(n_samples * share * (1 - share)) + _DEVIATIONS
    first, last = int(n_samples * share - width), int(n_samples * share + width) + 1
    if last >= n_samples or keys[last] < LEAST:
        return None
    return Guess(int(keys[last]), int(keys[max(first, 0)] if first >= 0 else strengths.largest) + 1)


def write_levels_outside(
    strengths: PathStrengths,
    edges: Edges,
    layer: Layer,
    guess: Guess,
    level_above: int,
    undecided: int,
    levels: CodeArray,
    threads: int,
) -> None:
    """Write the levels of a layer: ``level_above`` above the interval, 0 below it.

    ``undecided`` marks the weights inside, and in float32 layers those that come close to its ends.
    """
    limits = _limits(strengths, edges, layer, guess)

    def write(start: int, stop: int) -> None:
        if limits is not None:
            factors, lows, highs = limits
            weights = layer.codes[start:stop].view(np.float32)
            write_sure_levels(
                weights, factors, lows[start:stop], highs[start:stop], level_above, undecided, levels[start:stop]
            )
            return
        ends = np.array([guess.low]), np.array([guess.high]), np.array([level_above], levels.dtype)
        for first, end in row_pieces(layer, start, stop):
            keys = strengths.keys(edges, first, end).reshape(-1)
            write_levels(keys, *ends, undecided, levels[first:end].reshape(-1))

    in_parallel(write, layer.n_rows, threads)


_Floats = NDArray[np.float32]


def _limits(
    strengths: PathStrengths, edges: Edges, layer: Layer, guess: Guess
) -> tuple[_Floats, _Floats, _Floats] | None:
    """Return the factors of columns, and by row the limits of products; None where float32 cannot tell."""
    before = edges.by_column(strengths.before)
    factors = approximate_strengths(layer, before)
    if factors is None:
        return None

    # The limits of a row without a path to an output are infinite, as no strength is so far away.
    after = edges.norm + strengths.after[edges.targets]
    low, high = ((end - int(before.max()) - after) / (1 << FRACTION_BITS) for end in (guess.low, guess.high))
    if low.min() < -99:
        return None
    lows, highs = (
        np.where(octaves < 200, np.exp2(np.minimum(octaves, 200)) * factor, np.inf)
        for octaves, factor in ((low, 1 - _MARGIN), (high, 1 + _MARGIN))
    )
    with np.errstate(over="ignore"):  # no product is above an infinite limit
        return factors, lows.astype(np.float32), highs.astype(np.float32)
