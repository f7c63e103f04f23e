from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_rounds_above

from topoimp.choices import PruningSchedule
from topoimp.errors import OptionError
from topoimp.pruning.schedule import (
    count_after,
    exact_rate,
    plan_schedule,
    round_geometric,
    round_half_up,
    rounds_above,
)

LINEAR = PruningSchedule.LINEAR


def targets_of(n_edges, *, n_weights=None, n_rounds=None, sparsity=None, rate=None, form=PruningSchedule.GEOMETRIC):
    schedule = plan_schedule(rounds=n_rounds, sparsity=sparsity, rate=rate, form=form)
    return schedule.targets(n_weights=n_weights or n_edges, n_edges=n_edges)


SHARES = st.integers(1, 999).map(lambda thousandths: thousandths / 1000)


@given(st.integers(0, 10**9), st.integers(1, 12), SHARES)
def test_targets_at_a_rate_are_computed_from_the_edges_at_round_0(n_edges, n_rounds, rate):
    thousandths = 1000 - round(rate * 1000)

    targets = targets_of(n_edges, n_weights=n_edges + 1, n_rounds=n_rounds, rate=rate)

    assert targets == [(2 * n_edges * thousandths**k + 1000**k) // (2 * 1000**k) for k in range(1, n_rounds + 1)]


@given(st.integers(0, 10**6), st.integers(1, 12), SHARES, st.one_of(st.none(), st.sampled_from([0.02, 0.2, 0.9])))
def test_targets_never_rise_and_a_sparsity_is_landed_on(n_edges, n_rounds, sparsity, rate):
    n_weights = n_edges + 17
    last = (2 * n_weights * (1000 - round(sparsity * 1000)) + 1000) // 2000

    targets = targets_of(
        n_edges, n_weights=n_weights, n_rounds=None if rate else n_rounds, sparsity=sparsity, rate=rate
    )

    assert targets[-1] == min(n_edges, last)
    assert [n_edges, *targets] == sorted([n_edges, *targets], reverse=True)


@given(st.integers(0, 10**9), st.integers(1, 30), st.integers(1, 999))
def test_linear_rounds_remove_the_same_share_of_the_edges_at_round_0(n_edges, n_rounds, thousandths):
    thousandths = min(thousandths, 999 // n_rounds)

    targets = targets_of(n_edges, n_weights=n_edges + 1, n_rounds=n_rounds, rate=thousandths / 1000, form=LINEAR)

    assert targets == [(2 * n_edges * (1000 - k * thousandths) + 1000) // 2000 for k in range(1, n_rounds + 1)]


@given(st.integers(0, 10**6), st.integers(1, 30), SHARES, st.sampled_from([0, 17, 10**6]))
def test_linear_rounds_to_a_sparsity_remove_the_same_number_and_land_on_it(n_edges, n_rounds, sparsity, n_zeros):
    n_weights = n_edges + n_zeros
    last = (2 * n_weights * (1000 - round(sparsity * 1000)) + 1000) // 2000

    targets = targets_of(n_edges, n_weights=n_weights, n_rounds=n_rounds, sparsity=sparsity, form=LINEAR)

    n_removed = [before - after for before, after in pairwise([n_edges, *targets])]
    assert targets[-1] == min(n_edges, last)
    assert min(n_removed) >= 0
    assert max(n_removed) - min(n_removed) <= 1


@given(st.integers(1, 10**6), st.integers(1, 999), st.integers(1, 999))
def test_linear_rounds_at_a_rate_reach_a_sparsity_in_as_many_rounds_as_needed(n_edges, removed, thousandths):
    removed = max(removed, -(-thousandths // 1000))

    targets = targets_of(n_edges, sparsity=removed / 1000, rate=thousandths / 1000, form=LINEAR)

    last = (2 * n_edges * (1000 - removed) + 1000) // 2000
    assert len(targets) == -(-removed // thousandths)
    assert targets[-1] == last
    assert targets[:-1] == [
        max((2 * n_edges * (1000 - k * thousandths) + 1000) // 2000, last) for k in range(1, len(targets))
    ]


def test_each_of_ten_linear_rounds_to_90_percent_removes_a_tenth_of_that():
    targets = targets_of(78_400, n_rounds=10, sparsity=0.9, form=LINEAR)

    assert targets == [71_344, 64_288, 57_232, 50_176, 43_120, 36_064, 29_008, 21_952, 14_896, 7_840]
    assert plan_schedule(rounds=10, sparsity=0.9, form=LINEAR).effective_rate() == pytest.approx(0.09)


def test_linear_rounds_of_a_layer_with_zeros_start_from_its_edges():
    assert targets_of(400, n_weights=1000, n_rounds=3, sparsity=0.9, form=LINEAR) == [300, 200, 100]
    assert targets_of(50, n_weights=1000, n_rounds=3, sparsity=0.9, form=LINEAR) == [50, 50, 50]


def test_linear_rounds_are_rounded_once_halves_up():
    assert targets_of(5, n_rounds=2, rate=0.1, form=LINEAR) == [5, 4]  # 4.5 and 4
    assert targets_of(10, n_rounds=3, sparsity=0.5, form=LINEAR) == [8, 7, 5]  # 8.33, 6.67 and 5


def test_ten_rounds_at_the_default_rate():
    assert targets_of(1000, n_rounds=10) == [800, 640, 512, 410, 328, 262, 210, 168, 134, 107]


def test_rounds_and_sparsity_give_the_rate():
    schedule = plan_schedule(rounds=2, sparsity=0.75, rate=None)

    assert schedule.effective_rate() == pytest.approx(0.5)
    assert schedule.targets(n_weights=1000, n_edges=1000) == [500, 250]


def test_a_layer_too_small_for_the_sparsity_is_emptied_step_by_step_too():
    assert targets_of(400, n_rounds=5, sparsity=0.999) == [100, 25, 6, 2, 0]


@given(st.integers(1, 10**7), st.integers(0, 10**7), st.integers(1, 9), st.data())
def test_geometric_steps_are_rounded_from_exact_values(first, last, n, data):
    k = data.draw(st.integers(0, n))

    rounded = round_geometric(first, Fraction(last, 3), k, n)

    exact_power = Fraction(first) ** (n - k) * Fraction(last, 3) ** k
    assert (Fraction(2 * rounded - 1, 2)) ** n <= exact_power or rounded == 0
    assert exact_power < Fraction(2 * rounded + 1, 2) ** n


def test_rate_and_sparsity_give_the_rounds_and_the_last_lands_on_the_sparsity():
    assert targets_of(1000, sparsity=0.7, rate=0.5) == [500, 300]


def test_sparsity_alone_goes_at_the_default_rate():
    assert plan_schedule(rounds=None, sparsity=0.9, rate=None).n_rounds == 11


def test_all_three_may_agree():
    assert plan_schedule(rounds=2, sparsity=0.75, rate=0.5).n_rounds == 2


def test_a_layer_that_is_sparser_already_is_left_as_it_is():
    assert targets_of(100, n_weights=1000, n_rounds=3, sparsity=0.5) == [100, 100, 100]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither rounds nor a sparsity is given; `rounds`, `sparsity` or both are needed"),
        ({"rate": 0.5}, "neither rounds nor a sparsity is given"),
        ({"rounds": 0}, "the number of rounds is 0; it must be at least 1 and at most 1000"),
        ({"rounds": 1001}, "the number of rounds is 1001; it must be at least 1 and at most 1000"),
        (
            {"sparsity": 0.9, "rate": 1e-4},
            "reaching that sparsity takes more than 1000 rounds; a larger rate is needed",
        ),
        ({"sparsity": 0.0}, "the sparsity is 0.0; it must be above 0 and below 1"),
        ({"sparsity": 1.0}, "the sparsity is 1.0; it must be above 0 and below 1"),
        ({"rounds": 1, "rate": 1.0}, "the rate is 1.0; it must be at least 0 and below 1"),
        ({"rounds": 1, "rate": -0.1}, "the rate is -0.1; it must be at least 0 and below 1"),
        ({"sparsity": 0.5, "rate": 0.0}, "reaching that sparsity takes more than 1000 rounds; a larger rate is needed"),
        (
            {"rounds": 5, "sparsity": 0.75, "rate": 0.5},
            "a sparsity of 0.75 at a rate of 0.5 takes 2 rounds, not 5; leave one out",
        ),
    ],
)
def test_what_does_not_make_a_schedule_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        plan_schedule(**{"rounds": None, "sparsity": None, "rate": None, **options})


@pytest.mark.parametrize(("rounds", "rate", "named"), [(5, None, 0.2), (4, 0.25, 0.25), (1000, 0.001, 0.001)])
def test_linear_rounds_that_leave_no_weight_are_refused(rounds, rate, named):
    message = f"{rounds} linear rounds at a rate of {named} remove all weights; fewer rounds, a smaller rate, or a"

    with pytest.raises(OptionError, match=message):
        plan_schedule(rounds=rounds, rate=rate, form=LINEAR)
    assert plan_schedule(rounds=rounds - 1, rate=rate, form=LINEAR).targets(n_weights=2000, n_edges=2000)[-1] > 0


def test_linear_rounds_at_a_tiny_rate_are_too_many():
    with pytest.raises(OptionError, match="reaching that sparsity takes more than 1000 rounds"):
        plan_schedule(sparsity=0.9, rate=1e-4, form=LINEAR)


def test_rounds_of_the_output_layer_of_lenet_300_100_reach_its_floor_at_round_10():
    assert rounds_above(1000, 109, 0.2) == 9


@given(st.integers(1, 10_000), st.data(), st.sampled_from(["0.2", "0.5", "0.1", "0.9", "0.999", "0.03"]))
def test_rounds_are_those_counted_one_by_one(n_edges, data, rate):
    n_needed = data.draw(st.integers(1, n_edges))

    assert rounds_above(n_edges, n_needed, float(rate)) == slow_rounds_above(n_edges, n_needed, rate)


@given(st.integers(0, 10**12), st.fractions(0, 1).filter(lambda kept: 0 < kept < 1), st.integers(0, 40))
def test_counts_after_rounds_are_rounded_from_exact_values(n_edges, kept, rounds):
    assert count_after(n_edges, kept, rounds) == round_half_up(n_edges * kept**rounds)


def test_an_exact_half_is_rounded_up():
    assert count_after(1000, Fraction(1, 2), 4) == 63
    assert count_after(5, Fraction(1, 2), 1) == 3


def test_tiny_rates_take_many_rounds_and_little_time():
    assert rounds_above(266_200, 1_591, 1e-6) == 5_120_196


def test_no_rate_is_too_small_to_count_its_rounds():
    n_rounds = rounds_above(266_200, 1_591, 1e-16)

    assert n_rounds == 51201994737539492
    with localcontext(prec=100):
        exact = [266_200 * (1 - Decimal("1e-16")) ** k for k in (n_rounds, n_rounds + 1)]
    assert exact[0] > Decimal("1590.5") > exact[1]


def test_after_so_many_rounds_that_nothing_is_left_that_is_known_at_once():
    assert count_after(10**9, Fraction(1, 2), 10**8) == 0


def test_rounds_without_a_floor_have_no_end():
    assert rounds_above(0, 0, 0.2) is None


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(rate):
    with pytest.raises(OptionError, match=f"the rate is {rate}; it must be above 0 and below 1"):
        exact_rate(rate)


def test_a_rate_is_the_decimal_it_is_written_as():
    assert exact_rate(0.2) == Fraction(1, 5)


@pytest.mark.parametrize(("value", "rounded"), [("1/2", 1), ("3/2", 2), ("5/2", 3), ("49/100", 0), ("0", 0)])
def test_halves_are_rounded_up(value, rounded):
    assert round_half_up(Fraction(value)) == rounded


@pytest.mark.parametrize("form", list(PruningSchedule))
def test_a_rate_of_0_removes_nothing(form):
    assert targets_of(1000, n_rounds=3, rate=0.0, form=form) == [1000, 1000, 1000]
