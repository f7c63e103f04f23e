import math

import pytest
import scipy.stats

from topoimp.chance.forest_by_chance import ForestByChance
from topoimp.chance.null import Null
from topoimp.chance.null_distribution import NullDistribution, hypergeometric
from topoimp.choices import NullModel
from topoimp.comparison.retention_columns import retention_columns, retention_reasons, with_holm

NULL = Null(2)
RANDOM = Null(0, NullModel.RANDOM)
SAME = "the null always keeps the same number, and the other keeps another"
OTHERS = "the other does not keep the strongest weights of the reference"


def by_chance(counts, observed=8, **facts):
    return ForestByChance(30, 10, observed, 2, 6.0, 3.0, 1.0, {NULL: NullDistribution(30, counts)}, **facts)


def test_shares_by_hand():
    columns = retention_columns(by_chance((4, 6)), NULL)

    assert columns == {
        "retention_guaranteed": 0.2,
        "retention_iid": 0.6,
        "retention_random": 0.3,
        "overlap_bound": 0.1,
        "null": "shuffle:2:edges",
        "retention_null": 0.5,
        "excess": pytest.approx(0.3),
        "excess_low": None,
        "excess_high": None,
        "z_score": pytest.approx(3 / math.sqrt(2)),
        "p_value": pytest.approx(2 / 3),
        "p_holm": pytest.approx(2 / 3),
        "uninformative": False,
    }
    few = "fewer than 39 simulations"
    assert retention_reasons(by_chance((4, 6)), NULL) == {"excess_low": few, "excess_high": few}


def test_the_interval_of_the_excess_is_that_of_the_central_95_percent():
    columns = retention_columns(by_chance(tuple(range(39))), NULL)

    assert (columns["excess_low"], columns["excess_high"]) == (-3.0, 0.8)
    assert columns["p_value"] == 2 * 10 / 40


def test_of_other_weights_than_the_strongest_only_the_excess_is_given():
    chance = by_chance(tuple(range(39)), is_strongest=False)

    columns = retention_columns(chance, NULL)

    assert (columns["z_score"], columns["p_value"], columns["p_holm"]) == (None, None, None)
    assert columns["excess"] == pytest.approx(-1.1)
    assert retention_reasons(chance, NULL) == dict.fromkeys(["z_score", "p_value", "p_holm"], OTHERS)


def test_any_mask_can_be_a_random_one():
    chance = ForestByChance(30, 10, 8, 2, 6.0, 3.0, 1.0, {RANDOM: hypergeometric(60, 10, 30)}, is_strongest=False)

    columns = retention_columns(chance, RANDOM)

    assert columns["null"] == "random"
    assert (columns["retention_null"], columns["excess"]) == (0.5, pytest.approx(0.3))
    assert columns["z_score"] == pytest.approx(3 / math.sqrt(30 / 6 * 5 / 6 * 30 / 59))
    assert columns["p_value"] == pytest.approx(2 * scipy.stats.hypergeom(60, 10, 30).sf(7))
    assert retention_reasons(chance, RANDOM) == {}


@pytest.mark.parametrize(("counts", "is_flat"), [((10, 9), False), ((10,) * 99 + (9,), True), ((4, 4), True)])
def test_a_null_near_the_ceiling_or_without_deviation_says_little(counts, is_flat):
    assert retention_columns(by_chance(counts), NULL)["uninformative"] is is_flat


def test_without_shuffles_the_excess_is_over_independent_strengths():
    columns = retention_columns(ForestByChance(30, 10, 8, 2, 6.0, 3.0, 1.0))

    assert columns["excess"] == pytest.approx(0.2)
    assert "z_score" not in columns
    assert "retention_null" not in columns


@pytest.mark.parametrize(("observed", "z_score"), [(5, 0.0), (4, None), (6, None)])
def test_shuffles_that_agree_have_no_infinite_z_score(observed, z_score):
    chance = by_chance((5,) * 39, observed)

    assert retention_columns(chance, NULL)["z_score"] == z_score
    assert retention_reasons(chance, NULL) == ({} if z_score == 0 else {"z_score": SAME})


def test_an_unknown_number_has_its_reason():
    chance = ForestByChance(30, 10, 8, 2, None, 3.0, 1.0, reason="too large")

    assert retention_columns(chance)["retention_iid"] is None
    assert retention_reasons(chance) == {"retention_iid": "too large", "excess": "too large"}


def test_a_layer_of_zeros_has_no_shares():
    chance = ForestByChance(0, 0, 0, 0, 0.0, 0.0, 0.0, {NULL: NullDistribution(0, (0, 0))})

    assert set(retention_columns(chance).values()) == {None}
    assert set(retention_columns(chance, NULL).values()) == {None, "shuffle:2:edges"}
    assert set(retention_reasons(chance, NULL).values()) == {"the reference has no edges"}


def row(level, null, p_value):
    return {"level": level, "null": null, "p_value": p_value, "p_holm": p_value}


def test_p_values_are_corrected_among_the_layers_of_one_null_and_among_its_networks():
    rows = [row("layer", "a", 0.01), row("layer", "a", 0.04), row("network", "a", 0.02), row("layer", "b", 0.03)]
    rows += [row("layer", "a", None), row("network", "a", 0.05), row("layer", "b", 0.5), {"level": "layer"}]

    corrected = with_holm(rows)

    assert [each.get("p_holm") for each in corrected] == [0.02, 0.04, 0.04, 0.06, None, 0.05, 0.5, None]
    assert rows[0]["p_holm"] == 0.01  # the rows given are not changed


def test_of_rounds_a_family_are_the_layers_and_rounds_of_one_pruning_of_one_seed():
    def of_round(pruning, number, p_value):
        return {**row("layer", "a", p_value), "other": f"run/{pruning}/round-0{number}", "round": number}

    rows = [
        of_round("seed-0/magnitude", 1, 0.01),
        of_round("seed-0/magnitude", 2, 0.04),
        of_round("seed-1/magnitude", 1, 0.03),
        of_round("seed-0/topological", 1, 0.02),
        of_round("seed-0/topological", 2, None),
    ]

    assert [each["p_holm"] for each in with_holm(rows)] == [0.02, 0.04, 0.03, 0.02, None]
