"""The strongest steps of float32 layers, found by products first, against all logarithms."""

import numpy as np
import pytest

from topoimp.kernels.path_strengths import ABSENT, FRACTION_BITS, LEAST
from topoimp.layers.layer import as_layer
from topoimp.network.logarithms import layer_logarithms
from topoimp.network.strongest_steps import FEW, strongest_into_rows, strongest_out_of_columns

OCTAVE = 1 << FRACTION_BITS


def layer_of(rng, kind):
    weight = rng.normal(size=(90, 130))
    if kind == "ties":
        weight = rng.integers(-2, 3, size=weight.shape) / 2
    elif kind == "sparse":
        weight *= rng.random(weight.shape) < 0.1
    elif kind == "dead":
        weight[3], weight[:, 7] = 0, 0
    elif kind == "close":  # neighbouring float32 numbers
        weight = 1 + rng.integers(0, 4, size=weight.shape) * 2.0**-23
    elif kind == "tiny":
        weight *= 2.0**-140
    elif kind == "huge":
        weight *= 2.0**120
    assert weight.size >= FEW
    return as_layer(weight.astype(np.float32))


def strengths_of(rng, n, kind):
    logs = rng.integers(-5 * OCTAVE, 5 * OCTAVE, n) + 3000 * OCTAVE
    if kind == "equal":
        logs[:] = -2000 * OCTAVE
    elif kind == "wide":
        logs = rng.integers(-300 * OCTAVE, 0, n)
    elif kind == "absent":
        logs[rng.random(n) < 0.5] = ABSENT
    elif kind == "close":
        logs = rng.integers(-3, 4, n)
    return logs


@pytest.mark.parametrize("weights", ["normal", "ties", "sparse", "dead", "close", "tiny", "huge"])
@pytest.mark.parametrize("strengths", ["usual", "equal", "wide", "absent", "close"])
@pytest.mark.parametrize("threads", [1, 3])
def test_steps_are_those_of_all_logarithms(weights, strengths, threads):
    rng = np.random.default_rng([*weights.encode(), *strengths.encode()])
    layer = layer_of(rng, weights)
    logs = layer_logarithms(layer, 0, layer.n_rows)
    by_column, by_row = strengths_of(rng, 130, strengths), strengths_of(rng, 90, strengths)
    into, out = logs + by_column, logs + by_row[:, None]

    best, column = strongest_into_rows(layer, by_column, threads)
    has_path = into.max(axis=1) >= LEAST
    assert (np.where(has_path, best, 0) == np.where(has_path, into.max(axis=1), 0)).all()
    assert (column[has_path] == into.argmax(axis=1)[has_path]).all()
    assert (best[~has_path] < LEAST).all()

    best, row = strongest_out_of_columns(layer, by_row, threads)
    has_path = out.max(axis=0) >= LEAST
    assert (np.where(has_path, best, 0) == np.where(has_path, out.max(axis=0), 0)).all()
    assert (row[has_path] == out.argmax(axis=0)[has_path]).all()
    assert (best[~has_path] < LEAST).all()
