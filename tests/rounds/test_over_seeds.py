import numpy as np
import pytest
from scipy import stats

from topoimp.rounds.over_seeds import SeedRows, paired_of, round_means, summary_of


def row(seed, accuracy, **columns):
    which = {"method": "magnitude", "epsilon": None, "scope": "layer", "round": 1, "level": "network"}
    return {**which, "seed": seed, "test_accuracy": accuracy, "beta0_kept": seed == 0, "n_kept": 5, **columns}


def test_a_summary_is_worked_out_by_hand():
    summed = {each["quantity"]: each for each in summary_of([row(0, 0.5), row(1, 0.7), row(2, None)])}

    assert (summed["test_accuracy"]["n_seeds"], summed["n_kept"]["n_seeds"]) == (2, 3)
    assert summed["test_accuracy"]["mean"] == pytest.approx(0.6)
    assert summed["test_accuracy"]["standard_deviation"] == pytest.approx(0.02**0.5)
    assert summed["test_accuracy"]["mean_low"] == pytest.approx(0.6 - 12.7062047362 * 0.1)
    assert summed["test_accuracy"]["mean_high"] == pytest.approx(0.6 + 12.7062047362 * 0.1)
    assert (summed["test_accuracy"]["minimum"], summed["test_accuracy"]["maximum"]) == (0.5, 0.7)
    assert summed["beta0_kept"]["mean"] == pytest.approx(1 / 3)
    assert "test_loss" not in summed


def test_one_seed_has_no_deviation():
    (summed,) = [each for each in summary_of([row(0, 0.5)]) if each["quantity"] == "test_accuracy"]

    assert (summed["standard_deviation"], summed["mean_low"], summed["mean_high"]) == (None, None, None)


def test_rounds_methods_and_layers_are_summed_up_apart():
    rows = [row(0, 0.5), row(0, 0.5, round=2), row(0, 0.5, method="random"), row(0, None, level="layer", layer="a")]

    groups = {tuple(each[name] for name in ("method", "round", "layer")) for each in summary_of(rows)}

    assert groups == {("magnitude", 1, None), ("magnitude", 2, None), ("random", 1, None), ("magnitude", 1, "a")}


def test_what_people_see_is_the_mean_and_a_claim_holds_if_it_does_for_every_seed():
    (mean,) = round_means([row(0, 0.5, target=4), row(1, 0.7, target=4)])

    assert mean["test_accuracy"] == pytest.approx(0.6)
    assert mean["accuracy_deviation"] == pytest.approx(0.02**0.5)
    assert (mean["beta0_kept"], mean["target"], mean["n_kept"]) == (False, 4, 5)
    assert round_means([row(0, 0.5)]) == [row(0, 0.5)]


def test_rounds_that_were_written_before_a_column_existed_leave_it_blank():
    summed = {each["quantity"]: each for each in summary_of([row(0, 0.5), row(1, 0.7, excess=0.1)])}

    assert (summed["test_accuracy"]["n_seeds"], summed["excess"]["n_seeds"]) == (2, 1)
    assert (summed["excess"]["mean"], summed["excess"]["mean_low"]) == (0.1, None)


def test_a_seed_counts_once():
    (summed,) = [each for each in summary_of([row(0, 0.5), row(0, 0.7)]) if each["quantity"] == "test_accuracy"]

    assert summed["n_seeds"] == 1


def pruning(name, rows, **settings):
    return SeedRows(name, {"method": name, **settings}, rows)


def test_a_difference_is_worked_out_by_hand():
    baseline = pruning("magnitude", [row(0, 0.5), row(1, 0.7), row(2, 0.9)])
    other = pruning("topological", [row(1, 0.8), row(0, 0.5), row(3, 0.1)])

    by_quantity = {each["quantity"]: each for each in paired_of([baseline, other])}

    found = by_quantity["test_accuracy"]
    assert (found["pruning"], found["baseline"], found["n_seeds"]) == ("topological", "magnitude", 2)
    assert (found["minimum"], found["maximum"]) == (0.0, pytest.approx(0.1))
    assert (found["mean"], found["standard_deviation"]) == (pytest.approx(0.05), pytest.approx(0.005**0.5))
    assert found["mean_low"] == pytest.approx(0.05 - 12.7062047362 * 0.05)
    assert (by_quantity["n_kept"]["mean"], by_quantity["beta0_kept"]["mean"]) == (0, 0)


