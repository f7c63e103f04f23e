import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import KINDS, SEEDS, make_weight

from topoimp.chance.excess import MANY_TIES, ByChance, Null, by_chance, parse_null, together_by_chance
from topoimp.chance.simulation import NullDistribution, forest_edges_by_chance, forest_edges_kept, shuffled_forest_edges
from topoimp.checkpoint.number_format import F8_E4M3, F32, F64
from topoimp.choices import Shuffle
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.layers.sampling import tied_share
from topoimp.topology.forest import spanning_forest

SIDES = st.integers(1, 20)


@given(SEEDS, SIDES, SIDES, st.sampled_from(KINDS), st.floats(0, 1))
def test_of_a_layer_pruned_by_magnitude_the_numbers_are_those_of_its_rank(seed, n_rows, n_columns, kind, share):
    layer = as_layer(make_weight(seed, n_rows, n_columns, kind))
    forest = spanning_forest(layer)
    n_kept = int(share * forest.n_edges)
    expected = forest_edges_by_chance(layer, n_kept, forest=forest)

    found = by_chance(forest, F64, n_kept=n_kept, observed=forest_edges_kept(layer, forest, n_kept))

    assert (found.observed, found.guaranteed, found.random) == (
        expected.observed,
        expected.guaranteed,
        expected.random,
    )
    assert found.guaranteed <= found.observed <= found.floor


@given(SEEDS, st.integers(9, 20), st.integers(9, 20), st.floats(0, 1))
def test_the_closed_form_is_that_of_the_layer(seed, n_rows, n_columns, share):
    layer = as_layer(make_weight(seed, n_rows, n_columns, "normal"))
    forest = spanning_forest(layer)
    n_kept = int(share * forest.n_edges)

    found = by_chance(forest, F64, n_kept=n_kept, observed=0)

    assert found.iid == forest_edges_by_chance(layer, n_kept, forest=forest).iid
    assert found.reason is None


@given(SEEDS, st.sampled_from(Shuffle), st.integers(2, 5))
def test_shuffles_are_those_of_the_layer(seed, shuffle, n_shuffles):
    layer = as_layer(make_weight(seed, 6, 7, "ties"))
    forest = spanning_forest(layer)
    n_kept = forest.n_edges // 2

    found = Null(n_shuffles, shuffle).simulated(layer, forest, n_kept, seed)

    assert found == shuffled_forest_edges(
        layer, n_kept, forest=forest, shuffle=shuffle, n_simulations=n_shuffles, seed=seed
    )


def test_shares_by_hand():
    null = NullDistribution(30, (4, 6))

    columns = ByChance(floor=10, observed=8, guaranteed=2, iid=6.0, random=3.0, null=null).columns()

    assert columns == {
        "retention_guaranteed": 0.2,
        "retention_iid": 0.6,
        "retention_random": 0.3,
        "retention_null": 0.5,
        "excess": pytest.approx(0.3),
        "z_score": pytest.approx(3 / math.sqrt(2)),
    }


def test_without_shuffles_the_excess_is_over_the_closed_form():
    columns = ByChance(floor=10, observed=8, guaranteed=2, iid=6.0, random=3.0).columns()

    assert columns["excess"] == pytest.approx(0.2)
    assert "z_score" not in columns
    assert "retention_null" not in columns


@pytest.mark.parametrize(("observed", "z_score"), [(5, 0.0), (4, None), (6, None)])
def test_shuffles_that_agree_have_no_infinite_z_score(observed, z_score):
    chance = ByChance(10, observed, 2, 6.0, 3.0, NullDistribution(30, (5, 5, 5)))

    assert chance.columns()["z_score"] == z_score
    assert list(chance.reasons().values()) == (
        [] if z_score == 0 else ["all shuffles have the same number, and the other has another"]
    )


@pytest.mark.parametrize(
    ("weight", "number_format", "reason"),
    [
        (np.ones((10, 10)), F8_E4M3, "too many strengths of 8 bits are equal; shuffles tell"),
        (np.ones((8, 10)), F32, "a side is too short for a closed form; shuffles tell"),
        (
            1 - np.eye(10),
            F32,
            "the reference has zeros in rows and columns that are not dead; shuffles tell",
        ),
    ],
)
def test_where_there_is_no_closed_form_the_reason_is_given(weight, number_format, reason):
    chance = by_chance(spanning_forest(as_layer(weight)), number_format, n_kept=9, observed=9)

    assert chance.columns()["retention_iid"] is None
    assert chance.columns()["excess"] is None
    assert chance.reasons() == {"retention_iid": reason, "excess": reason}


@pytest.mark.parametrize("share", [0.02, 0.04, 0.1])
def test_a_few_zeros_anywhere_do_not_matter(share):
    weight = np.random.default_rng(0).normal(size=(60, 70))
    weight[0, :4] = 0
    layer = as_layer(weight)
    forest = spanning_forest(layer)
    n_kept = int(share * forest.n_edges)

    chance = by_chance(forest, F64, n_kept=n_kept, observed=0)

    shuffled = shuffled_forest_edges(layer, n_kept, forest=forest, n_simulations=200)
    assert chance.reason is None
    assert chance.iid == pytest.approx(shuffled.mean, abs=0.01 * chance.floor)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(40, 40), (100, 300)])
