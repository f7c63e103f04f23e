"""A run folder is pruned in rounds, each trained by the built-in trainer."""

import csv
import json
import re
import shutil
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from safetensors.numpy import load_file

from topoimp.checkpoint import opening
from topoimp.checkpoint.safetensors_file import open_safetensors
from topoimp.choices import Method, Scope
from topoimp.commands.barcode import barcode_report
from topoimp.commands.plan_run import plan_run
from topoimp.commands.prune_run import prune_run, prune_with_trainer
from topoimp.commands.train import train_run
from topoimp.errors import CheckpointError, DataError, OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer
from topoimp.topology import forest
from topoimp.topology.strong_edges import collect

TRAINER = parse_trainer("true {init} {mask} {out}")


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_folder_is_pruned_in_rounds_that_learn(run):
    pruning = prune_run(run, PruningOptions(rounds=3), jobs=1)

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
    pruning = prune_run(run, PruningOptions(rounds=2, method=Method.MAGNITUDE), jobs=1)
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
    first_layer, second_layer, network = rows[:3]
    for column in ("np_balwani", "np_balwani_reference"):
        total = column.replace("np_balwani", "np_balwani_total")
        assert float(network[total]) == float(first_layer[column]) + float(second_layer[column])
    assert {"np_rieck_total", "np_rieck_finite_total", "np_balwani_total"} <= {
        row["quantity"] for row in table(run / "summary.csv") if row["level"] == "network"
    }
    assert pruning.report.outputs == {"rounds": run / "rounds.csv", "summary": run / "summary.csv"}


def test_neural_persistences_of_rounds_are_those_of_barcode(run):
    folder = prune_run(run, PruningOptions(rounds=2), seeds=[0]).folders[0]

    found = [barcode_report(folder / f"round-{number:02}" / "model.safetensors").rows for number in range(3)]
    rows = [row for row in table(run / "rounds.csv") if row["seed"] == "0"]
    for column in ("np_rieck", "np_rieck_finite", "np_balwani"):
        assert [float(row[column]) for row in rows] == [row[column] for of_round in found for row in of_round]
        assert [float(row[f"{column}_reference"]) for row in rows] == 3 * [row[column] for row in found[0]]


def test_two_methods_are_compared_seed_by_seed_in_a_table_that_goes_with_them(run):
    prune_run(run, PruningOptions(rounds=1, method=Method.MAGNITUDE), jobs=1)
    report = prune_run(run, PruningOptions(rounds=1, method=Method.RANDOM), seeds=[1]).report

    accuracies = {
        (row["seed"], row["method"]): float(row["test_accuracy"])
        for row in table(run / "rounds.csv")
        if (row["round"], row["level"]) == ("1", "network")
    }
    (found,) = [
        row for row in table(run / "paired.csv") if (row["level"], row["quantity"]) == ("network", "test_accuracy")
    ]
    assert (found["pruning"], found["baseline"], found["round"], found["n_seeds"]) == ("random", "magnitude", "1", "1")
    assert float(found["mean"]) == accuracies["1", "random"] - accuracies["1", "magnitude"]
    assert found["mean_low"] == ""
    assert report.outputs["paired"] == run / "paired.csv"

    shutil.rmtree(run / "seed-1/random")
    outputs = prune_run(run, PruningOptions(rounds=1, method=Method.MAGNITUDE), jobs=1).report.outputs
    assert not (run / "paired.csv").exists()
    assert list(outputs) == ["rounds", "summary"]


def test_replicates_at_the_same_time_are_those_one_after_the_other(run, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "other")

    prune_run(run, PruningOptions(rounds=2), jobs=2)
    prune_run(tmp_path / "other", PruningOptions(rounds=2), jobs=1)

    for path in [*sorted(run.rglob("round-*/*")), run / "rounds.csv", run / "summary.csv"]:
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(run)).read_bytes()


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

    folder = {"init": "topological-rewind-init", "step:7": "topological", "step:11": "topological-rewind-step-11"}
    with (run / f"seed-0/{folder[rewind]}/pruning.toml").open("rb") as settings:
        assert tomllib.load(settings)["rewind"] == {"init": "step:0"}.get(rewind, rewind)
    assert (run / f"seed-0/{file}.safetensors").is_file()


def test_the_weights_of_another_step_are_those_that_training_passed(run, tmp_path):
    prune_run(run, PruningOptions(rounds=1), rewind="step:11", seeds=[0])
    train_run("mlp:64-20-10", output=tmp_path / "again", epochs=2, rewind_at=11)

    made, passed = (
        load_file(path) for path in (run / "seed-0/step-11.safetensors", tmp_path / "again/seed-0/rewind.safetensors")
    )
    assert all(np.array_equal(made[name], passed[name]) for name in passed)