def test_the_interval_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.9, 0.02, 10), rng.normal(0.88, 0.02, 10)

    rows = paired_of(
        [
            pruning("magnitude", [row(seed, float(value)) for seed, value in enumerate(theirs)]),
            pruning("random", [row(seed, float(value)) for seed, value in enumerate(ours)]),
        ]
    )

    (found,) = [each for each in rows if each["quantity"] == "test_accuracy"]
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found["mean_low"], found["mean_high"]) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found["n_seeds"] == 10


def test_seeds_without_the_quantity_in_both_do_not_count():
    baseline = pruning("magnitude", [row(0, 0.5, excess=0.1), row(1, 0.7), row(2, None, excess=0.2)])
    other = pruning("random", [row(0, 0.6, excess=0.4), row(1, 0.9, excess=0.3), row(2, 0.1)])

    found = {each["quantity"]: each for each in paired_of([baseline, other])}

    assert (found["test_accuracy"]["n_seeds"], found["excess"]["n_seeds"], found["n_kept"]["n_seeds"]) == (2, 1, 3)
    assert found["excess"]["mean"] == pytest.approx(0.3)
    assert (found["excess"]["standard_deviation"], found["excess"]["mean_high"]) == (None, None)


def test_rounds_and_layers_are_paired_with_their_own():
    baseline = [row(0, 0.5), row(0, 0.4, round=2), row(0, 0.3, level="layer", layer="a"), row(0, 0.9, round=0)]
    other = [row(0, 0.7), row(0, 0.9, round=3), row(0, 0.4, level="layer", layer="a"), row(0, 0.9, round=0)]

    rows = paired_of([pruning("magnitude", baseline), pruning("random", other)])

    found = {(each["round"], each.get("layer")): each["mean"] for each in rows if each["quantity"] == "test_accuracy"}
    assert found == {(1, None): pytest.approx(0.2), (1, "a"): pytest.approx(0.1)}


@pytest.mark.parametrize(
    ("settings", "others", "is_paired"),
    [
        ({"rate": 0.2}, {"rate": 0.2}, True),
        (
            {"rewind": "none", "scope": "layer", "epsilon": 0.0},
            {"rewind": "step:0", "scope": "global", "epsilon": 0.1},
            True,
        ),
        ({"trainer": "built-in"}, {"trainer": "sh"}, True),
        ({}, {"paths_below": "auto", "inputs": "data"}, True),
        ({}, {"method_sha256": "0"}, True),
        ({"rate": 0.2}, {"rate": 0.3}, False),
        ({"rate": 0.2}, {"rate": 0.2, "layer_rates": ["a=0.1"]}, False),
        ({"include": []}, {"include": ["a"]}, False),
        ({}, {"schedule": "linear"}, False),
    ],
)
def test_only_prunings_with_the_same_targets_are_paired(settings, others, is_paired):
    rows = paired_of([pruning("magnitude", [row(0, 0.5)], **settings), pruning("random", [row(0, 0.6)], **others)])

    assert bool(rows) is is_paired


def test_every_two_prunings_are_paired_the_earlier_one_as_the_baseline():
    rows = paired_of([pruning(name, [row(0, 0.5)]) for name in ("magnitude", "random", "topological")])

    pairs = [(each["pruning"], each["baseline"]) for each in rows if each["quantity"] == "test_accuracy"]
    assert pairs == [("random", "magnitude"), ("topological", "magnitude"), ("topological", "random")]


def test_a_single_pruning_has_no_pair():
    assert paired_of([]) == paired_of([pruning("random", [row(0, 0.5), row(1, 0.6)])]) == []
