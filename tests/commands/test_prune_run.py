import csv
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from topoimp.checkpoint import owned, reading
from topoimp.checkpoint.safetensors_file import open_safetensors
from topoimp.choices import Method, Scope
from topoimp.commands.plan_run import plan_run
from topoimp.commands.prune_run import prune_run, prune_with_trainer
from topoimp.commands.train import train_run
from topoimp.errors import CheckpointError, DataError, OptionError, OutputError, TrainingError, VerificationError
from topoimp.layers.catalogue import LayerPatterns
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer
from topoimp.topology import forest
from topoimp.topology.strong_edges import collect

TRAINER = Path(__file__).parent.parent / "trainers.py"
ARGUMENTS = "--init {init} --mask {mask} --out {out} --seed {seed}"


def trainer(how, arguments=ARGUMENTS, **options):
    return parse_trainer(f"{sys.executable} {TRAINER} {how} {arguments}", **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run folder of two seeds, trained once."""
    run = tmp_path_factory.mktemp("made") / "run"
    train_run("mlp:64-20-10", output=run, epochs=2, rewind_at=7, seeds=[0, 1])
    return run


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_folder_is_pruned_in_rounds_that_learn(run):
    pruning = prune_run(run, PruningOptions(rounds=3))

    assert pruning.n_new == 6
    assert [str(folder.relative_to(run)) for folder in pruning.folders] == ["seed-0/topological", "seed-1/topological"]
    for seed in (0, 1):
        network = [row for row in pruning.report.rows if row["level"] == "network" and row["seed"] == seed]
        assert [row["n_kept"] for row in network] == [1480, 1184, 947, 757]
        assert all(row["test_accuracy"] > 0.5 for row in network)
        assert all(row["round_barcode_kept"] for row in network[1:])
        rewind, mask = (
            load_file(run / f"seed-{seed}/rewind.safetensors"),
            read_masks(pruning.folders[seed] / "round-03/mask.safetensors"),
        )
        model = load_file(pruning.folders[seed] / "round-03/model.safetensors")
        assert (
            np.corrcoef(
                rewind["fc1.weight"][mask["fc1.weight"].kept()], model["fc1.weight"][mask["fc1.weight"].kept()]
            )[0, 1]
            > 0.3
        )


def test_rounds_csv_and_summary_csv_agree_with_the_files(run):
    pruning = prune_run(run, PruningOptions(rounds=2, method=Method.MAGNITUDE))
    prune_run(run, PruningOptions(rounds=2, method=Method.RANDOM), seeds=[1])

    rows = table(run / "rounds.csv")
    assert len(rows) == 3 * 3 * 3  # prunings, rounds, two layers and the network
    for row in rows:
        folder = run / f"seed-{row['seed']}" / row["method"] / f"round-{int(row['round']):02}"
        masks = read_masks(folder / "mask.safetensors")
        of_row = [masks[row["layer"]]] if row["layer"] else list(masks.values())
        assert int(row["n_kept"]) == sum(mask.n_kept for mask in of_row)
        assert float(row["density"]) == int(row["n_kept"]) / int(row["n_weights"])
    accuracies = [
        float(row["test_accuracy"])
        for row in rows
        if row["method"] == "magnitude" and row["round"] == "2" and row["level"] == "network"
    ]
    (summed,) = [
        row
        for row in table(run / "summary.csv")
        if (row["method"], row["round"], row["level"], row["quantity"])
        == ("magnitude", "2", "network", "test_accuracy")
    ]
    assert float(summed["mean"]) == pytest.approx(np.mean(accuracies))
    assert float(summed["standard_deviation"]) == pytest.approx(np.std(accuracies, ddof=1))
    assert (float(summed["minimum"]), float(summed["maximum"])) == (min(accuracies), max(accuracies))
    assert summed["n_seeds"] == "2"
    assert pruning.report.outputs == {"rounds": run / "rounds.csv", "summary": run / "summary.csv"}


def test_replicates_at_the_same_time_are_those_one_after_the_other(run, made, tmp_path):
    shutil.copytree(made, tmp_path / "other")

    prune_run(run, PruningOptions(rounds=2), jobs=2)
    prune_run(tmp_path / "other", PruningOptions(rounds=2), jobs=1)

    for path in [*sorted(run.rglob("round-*/*")), run / "rounds.csv", run / "summary.csv"]:
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(run)).read_bytes()


def test_the_same_again_does_nothing_and_more_rounds_go_on(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])
    before = (run / "seed-0/topological/round-01/model.safetensors").stat().st_mtime_ns

    again, more = (
        prune_run(run, PruningOptions(rounds=1), seeds=[0]),
        prune_run(run, PruningOptions(rounds=2), seeds=[0]),
    )

    assert (again.n_new, more.n_new) == (0, 1)
    assert (run / "seed-0/topological/round-01/model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rate": 0.3}, r"was begun with rate 0.2, not 0.3; `force` begins anew, and loses these rounds"),
        ({"sparsity": 0.5}, r"was begun with rate 0.2, not None|was begun with sparsity None, not 0.5"),
        ({"layer_rates": {"fc2*": 0.1}}, r"was begun with layer_rates None, not \['fc2\*=0.1'\]"),
        ({"output_rate": "half"}, r"was begun with layer_rates None, not \['fc2.weight=0.1'\]"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(run, changed, message):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])

    with pytest.raises(OutputError, match=message):
        prune_run(run, PruningOptions(rounds=2, **changed), seeds=[0])
    assert not (run / "seed-0/topological/round-02").exists()


def test_another_rewinding_in_the_same_folder_is_refused(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])

    with pytest.raises(OutputError, match=r"was begun with rewind 'step:7', not 'none'"):
        prune_run(run, PruningOptions(rounds=2), rewind="none", seeds=[0])
    assert not (run / "seed-0/topological/round-02").exists()


def test_force_begins_anew(run):
    prune_run(run, PruningOptions(rounds=2), seeds=[0])

    pruning = prune_run(run, PruningOptions(rounds=1, rate=0.5), force=True, seeds=[0])

    assert pruning.n_new == 1
    assert not (run / "seed-0/topological/round-02").exists()
    assert pruning.report.network["n_kept"] == 740


def test_another_recipe_is_noticed(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace("epochs = 2", "epochs = 3"))

    with pytest.raises(OutputError, match="was begun with recipe_sha256"):
        prune_run(run, PruningOptions(rounds=2), seeds=[0])


def test_other_data_than_those_of_the_recipe_are_noticed(run):
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    text = (run / "recipe.toml").read_text().replace(recipe["data"]["sha256"], "0" * 64)
    (run / "recipe.toml").write_text(text)

    with pytest.raises(DataError, match=r"was trained on digits of sha256 000000000000..., and these are others"):
        prune_run(run, PruningOptions(rounds=1))


DATA = "[data]\nname = 'digits'\nsha256 = ''\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"is no recipe: the table \[data\] with name and sha256 is missing"),
        (DATA, "is no recipe: model is missing"),
        (f"epochs = 1\nmodel = 'm'\nbatch_size = 1\n{DATA}", "is no recipe: learning_rate is missing"),
        ("epochs = ", "is no TOML"),
        (
            f"model = 'm'\nepochs = 'x'\nbatch_size = 1\nlearning_rate = 1\n{DATA}",
            "is no recipe: a field has a wrong value: epochs is .x.; it must be a whole number",
        ),
    ],
)
def test_what_is_no_recipe_is_said(run, text, message):
    (run / "recipe.toml").write_text(text)

    with pytest.raises(CheckpointError, match=message):
        prune_run(run, PruningOptions(rounds=1))


def test_a_seed_that_was_not_trained_is_said(run):
    with pytest.raises(CheckpointError, match="has no trained network of seed 4; train makes it"):
        prune_run(run, PruningOptions(rounds=1), seeds=[0, 4])


@pytest.mark.parametrize(("rewind", "file"), [("init", "init"), ("step:7", "rewind"), ("step:11", "step-11")])
def test_rounds_rewind_to_any_step(run, rewind, file):
    prune_run(run, PruningOptions(rounds=1), rewind=rewind, seeds=[0])

    with (run / "seed-0/topological/pruning.toml").open("rb") as settings:
        assert tomllib.load(settings)["rewind"] == {"init": "step:0"}.get(rewind, rewind)
    assert (run / f"seed-0/{file}.safetensors").is_file()


def test_the_weights_of_another_step_are_those_that_training_passed(run, tmp_path):
    prune_run(run, PruningOptions(rounds=1), rewind="step:11", seeds=[0])
    train_run("mlp:64-20-10", output=tmp_path / "again", epochs=2, rewind_at=11)

    made, passed = (
        load_file(path) for path in (run / "seed-0/step-11.safetensors", tmp_path / "again/seed-0/rewind.safetensors")
    )
    assert all(np.array_equal(made[name], passed[name]) for name in passed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": None}, "neither rounds nor a sparsity is given"),
        ({"epsilon": 2.0}, r"epsilon is 2.0; it must be at least 0 \(full protection\) and at most 1 \(none\)"),
        ({"epsilon": 0.1, "method": "random"}, "epsilon is 0.1, but the method random protects nothing"),
        ({"scope": "global", "output_rate": "half"}, "in the scope global all layers share one target"),
        ({"layer_rates": {"fc9*": 0.1}}, "pattern 'fc9.*' matches no layer that is pruned"),
        ({"output_layer": "fc2.weight"}, "`output_layer` goes with `output_rate`"),
        ({"output_rate": "some"}, "`output_rate` is 'some'; it must be half, same, or a rate as in 0.1"),
        ({"seed": 3}, "`seed` is 3; rounds that are trained have `seeds`, one for each network"),
    ],
)
def test_options_that_mean_nothing_are_refused(run, options, message):
    with pytest.raises(OptionError, match=message):
        prune_run(run, PruningOptions(**{"rounds": 1, **options}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rewind": "step:x"}, "`rewind` is 'step:x'; it must be init, none, or a step"),
        ({"rewind": "step:10000"}, "rewind_at is 10000, but training has 90 steps"),
        (
            {"rewind": "init", "rewind_from": Path("x")},
            "`rewind` is init, and `rewind_from` names weights; give only one of them",
        ),
    ],
)
def test_rewinding_that_means_nothing_is_refused(run, arguments, message):
    with pytest.raises(OptionError, match=message):
        prune_run(run, PruningOptions(rounds=1), **arguments)


def test_the_folder_says_how_it_was_pruned(run):
    prune_run(run, PruningOptions(rounds=1, epsilon=0.25, scope=Scope.GLOBAL), seeds=[0])

    assert (run / "seed-0/topological-eps-0.25-global/round-01/model.safetensors").is_file()


def test_a_published_recipe_decides_how_its_networks_are_pruned(tmp_path):
    train_run("lenet-300-100", data="digits", output=tmp_path / "run", epochs=1)

    settings = prune_run(tmp_path / "run", PruningOptions(rounds=1)).report.settings

    assert settings["layer_rates"] == ["fc3.weight=0.1"]
    assert (settings["rate"], settings["scope"]) == (0.2, "layer")


def test_another_rate_keeps_the_proportions_of_the_recipe(tmp_path):
    train_run("lenet-300-100", data="digits", output=tmp_path / "run", epochs=0)

    report = prune_run(tmp_path / "run", PruningOptions(rounds=1, rate=0.5)).report

    assert report.settings["layer_rates"] == ["fc3.weight=0.25"]
    assert [row["target"] for row in report.layers[-3:]] == [9600, 15000, 750]


def test_a_trainer_of_ones_own_trains_the_rounds_of_a_run_folder(run):
    pruning = prune_run(
        run,
        PruningOptions(rounds=2),
        seeds=[1],
        trainer=trainer("right", ARGUMENTS + " --started {started} --metrics {metrics}"),
    )

    network = [row for row in pruning.report.rows if row["level"] == "network"]
    assert [row["test_accuracy"] for row in network[1:]] == [0.75, 0.75]
    assert network[2]["checked"].split() == [
        "nested",
        "counts",
        "forest",
        "barcode",
        "rewound",
        "started",
        "finite",
        "held",
    ]
    assert "training right" in (run / "seed-1/topological/round-02.log").read_text()


WRONG = {
    "revives": (VerificationError, "1 pruned weights of 'fc1.weight' came back in training, the first at index"),
    "ignores-init": (VerificationError, "the weights have nothing to do with those that training was to start from"),
    "writes-nan": (VerificationError, "tensor 'fc1.weight' is NaN or infinite at index 3; training diverged"),
    "wrong-shapes": (VerificationError, r"tensor 'fc1.weight' is F32 \[64, 20\]; .* has F32 \[20, 64\]"),
    "other-names": (VerificationError, "lacks tensor 'fc1.weight'"),
    "other-type": (VerificationError, r"tensor 'fc1.weight' is F16 \[20, 64\]"),
    "writes-half": (VerificationError, "round 1, seed 0: what the trainer wrote cannot be used: model.safetensors: "),
    "exits-1": (
        TrainingError,
        r"round 1, seed 0: the trainer ended with status 1; its last line: 'CUDA out of memory', all of it is in ",
    ),
    "writes-nothing": (
        TrainingError,
        "round 1, seed 0: model.safetensors: the trainer ended without an error, but did not write this",
    ),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_trainer_is_caught_and_its_round_is_not_there(run, how):
    error, message = WRONG[how]

    with pytest.raises(error, match=message):
        prune_run(run, PruningOptions(rounds=2), seeds=[0], trainer=trainer(how))

    left = sorted(path.name for path in (run / "seed-0/topological").iterdir())
    assert left == ["pruning.toml", "round-00", "round-01.log"]


def test_a_trainer_that_says_where_it_started_is_held_to_it(run):
    with pytest.raises(VerificationError, match="the trainer started from other weights than it was given: tensor 'fc"):
        prune_run(
            run,
            PruningOptions(rounds=1),
            seeds=[0],
            trainer=trainer("ignores-init", ARGUMENTS + " --started {started}"),
        )


def test_a_trainer_that_takes_too_long_is_ended(run):
    with pytest.raises(TrainingError, match=r"round 1, seed 0: the trainer took more than 2 s and was ended"):
        prune_run(run, PruningOptions(rounds=1), seeds=[0], trainer=trainer("sleeps", timeout=2.0))


def test_a_trainer_that_is_not_there_is_said(run):
    command = parse_trainer(f"no-such-command {ARGUMENTS}")

    with pytest.raises(
        TrainingError,
        match="round 1, seed 0: the trainer cannot be started: no-such-command: No such file or directory",
    ):
        prune_run(run, PruningOptions(rounds=1), seeds=[0], trainer=command)


def test_a_checkpoint_is_pruned_with_a_trainer(lenet, lenet_init):
    pruning = prune_with_trainer(
        lenet, PruningOptions(rounds=2), rewind_from=lenet_init, trainer=trainer("right"), seeds=[0, 5]
    )

    run = lenet.parent / "lenet-300-100-mnist.rounds"
    assert pruning.report.inputs == {"run": run}
    assert [row["seed"] for row in pruning.report.rows if row["level"] == "network"] == [0, 0, 0, 5, 5, 5]
    init, mask = load_file(lenet_init), read_masks(run / "seed-5/topological/round-02/mask.safetensors")
    model = load_file(run / "seed-5/topological/round-02/model.safetensors")
    kept = mask["fc1.weight"].kept()
    assert np.abs(model["fc1.weight"][kept] - init["fc1.weight"][kept]).max() < 0.1


def test_what_training_starts_from_must_be_said(lenet):
    with pytest.raises(OptionError, match="`rewind_from` names the weights to rewind to, `rewind` none trains on"):
        prune_with_trainer(lenet, PruningOptions(rounds=1), trainer=trainer("right"))


def test_fine_tuning_goes_on_from_the_trained_weights(lenet):
    pruning = prune_with_trainer(lenet, PruningOptions(rounds=1), rewind="none", trainer=trainer("right"))

    trained = load_file(lenet)
    model = load_file(pruning.folders[0] / "round-01/model.safetensors")
    kept = read_masks(pruning.folders[0] / "round-01/mask.safetensors")["fc1.weight"].kept()
    assert np.abs(model["fc1.weight"][kept] - trained["fc1.weight"][kept]).max() < 0.1


def test_a_checkpoint_to_rewind_to_must_have_the_same_tensors(lenet, tmp_path):
    arrays = load_file(lenet)
    save_file({name: array for name, array in arrays.items() if name != "fc2.bias"}, tmp_path / "init.safetensors")

    with pytest.raises(CheckpointError, match=r"init.safetensors: lacks tensor 'fc2.bias'"):
        prune_with_trainer(
            lenet, PruningOptions(rounds=1), rewind_from=tmp_path / "init.safetensors", trainer=trainer("right")
        )


@pytest.fixture(scope="module")
def straight(made, tmp_path_factory):
    """The run folder, pruned in four rounds without a break."""
    run = tmp_path_factory.mktemp("straight") / "run"
    shutil.copytree(made, run)
    prune_run(run, PruningOptions(rounds=4), jobs=1)
    return run


@pytest.mark.parametrize("appeared", [".topological.lock", "topological/round-00", "topological/round-02"])
def test_a_run_that_is_killed_goes_on_where_it_stopped(run, straight, appeared):
    code = "from topoimp_cli.app import run; run()"
    command = [sys.executable, "-c", code, "prune", run, "--rounds", "4", "-q", "--seeds", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(run.glob(f"seed-?/{appeared}")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()

    pruning = prune_run(run, PruningOptions(rounds=4))

    names = sorted(str(path.relative_to(run)) for path in run.rglob("round-0[0-4]/*"))
    assert len(names) == 2 * 5 * 3
    assert all((run / name).read_bytes() == (straight / name).read_bytes() for name in names)
    assert not list(run.rglob("*.partial-*"))
    assert len(pruning.report.rows) == 2 * 5 * 3


def hold_rounds(run, connection):
    """Own the lock of the rounds of seed 0 in a child process until the connection is closed, and tell its number."""
    with owned(run / "seed-0/.topological.lock"), suppress(EOFError):
        connection.send(os.getpid())
        connection.recv()


def start_holder(run, connection):
    child = multiprocessing.get_context("spawn").Process(target=hold_rounds, args=(run, connection))
    child.start()
    child.join()


def test_a_killed_run_that_is_still_ending_is_waited_for(run):
    ours, theirs = multiprocessing.Pipe()
    parent = multiprocessing.get_context("spawn").Process(target=start_holder, args=(run, theirs))
    parent.start()
    theirs.close()
    owner = ours.recv()
    parent.kill()
    parent.join()
    messages = []

    def on_wait(message):
        messages.append(message)
        ours.close()

    pruning = prune_run(run, PruningOptions(rounds=1), seeds=[0], on_wait=on_wait)

    assert pruning.n_new == 1
    folder = run / "seed-0/topological"
    assert messages == [f"{folder}: waiting for a run that is ending (process {owner})"]


def test_metrics_are_reports(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])

    content = json.loads((run / "seed-0/topological/round-01/metrics.json").read_text())
    assert content["command"] == "prune"
    assert content["network"]["round"] == 1
    assert content["inputs"] == {}


def test_weights_of_a_step_are_made_anew_for_another_recipe(run):
    prune_run(run, PruningOptions(rounds=1), rewind="step:11", seeds=[0])
    before = (run / "seed-0/step-11.safetensors").read_bytes()
    train_run("mlp:64-20-10", output=run, epochs=2, rewind_at=7, seed=1, force=True)
    shutil.rmtree(run / "seed-1")
    train_run("mlp:64-20-10", output=run, epochs=2, rewind_at=7, learning_rate=0.05, force=True)

    prune_run(run, PruningOptions(rounds=1), rewind="step:11", force=True, seeds=[0])

    assert (run / "seed-0/step-11.safetensors").read_bytes() != before


def test_rounds_without_what_decided_them_are_refused(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])
    (run / "seed-0/topological/pruning.toml").unlink()

    with pytest.raises(OutputError, match="holds rounds without their settings; `force` begins anew"):
        prune_run(run, PruningOptions(rounds=2, rate=0.5), seeds=[0])
    assert prune_run(run, PruningOptions(rounds=2, rate=0.5), force=True, seeds=[0]).n_new == 2


def test_the_order_of_rates_decides_and_is_compared(run):
    rates = {"fc*": 0.1, "fc1.weight": 0.4}
    prune_run(run, PruningOptions(rounds=1, layer_rates=rates), seeds=[0])

    with pytest.raises(OutputError, match="was begun with layer_rates"):
        prune_run(run, PruningOptions(rounds=2, layer_rates=dict(reversed(rates.items()))), seeds=[0])


def test_a_network_of_which_one_layer_is_pruned_needs_no_rate_of_the_others(tmp_path):
    train_run("lenet-300-100", data="digits", output=tmp_path / "run", epochs=0)
    options = PruningOptions(rounds=1, patterns=LayerPatterns(include=("fc1.weight",)))

    assert prune_run(tmp_path / "run", options).report.settings["layer_rates"] == []


def test_arrays_of_ones_own_are_named_again_for_pruning(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 8, 8), dtype=np.uint8), np.arange(30) % 3
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    train_run("mlp:64-8-3", data=str(tmp_path / "own.npz"), output=tmp_path / "run", epochs=1)

    with pytest.raises(DataError, match=r"was trained on arrays called own; `data_dir` must name their .npz"):
        prune_run(tmp_path / "run", PruningOptions(rounds=1))
    assert prune_run(tmp_path / "run", PruningOptions(rounds=1), data_dir=tmp_path / "own.npz").n_new == 1


@pytest.mark.parametrize("jobs", [0, -1])
def test_the_number_of_jobs_is_at_least_one(run, lenet, jobs):
    with pytest.raises(OptionError, match=f"the number of jobs is {jobs}; it must be at least 1"):
        prune_run(run, PruningOptions(rounds=1), jobs=jobs)
    with pytest.raises(OptionError, match=f"the number of jobs is {jobs}; it must be at least 1"):
        prune_with_trainer(lenet, PruningOptions(rounds=1), jobs=jobs, rewind="none", trainer=trainer("right"))
    with pytest.raises(OptionError, match=f"the number of jobs is {jobs}; it must be at least 1"):
        train_run("mlp:64-20-10", output=run, jobs=jobs)


@pytest.mark.parametrize("threads", [0, -1])
def test_the_number_of_threads_is_at_least_one(run, lenet, threads):
    message = f"the number of threads is {threads}; it must be at least 1"

    with pytest.raises(OptionError, match=message):
        prune_run(run, PruningOptions(rounds=1), threads=threads)
    with pytest.raises(OptionError, match=message):
        plan_run(run, PruningOptions(rounds=1), threads=threads)
    with pytest.raises(OptionError, match=message):
        prune_with_trainer(lenet, PruningOptions(rounds=1), threads=threads, rewind="none", trainer=trainer("right"))


def test_the_weights_of_a_round_are_opened_once_and_each_forest_is_found_once(run, monkeypatch):
    opened, found = Counter(), Counter()

    def open_counted(path):
        opened[re.sub(r"\.partial-\w+", "", str(path.relative_to(run)))] += 1
        return open_safetensors(path)

    def collect_counted(layer, threads):
        found[layer.codes.tobytes()] += 1
        return collect(layer, threads)

    monkeypatch.setattr(reading, "open_safetensors", open_counted)
    monkeypatch.setattr(forest, "collect", collect_counted)
    prune_run(run, PruningOptions(rounds=2), seeds=[0])

    rounds = "seed-0/topological/round-"
    assert opened == {
        "seed-0/model.safetensors": 2,  # for the plan, and by the process of the seed
        "seed-0/rewind.safetensors": 1,
        f"{rounds}00/model.safetensors": 2,  # to be checked, and for the next round
        f"{rounds}00/mask.safetensors": 1,
        f"{rounds}01/init.safetensors": 1,
        f"{rounds}01/mask.safetensors": 2,  # to be checked, and by the trainer
        f"{rounds}01/started.safetensors": 1,
        f"{rounds}01/model.safetensors": 2,
        f"{rounds}02/init.safetensors": 1,
        f"{rounds}02/mask.safetensors": 2,
        f"{rounds}02/started.safetensors": 1,
        f"{rounds}02/model.safetensors": 1,
    }
    # Of two layers, the unpruned weights, and in each of two rounds the weights before and after training.
    assert list(found.values()) == [1] * (2 * 5)


def test_two_things_to_start_from_are_refused(lenet, lenet_init):
    options = {"rewind": "none", "rewind_from": lenet_init}

    with pytest.raises(OptionError, match="`rewind` is none, and `rewind_from` names weights; give only one"):
        prune_with_trainer(lenet, PruningOptions(rounds=1), **options, trainer=trainer("right"))


def test_a_file_is_not_rewound_to_a_folder(lenet, tmp_path):
    (tmp_path / "folder").mkdir()
    shutil.copy(lenet, tmp_path / "folder/model.safetensors")

    with pytest.raises(CheckpointError, match=r"is a folder, and .* is a file; both need"):
        prune_with_trainer(lenet, PruningOptions(rounds=1), rewind_from=tmp_path / "folder", trainer=trainer("right"))


def test_tied_tensors_of_a_pytorch_file_are_refused(tmp_path):
    weight = torch.ones(4, 5)
    torch.save({"a": weight, "b": weight}, tmp_path / "tied.pt")

    with pytest.raises(CheckpointError, match="tensors 'b' and 'a' share their data"):
        prune_with_trainer(tmp_path / "tied.pt", PruningOptions(rounds=1), rewind="none", trainer=trainer("right"))


def test_a_folder_that_is_the_current_one_is_named(tmp_path, monkeypatch, lenet):
    (tmp_path / "model").mkdir()
    shutil.copy(lenet, tmp_path / "model/model.safetensors")
    monkeypatch.chdir(tmp_path / "model")
    out_of_folder = "--init {init}/model.safetensors --mask {mask} --out {out}/model.safetensors"

    with pytest.raises(TrainingError):  # the trainer makes no folder; what counts is where the rounds are
        prune_with_trainer(Path(), PruningOptions(rounds=1), rewind="none", trainer=trainer("right", out_of_folder))
    assert (tmp_path / "model.rounds/seed-0/topological/round-00/model/model.safetensors").is_file()


def test_rounds_of_an_older_recipe_are_in_no_table(tmp_path):
    train_run("mlp:64-20-10", output=tmp_path / "run", epochs=1)
    prune_run(tmp_path / "run", PruningOptions(rounds=1))
    train_run("mlp:64-20-10", output=tmp_path / "run", epochs=2, force=True)

    prune_run(tmp_path / "run", PruningOptions(rounds=1, method=Method.MAGNITUDE))

    assert {row["method"] for row in table(tmp_path / "run/rounds.csv")} == {"magnitude"}
    assert {row["method"] for row in table(tmp_path / "run/summary.csv")} == {"magnitude"}