def test_the_scope_row_has_a_folder_of_its_own_and_goes_on_there(run):
    prune_run(run, PruningOptions(rounds=1, method="magnitude", scope="row"), seeds=[0])
    prune_run(run, PruningOptions(rounds=2, method="magnitude", scope="row"), seeds=[0])

    folder = run / "seed-0/magnitude-row"
    kept = [read_masks(folder / f"round-0{k}/mask.safetensors")["fc1.weight"].kept() for k in (0, 1, 2)]
    assert [np.ptp(mask.sum(axis=1)) for mask in kept] == [0, 1, 1]
    assert (kept[0] & kept[1] == kept[1]).all()
    assert (kept[1] & kept[2] == kept[2]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": None}, "neither rounds nor a sparsity is given"),
        ({"epsilon": 2.0}, r"epsilon is 2.0; it must be at least 0 \(full protection\) and at most 1 \(none\)"),
        ({"epsilon": 0.1, "method": "random"}, "epsilon is 0.1, but the method random protects nothing"),
        (
            {"scope": "erk", "output_rate": "half"},
            "in the scope erk shapes decide; rates of layers need the scope layer",
        ),
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


def test_the_preset_paper_removes_the_same_number_a_round_and_trains_on(run):
    options = PruningOptions(rounds=4, sparsity=0.8, method=Method.MAGNITUDE, preset="paper")

    pruning = prune_run(run, options, seeds=[0])

    assert pruning.folders == [run / "seed-0/magnitude-linear-rewind-none"]
    settings = pruning.report.settings
    assert [settings[name] for name in ("preset", "schedule", "rewind", "scope")] == [
        "paper",
        "linear",
        "none",
        "layer",
    ]
    kept = {row["layer"]: [] for row in pruning.report.layers}
    for row in pruning.report.layers:
        kept[row["layer"]].append(row["n_kept"])
    assert kept == {"fc1.weight": [1280, 1024, 768, 512, 256], "fc2.weight": [200, 160, 120, 80, 40]}
    assert settings["rate"] == 0.2

    # Each round trains on: its kept weights are near those of the round before, and not at the rewind step.
    before, after = (load_file(pruning.folders[0] / f"round-0{k}/model.safetensors")["fc1.weight"] for k in (2, 3))
    rewind = load_file(run / "seed-0/rewind.safetensors")["fc1.weight"]
    is_kept = after != 0
    assert np.abs(after - before)[is_kept].mean() < np.abs(after - rewind)[is_kept].mean()


def test_a_preset_says_the_same_as_its_options_one_by_one(run):
    prune_run(run, PruningOptions(rounds=2, sparsity=0.5, preset="paper"), seeds=[0])

    spelled = PruningOptions(rounds=2, sparsity=0.5, schedule="linear", scope="layer")
    assert prune_run(run, spelled, rewind="none", seeds=[0]).n_new == 0


def test_the_preset_frankle_carbin_rewinds_to_the_initial_weights(run):
    pruning = prune_run(run, PruningOptions(rounds=1, preset="frankle-carbin"), seeds=[0])

    assert pruning.folders == [run / "seed-0/topological-rewind-init"]
    assert (pruning.report.settings["preset"], pruning.report.settings["rewind"]) == ("frankle-carbin", "step:0")
    assert "schedule" not in pruning.report.settings


def test_the_preset_paper_has_none_of_the_rates_and_scopes_of_the_recipe(run):
    recipe = run / "recipe.toml"
    table = tomllib.loads(recipe.read_text())
    table["pruning"] = {"rate": 0.2, "scope": "global", "layer_rates": {"fc2.weight": 0.1}}
    recipe.write_text(tomli_w.dumps(table))

    report = plan_run(run, PruningOptions(rounds=3, preset="paper"), seeds=[0])

    assert (report.settings["scope"], report.settings["layer_rates"]) == ("layer", [])
    assert [row["target"] for row in report.layers] == [1024, 160, 768, 120, 512, 80]
    assert report.settings["rewind"] == "none"


@pytest.mark.parametrize(
    ("preset", "arguments", "message"),
    [
        ("paper", {"rewind": "init"}, "the preset paper has the rewind none, not init; leave `preset` or `rewind` out"),
        ("frankle-carbin", {"rewind": "step:7"}, "the preset frankle-carbin has the rewind init, not step:7"),
        ("paper", {"rewind_from": Path("x")}, "the preset paper has the rewind none, not to the weights of `rewind_fr"),
        ("frankle-carbin", {"rewind_from": Path("x")}, "has the rewind init, not to the weights of `rewind_from`"),
    ],
)
def test_a_rewinding_that_contradicts_the_preset_is_refused(run, preset, arguments, message):
    with pytest.raises(OptionError, match=message):
        prune_run(run, PruningOptions(rounds=1, preset=preset), **arguments)


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


def test_metrics_are_reports(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])

    content = json.loads((run / "seed-0/topological/round-01/metrics.json").read_text())
    assert content["command"] == "prune"
    assert content["network"]["round"] == 1
    assert content["inputs"] == {}


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
        prune_with_trainer(lenet, PruningOptions(rounds=1), jobs=jobs, rewind="none", trainer=TRAINER)
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
        prune_with_trainer(
            lenet,
            PruningOptions(rounds=1),
            threads=threads,
            rewind="none",
            trainer=TRAINER,
        )


def test_the_weights_of_a_round_are_opened_once_and_each_forest_is_found_once(run, monkeypatch):
    opened, found = Counter(), Counter()

    def open_counted(path):
        opened[re.sub(r"\.partial-[\w-]+", "", str(path.relative_to(run)))] += 1
        return open_safetensors(path)

    def collect_counted(layer, threads):
        found[layer.codes.tobytes()] += 1
        return collect(layer, threads)

    monkeypatch.setattr(opening, "open_safetensors", open_counted)
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
