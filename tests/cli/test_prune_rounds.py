import json
import sys
from pathlib import Path

import pytest

TRAINER = Path(__file__).parent.parent / "trainers.py"


def trainer(how):
    return f"{sys.executable} {TRAINER} {how} --init {{init}} --mask {{mask}} --out {{out}} --seed {{seed}}"


def test_a_run_folder_is_pruned_and_shown(topoimp, run):
    outcome = topoimp("prune", run, "--rounds", 2, "--seeds", "0,")

    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert lines[0] == f"{run}: method topological, scope layer"
    header = (
        "round target kept density of checkpoint accuracy off path retention magnitude drops beta0 round kept barcode"
    )
    assert lines[1].split() == f"{header} bottleneck".split()
    assert [line.split()[:4] for line in lines[3:6]] == [
        ["0", "-", "1,480", "100.00%"],
        ["1", "1,184", "1,184", "80.00%"],
        ["2", "947", "947", "63.99%"],
    ]
    assert "after round 2" in lines
    assert outcome.err.splitlines()[-2:] == [
        f"rounds are in {run}/seed-0/topological",
        f"wrote {run}/rounds.csv and summary.csv",
    ]


def test_all_tables_that_were_written_are_named(topoimp, run):
    trainer = ("--trainer", "sh -c 'cp $0 $2' {init} {mask} {out}", "--rewind", "none")
    for method in ("magnitude", "random"):
        outcome = topoimp("prune", run, "--rounds", 1, "--seeds", "0,", "--method", method, *trainer)

    assert outcome.status == 0
    assert outcome.err.splitlines()[-1] == f"wrote {run}/rounds.csv, summary.csv and paired.csv"


def test_several_seeds_are_shown_on_average(topoimp, run):
    outcome = topoimp("prune", run, "--rounds", 1, "--jobs", 1)

    assert outcome.out.splitlines()[0] == f"{run}: method topological, scope layer, mean of 2 seeds"
    assert "+-" in outcome.out.splitlines()[1]
    assert outcome.out.count("fc1.weight") == 2


def test_every_option_reaches_the_rounds(topoimp, run):
    options = ["--rate", 0.5, "--method", "magnitude", "--output-rate", "half", "--layer-rate", "fc1*=0.25"]

    outcome = topoimp("prune", run, "--rounds", 1, *options, "--rewind", "init", "--jobs", 1, "--format", "json", "-q")

    settings = json.loads(outcome.out)["settings"]
    assert outcome.err == ""
    assert settings["layer_rates"] == ["fc2.weight=0.25", "fc1*=0.25"]
    assert (settings["rate"], settings["method"], settings["rewind"]) == (0.5, "magnitude", "step:0")
    assert settings["seeds"] == ["0", "1"]


def test_a_preset_is_shown_and_names_the_folder(topoimp, run):
    outcome = topoimp("prune", run, "--rounds", 2, "--sparsity", 0.5, "--preset", "paper", "--seeds", "0,")

    assert outcome.out.splitlines()[0] == f"{run}: method topological, scope layer, schedule linear, preset paper"
    assert "no rewinding: every round trains on from the weights of the last" in outcome.err
    assert f"rounds are in {run}/seed-0/topological-linear-rewind-none" in outcome.err


def test_an_option_that_contradicts_a_preset_is_refused(topoimp, run):
    outcome = topoimp("prune", run, "--rounds", 2, "--preset", "paper", "--rewind", "init")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "error: the preset paper has the rewind none, not init; leave --preset or --rewind out\n"


def test_the_same_again_says_what_was_there(topoimp, run):
    topoimp("prune", run, "--rounds", 1, "--seeds", "0,")

    outcome = topoimp("prune", run, "--rounds", 2, "--seeds", "0,")

    assert "1 of 2 rounds were there already, and are left as they are" in outcome.err


def test_a_trainer_of_ones_own(topoimp, lenet, lenet_init):
    outcome = topoimp("prune", lenet, "--rounds", 1, "--trainer", trainer("right"), "--rewind-from", lenet_init)

    assert outcome.status == 0
    assert (lenet.parent / "lenet-300-100-mnist.rounds/rounds.csv").is_file()


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        (
            "revives",
            4,
            "error: round 1, seed 0: model.safetensors: 1 pruned weights of 'fc1.weight' came back in training",
        ),
        (
            "ignores-init",
            4,
            "error: round 1, seed 0: model.safetensors: the weights have nothing to do with those that",
        ),
        ("writes-nan", 4, "error: round 1, seed 0: model.safetensors: tensor 'fc1.weight' is NaN or"),
        ("exits-1", 1, "error: round 1, seed 0: the trainer ended with status 1; its last line: 'CUDA out of memory'"),
    ],
)
def test_a_wrong_trainer_ends_with_one_line_and_its_status(topoimp, lenet, lenet_init, how, status, said):
    options = ["--trainer", trainer(how), "--rewind-from", lenet_init]

    outcome = topoimp("prune", lenet, "--rounds", 1, *options)

    assert (outcome.status, outcome.out) == (status, "")
    assert outcome.err.startswith(said[:100])
    assert outcome.err.count("\n") == 1


