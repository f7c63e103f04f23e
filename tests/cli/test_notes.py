"""The notes on stderr are those of the report, once each, so that a program finds them in JSON."""

import json

import numpy as np
import pytest

SAME = ("--trainer", "sh -c 'cp $0 $2' {init} {mask} {out}", "--rewind", "none")
"""A trainer that leaves the weights as they are."""

REPORTED_ELSEWHERE = (
    *("wrote ", "held at the floor", "all barcodes are kept", "about ", "density "),
    *("topological and magnitude pruning keep", "magnitude pruning to the same", "topological pruning to the same"),
)
"""Beginnings of lines whose facts have keys or columns of their own."""


@pytest.fixture
def noted(topoimp):
    """Run a command with JSON on stdout; return its report, and the lines on stderr but for findings and files."""

    def run(*arguments):
        outcome = topoimp(*arguments, "--format", "json")
        assert outcome.status == 0, outcome.err
        lines = [line for line in outcome.err.splitlines() if not line.startswith(REPORTED_ELSEWHERE)]
        return json.loads(outcome.out), lines

    return run


def test_outputs_that_a_dry_run_would_replace(topoimp, noted, lenet):
    topoimp("prune", lenet, "--rounds", 1)

    report, lines = noted("prune", lenet, "--rounds", 1, "--dry-run")

    paths = [lenet.with_name(f"{lenet.stem}.pruned{end}") for end in (".csv", ".mask.safetensors", ".safetensors")]
    assert sorted(report["notes"][2:-1]) == [f"exists already, `force` would replace it: {path}" for path in paths]
    assert sorted(lines[2:-1]) == [f"exists already, --force would replace it: {path}" for path in paths]
    assert lines[-1] == report["notes"][-1] == "dry run: nothing was written"


def test_a_dry_run_without_outputs_names_none(noted, lenet):
    report, lines = noted("prune", lenet, "--rounds", 1, "--dry-run")

    one_shot = "no training between rounds: they equal one shot at the last target"
    assert report["notes"] == ["tensors left out: 3 (one axis)", one_shot, "dry run: nothing was written"]
    assert lines == report["notes"]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_files_of_a_folder_that_are_not_copied(noted, lenet, options):
    folder = lenet.parent / "model"
    folder.mkdir()
    lenet.rename(folder / "model.safetensors")
    others = [f"pytorch_model-0000{number}-of-00004.bin" for number in range(1, 5)]
    for name in others:
        (folder / name).touch()

    report, lines = noted("prune", folder, "--rounds", 1, *options)

    reason = "not copied, as it holds other weights, or is no tensor or file"
    sentence = f"{reason}: {', '.join(others[:3])}, ..., 4 in all"
    assert report["notes"].count(sentence) == lines.count(sentence) == 1
    assert {name: report["left_out"].get(name) for name in others} == dict.fromkeys(others, reason)


def test_the_mask_of_a_mask_has_no_rounds(noted, lenet):
    report, lines = noted("prune", lenet, "--apply-mask", lenet)

    assert report["notes"] == lines == ["tensors left out: 3 (one axis)"]


def test_earlier_weights_and_the_recipe(noted, trained, tmp_path):
    seed = trained / "seed-0"

    report, lines = noted(
        *("prune", seed / "model.safetensors", "--rounds", 1, "-o", tmp_path / "ticket.safetensors"),
        *("--rewind-from", seed / "init.safetensors"),
    )

    assert report["notes"][-2:] == [
        f"rewound: the weights are those of {seed}/init.safetensors",
        f"the recipe of these weights is {trained.resolve()}/recipe.toml",
    ]
    assert lines == report["notes"]


def test_rounds_that_existed_and_their_folders(topoimp, noted, run):
    topoimp("prune", run, "--rounds", 1, *SAME)

    planned, _ = noted("prune", run, "--rounds", 3, "--rewind", "none", "--dry-run", "--seeds", "1,0")
    report, lines = noted("prune", run, "--rounds", 3, *SAME)
    again, _ = noted("prune", run, "--rounds", 3, *SAME)

    folders = [f"{run}/seed-{seed}/topological-rewind-none" for seed in (0, 1)]
    assert planned["notes"][1:] == [
        "later rounds are found on weights that are not trained yet: their targets are known",
        *(f"1 of 3 rounds exist already, `force` would begin anew: {folder}" for folder in reversed(folders)),
        "dry run: nothing was written",
    ]
    assert report["notes"][1:] == [
        "2 of 6 rounds were there already, and are left as they are",
        "no rewinding: every round trains on from the weights of the last",
        *(f"rounds are in {folder}" for folder in folders),
    ]
    assert lines == report["notes"]
    assert "6 of 6 rounds were there already, and are left as they are" in again["notes"]


def test_fewer_rounds_than_exist_are_all_there(topoimp, noted, run):
    topoimp("prune", run, "--rounds", 3, "--seeds", "0,", *SAME)

    planned, lines = noted("prune", run, "--rounds", 2, "--seeds", "0,", "--rewind", "none", "--dry-run")

    exist = f"2 of 2 rounds exist already, {{}} would begin anew: {run}/seed-0/topological-rewind-none"
    assert exist.format("`force`") in planned["notes"]
    assert exist.format("--force") in lines


def test_rounds_that_are_all_new(noted, run):
    report, lines = noted("prune", run, "--rounds", 1, "--seeds", "0,", *SAME)

    assert report["notes"][1:] == lines[1:]
    assert not any("already" in note for note in report["notes"])


def test_seeds_that_were_trained_already(topoimp, noted, tmp_path):
    train = ("train", "mlp:64-9-10", "-o", tmp_path / "run", "--epochs", 1, "--jobs", 1)
    topoimp(*train, "--seeds", 2)

    report, lines = noted(*train, "--seeds", 3)
    new, no_lines = noted(*train, "--seeds", "7,")

    assert report["notes"] == lines == ["2 of 3 seeds were trained already, and stay as they are"]
    assert report["outputs"] == new["outputs"] == {"run": str(tmp_path / "run")}
    assert "notes" not in new
    assert no_lines == []


def test_layers_whose_share_by_chance_is_unknown(noted, write, monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 5)
    weights = {f"{name}.weight": np.full((2, 3), 1.0) for name in "abcd"}
    path, other = write(weights, "one"), write({name: np.tril(weight) for name, weight in weights.items()}, "other")

    report, lines = noted("compare", path, other, other)

    names = "a.weight, b.weight, c.weight, ..., 4 in all"
    sentence = f"by chance: unknown for {names}, too large to simulate; {{}} shuffle:20 does"
    assert report["notes"] == [sentence.format("`null`")]
    assert lines == [sentence.format("--null")]


def test_a_comparison_over_seeds_keeps_its_notes(topoimp, noted, run):
    topoimp("prune", run, "--rounds", 1, *SAME)

    report, lines = noted("compare", run, "--over-seeds")

    assert report["notes"] == lines == ["tensors left out: 2 (one axis)"]
