import math

import pytest

from topoimp.chance.forest_by_chance import ForestByChance
from topoimp.chance.simulation import NullDistribution
from topoimp.comparison.retention_columns import retention_columns, retention_reasons


def test_shares_by_hand():
    null = NullDistribution(30, (4, 6))

    columns = retention_columns(ForestByChance(30, 10, 8, 2, 6.0, 3.0, 1.0, null))

    assert columns == {
        "retention_guaranteed": 0.2,
        "retention_iid": 0.6,
        "retention_random": 0.3,
        "overlap_bound": 0.1,
        "retention_null": 0.5,
        "excess": pytest.approx(0.3),
        "z_score": pytest.approx(3 / math.sqrt(2)),
    }


def test_without_shuffles_the_excess_is_over_independent_strengths():
    columns = retention_columns(ForestByChance(30, 10, 8, 2, 6.0, 3.0, 1.0))

    assert columns["excess"] == pytest.approx(0.2)
    assert "z_score" not in columns
    assert "retention_null" not in columns


@pytest.mark.parametrize(("observed", "z_score"), [(5, 0.0), (4, None), (6, None)])
def test_shuffles_that_agree_have_no_infinite_z_score(observed, z_score):
    chance = ForestByChance(30, 10, observed, 2, 6.0, 3.0, 1.0, NullDistribution(30, (5, 5, 5)))

    assert retention_columns(chance)["z_score"] == z_score
    assert list(retention_reasons(chance).values()) == (
        [] if z_score == 0 else ["all shuffles have the same number, and the other has another"]
    )


def test_an_unknown_number_has_its_reason():
    chance = ForestByChance(30, 10, 8, 2, None, 3.0, 1.0, reason="too large")

    assert retention_columns(chance)["retention_iid"] is None
    assert retention_reasons(chance) == {"retention_iid": "too large", "excess": "too large"}


def test_a_layer_of_zeros_has_no_shares():
    chance = ForestByChance(0, 0, 0, 0, 0.0, 0.0, 0.0)

    assert set(retention_columns(chance).values()) == {None}
    assert set(retention_reasons(chance).values()) == {"the reference has no edges"}