def test_as_many_equal_strengths_as_are_allowed_do_not_matter(n_rows, n_columns, share):
    strengths = np.abs(make_weight(0, n_rows, n_columns, "normal"))
    layer = as_layer(np.ceil(32 * strengths / strengths.max()))
    forest = spanning_forest(layer)
    n_kept = int(share * forest.n_edges)
    ties = tied_share(layer, n_kept, forest.n_edges)

    chance = by_chance(forest, F32, n_kept=n_kept, observed=0, tied_share=ties)

    shuffled = shuffled_forest_edges(layer, n_kept, forest=forest, n_simulations=100)
    assert 0.2 < ties < MANY_TIES
    assert chance.iid == pytest.approx(shuffled.mean, abs=0.015 * chance.floor)


def test_more_equal_strengths_leave_no_closed_form():
    forest = spanning_forest(as_layer(np.ones((10, 10))))

    few, many = (by_chance(forest, F32, n_kept=9, observed=9, tied_share=share) for share in (MANY_TIES, 0.51))

    assert few.iid is not None
    assert many.iid is None
    assert many.reason == "too many strengths are equal; shuffles tell"


def test_more_than_a_few_zeros_leave_no_closed_form():
    weight = np.ones((60, 70))
    weight[0, :5] = 0

    assert by_chance(spanning_forest(as_layer(weight)), F64, n_kept=100, observed=0).iid is None


def test_the_closed_form_never_exceeds_the_forest():
    weight = np.ones((2500, 2500))
    weight[0, 1:] = 0
    weight[1:, 0] = 0

    chance = by_chance(spanning_forest(as_layer(weight)), F64, n_kept=2499**2 + 1, observed=4998)

    assert chance.columns()["retention_iid"] == 1


def test_dead_rows_and_columns_are_not_counted():
    weight = np.zeros((12, 15))
    weight[1:11, 2:14] = np.random.default_rng(0).normal(size=(10, 12))

    with_dead = by_chance(spanning_forest(as_layer(weight)), F64, n_kept=30, observed=20)

    assert with_dead == by_chance(spanning_forest(as_layer(weight[1:11, 2:14])), F64, n_kept=30, observed=20)


def test_a_layer_of_zeros_has_no_shares():
    chance = by_chance(spanning_forest(as_layer(np.zeros((10, 10)))), F64, n_kept=0, observed=0)

    assert set(chance.columns().values()) == {None}
    assert set(chance.reasons().values()) == {"the reference has no edges"}


def test_more_weights_than_the_reference_has_count_as_all_of_them():
    forest = spanning_forest(as_layer(np.array([[3.0, 0.0], [2.0, 0.5]])))

    assert by_chance(forest, F64, n_kept=4, observed=3) == by_chance(forest, F64, n_kept=3, observed=3)


def test_layers_are_added_up():
    one = ByChance(10, 8, 2, 6.0, 3.0, NullDistribution(30, (4, 6)))
    other = ByChance(20, 9, 3, 7.0, 5.0, NullDistribution(40, (10, 20)))

    assert together_by_chance([one, other]) == ByChance(30, 17, 5, 13.0, 8.0, NullDistribution(70, (14, 26)))


def test_a_layer_without_a_closed_form_leaves_the_network_without_one():
    one, other = ByChance(10, 8, 2, 6.0, 3.0), ByChance(20, 9, 3, None, 5.0, reason="short")

    assert together_by_chance([one, other]) == ByChance(30, 17, 5, None, 8.0, reason="short")


def test_a_layer_of_zeros_does_not():
    one, zeros = ByChance(10, 8, 2, 6.0, 3.0), ByChance(0, 0, 0, None, 0.0)

    assert together_by_chance([one, zeros]) == one


@pytest.mark.parametrize(
    ("text", "null"),
    [
        ("shuffle:20", Null(20, Shuffle.EDGES)),
        ("shuffle:2:rows", Null(2, Shuffle.ROWS)),
        ("shuffle:100:block", Null(100, Shuffle.BLOCK)),
    ],
)
def test_how_a_null_is_written(text, null):
    assert parse_null(text) == null
    assert parse_null(str(null)) == null


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shuffle", "the null is 'shuffle'; it must be shuffle:N or shuffle:N:WHAT, as in 'shuffle:20:rows'"),
        ("shuffle:-3", "the null is 'shuffle:-3'; it must be shuffle:N or shuffle:N:WHAT, as in 'shuffle:20:rows'"),
        ("shuffle:20:", "the null is 'shuffle:20:'; it must be shuffle:N or shuffle:N:WHAT, as in 'shuffle:20:rows'"),
        ("random:20", "the null is 'random:20'; it must be shuffle:N or shuffle:N:WHAT, as in 'shuffle:20:rows'"),
        ("shuffle:20:cards", "there is no shuffle 'cards'; known are edges, block, rows"),
        ("shuffle:1", "the null is 'shuffle:1'; it needs 2 shuffles or more"),
    ],
)
def test_what_is_no_null_is_refused(text, message):
    with pytest.raises(OptionError) as error:
        parse_null(text)

    assert str(error.value) == message
