"""Weight matrices and barcodes as hypothesis draws them.

Matrices come with ties, zeros, dead rows, single rows, constants, in every float type; persistences with ties, zeros,
many ones, and ratios of any size.
"""

import numpy as np
from hypothesis import strategies as st

from topoimp.choices import Method
from topoimp.pruning.methods.naming import built_in
from topoimp.pruning.methods.network_method import NetworkMethod

SIZES = st.integers(min_value=1, max_value=12)
SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
BARS = st.integers(min_value=0, max_value=40)
FILE_METHODS = [method for method in Method if not isinstance(built_in(method), NetworkMethod)]
"""Methods that need no graph of the network."""

FREE_METHODS = [method for method in FILE_METHODS if built_in(method).only_scope is None]
"""Those of them that have both scopes."""

KINDS = ("normal", "ties", "sparse", "constant", "blocks", "dead rows", "zero", "tiny")


def make_weight(seed, n_rows, n_columns, kind, dtype=np.float64):
    """One matrix of a kind, the same for the same arguments."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(n_rows, n_columns))
    if kind == "ties":
        weight = rng.integers(-3, 4, size=(n_rows, n_columns)) / 4
    elif kind == "sparse":
        weight *= rng.random((n_rows, n_columns)) < 2 / max(n_rows, n_columns)
    elif kind == "constant":
        weight = np.full((n_rows, n_columns), -0.25)
    elif kind == "blocks":
        weight *= (np.arange(n_rows) % 3)[:, None] == (np.arange(n_columns) % 3)
    elif kind == "dead rows":
        weight[rng.random(n_rows) < 0.4] = 0
        weight[:, rng.random(n_columns) < 0.4] = -0.0
    elif kind == "zero":
        weight *= 0
    elif kind == "tiny":
        weight *= float(np.finfo(dtype).smallest_subnormal) * 8
    return weight.astype(dtype)


@st.composite
def weights(draw, rows=SIZES, columns=SIZES, dtypes=(np.float64, np.float32, np.float16), kinds=KINDS):
    """A matrix of any kind."""
    arguments = draw(SEEDS), draw(rows), draw(columns), draw(st.sampled_from(kinds)), draw(st.sampled_from(dtypes))
    return make_weight(*arguments)


def make_persistences(seed, n, kind):
    """The persistences of one barcode, from 0 to 1, the same for the same arguments."""
    rng = np.random.default_rng(seed)
    if kind == "ties":
        return rng.integers(0, 9, n) / 8
    if kind == "powers":  # of three, at which matching two bars and not doing so cost the same
        return 3.0 ** -rng.integers(0, 6, n)
    if kind == "pruned":
        return np.where(rng.random(n) < 0.5, 1, rng.random(n))
    if kind == "wide":
        return np.exp(-8 * rng.random(n))
    if kind == "narrow":
        return 0.8 + 0.1 * rng.random(n)
    return rng.random(n)


@st.composite
def persistences(draw, sizes=BARS):
    """Those of a barcode of any kind."""
    kind = draw(st.sampled_from(["ties", "powers", "pruned", "wide", "narrow", "uniform"]))
    return make_persistences(draw(SEEDS), draw(sizes), kind)
