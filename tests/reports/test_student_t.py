from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from topoimp.reports.student_t import mean_interval, t_quantile

VALUES = st.lists(st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6), min_size=2, max_size=30)


@pytest.mark.parametrize("n_degrees", [*range(1, 60), 99, 100, 999, 1000, 5001])
def test_the_quantile_is_that_of_scipy(n_degrees):
    assert t_quantile(n_degrees) == pytest.approx(stats.t.ppf(0.975, n_degrees), rel=1e-11)


def test_the_quantiles_of_the_tables():
    quantiles = [round(t_quantile(n), 3) for n in (1, 2, 4, 9, 30)]

    assert quantiles == [12.706, 4.303, 2.776, 2.262, 2.042]


@given(VALUES)
def test_the_interval_is_that_of_scipy(values):
    low, high = mean_interval(values)

    scale = np.std(values, ddof=1) / np.sqrt(len(values))
    expected = stats.t.interval(0.95, len(values) - 1, loc=fmean(values), scale=scale) if scale else (low, high)
    assert (low, high) == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(map(abs, values), default=1))


def test_equal_values_have_an_interval_of_no_length():
    assert mean_interval([0.25] * 3) == (0.25, 0.25)


@pytest.mark.parametrize("values", [[], [0.5]])
def test_fewer_than_two_values_have_none(values):
    assert mean_interval(values) is None


def test_of_normal_samples_nineteen_in_twenty_intervals_hold_the_mean():
    samples = np.random.default_rng(0).normal(3.0, 2.0, size=(4000, 5))

    n_holding = sum(low <= 3.0 <= high for low, high in map(mean_interval, samples.tolist()))

    assert abs(n_holding / 4000 - 0.95) < 0.0138  # four deviations: another seed fails once in 16,000 times