def test_a_ticket_needs_no_training(topoimp, lenet, lenet_init):
    outcome = topoimp("prune", lenet, "--rounds", 3, "--rewind-from", lenet_init, "-o", lenet.parent / "t.safetensors")

    assert outcome.status == 0
    assert "rewound: the weights are those of" in outcome.err


def test_a_tolerance_is_shown(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 10, "--epsilon", 0.1)

    assert outcome.out.splitlines()[0].endswith("method topological, epsilon 0.1, scope layer")


def test_an_output_layer_has_its_own_rate(topoimp, lenet):
    options = ["--output-rate", "half", "--output-layer", "fc3.weight"]

    outcome = topoimp("prune", lenet, "--rounds", 10, *options, "--format", "json")

    content = json.loads(outcome.out)
    assert content["settings"]["layer_rates"] == ["fc3.weight=0.1"]
    assert content["layers"][-1]["target"] == 349  # 1000 * 0.9^10


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--rewind", "init"],
            "--rewind does not go with pruning without training (a run folder or --trainer has some)",
        ),
        (["--seeds", "3"], "--seeds does not go with pruning without training"),
        (["--jobs", "3"], "--jobs does not go with pruning without training"),
        (["--timeout", "3"], "--timeout does not go with pruning without training"),
        (["--output-rate", "half"], "--output-rate needs --output-layer"),
        (
            ["--output-rate", "fast", "--output-layer", "fc3.weight"],
            "--output-rate is 'fast'; it must be half, same, or",
        ),
        (["--layer-rate", "fc3"], "--layer-rate is 'fc3'; it must be a pattern and a rate, as in 'conv*=0.1'"),
        (["--trainer", "train"], "--trainer is 'train'; it must have {init} where the command takes it"),
        (
            ["--trainer", "t {init} {mask} {out}", "--emit-rounds", "1"],
            "--emit-rounds does not go with rounds that are",
        ),
        (["--epsilon", "2"], "epsilon is 2.0; it must be at least 0 (full protection) and at most 1 (none)"),
        (["--apply-mask", "m", "--epsilon", "0.1"], "--rounds does not go with --apply-mask: the mask decides alone"),
    ],
)
def test_options_that_mean_nothing_are_refused(topoimp, lenet, options, said):
    outcome = topoimp("prune", lenet, "--rounds", 1, *options)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {said}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "x"], "--output does not go with a run folder, which its rounds are written into"),
        (["--seed", "3"], "--seed does not go with rounds that are trained"),
        (["--apply-mask", "x"], "--apply-mask does not go with rounds that are trained"),
        (["--timeout", "3"], "--timeout does not go with the built-in trainer"),
        (["--seeds", "x"], "--seeds is 'x'; it must be a number of seeds, or a list of them as in 0,3,7"),
        (["--seeds", "0"], "--seeds is '0'; it must be at least 1 and at most 1000, or a list as in 0,"),
        (["--seeds", "1,1"], "--seeds is '1,1'; each seed is named once"),
    ],
)
def test_options_that_mean_nothing_for_a_run_folder_are_refused(topoimp, run, options, said):
    outcome = topoimp("prune", run, "--rounds", 1, *options)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {said}")


def test_a_folder_for_data_is_taken_from_the_environment(topoimp, tmp_path, monkeypatch):
    monkeypatch.setenv("TOPOIMP_DATA_DIR", str(tmp_path / "nowhere"))

    outcome = topoimp("train", "lenet-300-100", "--data", "mnist", "-o", tmp_path / "run")

    assert outcome.status == 1
    assert "nowhere: cannot be read as a folder of data" in outcome.err


def test_seed_and_seeds_are_not_both_meant(topoimp, tmp_path):
    outcome = topoimp("train", "mlp:64-9-10", "-o", tmp_path / "run", "--seed", 1, "--seeds", 3)

    assert (outcome.status, outcome.err) == (2, "error: --seed and --seeds are given; give only one of them\n")


def test_replicates_are_said(topoimp, run):
    recipe = ["--epochs", 2, "--rewind-at", 7]

    outcome = topoimp("train", "mlp:64-20-10", "-o", run, *recipe, "--seeds", "3")

    assert "2 of 3 seeds were trained already, and stay as they are" in outcome.err
    assert f"wrote 1 seeds to {run}" in outcome.err


def test_a_chain_reaches_the_rounds_of_a_trainer(topoimp, lenet, lenet_init):
    options = ("--rounds", 1, "--sparsity", 0.98, "--method", "magnitude", "--chain", "fc1,fc2,fc3", "--quiet")

    outcome = topoimp("prune", lenet, *options, "--trainer", trainer("right"), "--rewind-from", lenet_init)

    header, unpruned, pruned = (outcome.out.splitlines()[place] for place in (1, 3, 4))
    place = header.index("off path") + len("off path")
    assert unpruned[:place].split()[-1] == "0"
    assert pruned[:place].split()[-1] == "2,992"  # as without training: the first round prunes the same weights
