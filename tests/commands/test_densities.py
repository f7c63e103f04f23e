from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.commands.densities import Density, parse_densities
from topoimp.errors import OptionError


@pytest.mark.parametrize(
    ("given", "density"),
    [
        (0.1, Density("0.1", Fraction(1, 10))),
        (1, Density("1.0", Fraction(1))),
        (" 5e-3", Density("0.005", Fraction(1, 200))),
        ("critical", Density("critical", Fraction(1), is_critical=True)),
        ("0.5*critical", Density("0.5*critical", Fraction(1, 2), is_critical=True)),
        ("4*critical ", Density("4*critical", Fraction(4), is_critical=True)),
    ],
)
def test_densities_are_exact(given, density):
    assert parse_densities([given]) == [density]


@given(st.integers(1, 9999), st.integers(0, 1000))
def test_a_decimal_share_is_rounded_once(n_weights, thousandths):
    (density,) = parse_densities([thousandths / 1000])

    assert density.n_kept(n_weights, n_weights, 1) == (2 * n_weights * thousandths + 1000) // 2000


@pytest.mark.parametrize("given", [-0.1, 1.1, float("nan"), float("inf"), "x", "", "crit", "-1*critical", "2critical"])
def test_other_densities_are_refused(given):
    message = rf"a density is {given or 'empty'}; it must be at least 0 and at most 1, critical, or a multiple of it as"

    with pytest.raises(OptionError, match=message.replace("*", r"\*")):
        parse_densities([0.5, given])
