import json

import pytest

from topoimp.errors import CheckpointError
from topoimp.rounds.table import on_average, rounds_of, summary_of


def row(seed, accuracy, **columns):
    which = {"method": "magnitude", "epsilon": None, "scope": "layer", "round": 1, "level": "network"}
    return {**which, "seed": seed, "test_accuracy": accuracy, "beta0_kept": seed == 0, "n_kept": 5, **columns}


def test_a_summary_is_worked_out_by_hand():
    summed = {each["quantity"]: each for each in summary_of([row(0, 0.5), row(1, 0.7), row(2, None)])}

    assert (summed["test_accuracy"]["n_seeds"], summed["n_kept"]["n_seeds"]) == (2, 3)
    assert summed["test_accuracy"]["mean"] == pytest.approx(0.6)
    assert summed["test_accuracy"]["standard_deviation"] == pytest.approx(0.02**0.5)
    assert (summed["test_accuracy"]["minimum"], summed["test_accuracy"]["maximum"]) == (0.5, 0.7)
    assert summed["beta0_kept"]["mean"] == pytest.approx(1 / 3)
    assert "test_loss" not in summed


def test_one_seed_has_no_deviation():
    (summed,) = [each for each in summary_of([row(0, 0.5)]) if each["quantity"] == "test_accuracy"]

    assert summed["standard_deviation"] is None


def test_rounds_methods_and_layers_are_summed_up_apart():
    rows = [row(0, 0.5), row(0, 0.5, round=2), row(0, 0.5, method="random"), row(0, None, level="layer", layer="a")]

    groups = {tuple(each[name] for name in ("method", "round", "layer")) for each in summary_of(rows)}

    assert groups == {("magnitude", 1, None), ("magnitude", 2, None), ("random", 1, None), ("magnitude", 1, "a")}


def test_what_people_see_is_the_mean_and_a_claim_holds_if_it_does_for_every_seed():
    (mean,) = on_average([row(0, 0.5, target=4), row(1, 0.7, target=4)])

    assert mean["test_accuracy"] == pytest.approx(0.6)
    assert mean["accuracy_deviation"] == pytest.approx(0.02**0.5)
    assert (mean["beta0_kept"], mean["target"], mean["n_kept"]) == (False, 4, 5)
    assert on_average([row(0, 0.5)]) == [row(0, 0.5)]


@pytest.mark.parametrize("text", ["{", "[]", '{"layers": [], "network": 3}', '{"layers": []}'])
def test_metrics_that_are_none_are_said(tmp_path, text):
    folder = tmp_path / "seed-0/magnitude/round-00"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(text)

    with pytest.raises(CheckpointError, match=r"metrics.json: does not hold the metrics of a round"):
        rounds_of(tmp_path)


def test_rounds_come_in_their_natural_order(tmp_path):
    for seed, number in ((10, 0), (2, 0), (2, 1)):
        folder = tmp_path / f"seed-{seed}/magnitude/round-{number:02}"
        folder.mkdir(parents=True)
        content = {"layers": [], "network": {"level": "network", "seed": seed, "round": number}}
        (folder / "metrics.json").write_text(json.dumps(content))

    assert [(each["seed"], each["round"]) for each in rounds_of(tmp_path)] == [(2, 0), (2, 1), (10, 0)]
