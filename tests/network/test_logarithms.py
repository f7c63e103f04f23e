"""Logarithms as integers, against exact ones."""

from fractions import Fraction
from math import log2

import numpy as np
import pytest

from topoimp.kernels.path_strengths import ABSENT, FRACTION_BITS
from topoimp.layers.layer import as_layer
from topoimp.network.logarithms import layer_logarithms, logarithms


def exact_steps(value):
    """log2 in steps, from the exponent and the mantissa apart, as a float would lose digits of the sum."""
    mantissa, exponent = np.frexp(value)
    return Fraction(int(exponent)) * 2**FRACTION_BITS + Fraction(log2(mantissa)) * 2**FRACTION_BITS


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_logarithms_are_those_of_exact_arithmetic(dtype):
    """Within half a step and the error of log2 itself, on normal and subnormal numbers of any sign."""
    rng = np.random.default_rng(3)
    information = np.finfo(dtype)
    exponents = rng.integers(information.minexp - information.nmant, information.maxexp - 1, size=(40, 50))
    values = np.ldexp(rng.uniform(1, 2, size=(40, 50)), exponents).astype(dtype)
    values *= rng.choice([-1, 1], size=values.shape).astype(dtype)
    values[0, :3] = [information.smallest_subnormal, information.max, information.tiny]

    logs = layer_logarithms(as_layer(values), 0, 40)

    assert logs.shape == values.shape
    assert (logs[values == 0] == ABSENT).all()
    errors = [abs(log - exact_steps(abs(float(v)))) for log, v in zip(logs.flat, values.flat, strict=True) if v]
    assert max(errors) <= Fraction(51, 100)


def test_powers_of_two_add_up_exactly():
    exponents = np.arange(-1074, 1024)
    values = np.ldexp(1.0, exponents)

    assert (logarithms(values) == exponents * 2**FRACTION_BITS).all()
    assert (logarithms(3 * values[60:-4]) - logarithms(np.full(len(values[60:-4]), 3.0))).tolist() == (
        exponents[60:-4] * 2**FRACTION_BITS
    ).tolist()


def test_neighbouring_float32_weights_differ():
    values = np.nextafter(np.float32(2.0), np.float32(0.0)) - np.arange(2000, dtype=np.float32) * np.float32(2**-23)

    assert (np.diff(logarithms(values)) < 0).all()


def test_zeros_have_no_logarithm():
    assert logarithms(np.array([0.0, -0.0, 1.0])).tolist() == [ABSENT, ABSENT, 0]
