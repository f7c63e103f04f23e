import tomllib
from dataclasses import replace
from shutil import copy

import numpy as np
import pytest
from conftest import SHARED
from safetensors.numpy import load_file

from topoimp.checkpoint import Staging
from topoimp.choices import Data, Recipes, Scope
from topoimp.commands import train as training_command
from topoimp.commands.train import train_run
from topoimp.commands.training_task import train_seed
from topoimp.engine.cluster import SideBySide
from topoimp.errors import DataError, OptionError, OutputError, TrainingError
from topoimp.rounds.run_folder import RunFiles
from topoimp.training.recipes import PruningDefaults, recipe_for


def train(folder, **options):
    return train_run("mlp:64-8-10", **{"output": folder / "run", "epochs": 1, "threads": 1, **options})


def test_a_run_folder_holds_recipe_weights_and_metrics(tmp_path):
    training = train(tmp_path, rewind_at=5)

    seed = tmp_path / "run/seed-0"
    assert sorted(path.name for path in seed.iterdir()) == [
        "init.safetensors",
        "metrics.csv",
        "model.safetensors",
        "rewind.safetensors",
    ]
    recipe = tomllib.loads((tmp_path / "run/recipe.toml").read_text())
    assert recipe == {
        "model": "mlp:64-8-10",
        "epochs": 1,
        "batch_size": 32,
        "learning_rate": 0.002,
        "rewind_at": 5,
        "threads": 1,
        "optimizer": "adam",
        "momentum": 0.0,
        "weight_decay": 0.0,
        "schedule": "constant",
        "drops": [],
        "warmup": 0,
        "standardise": False,
        "augment": False,
        "device": "cpu",
        "initial_weights": "glorot-normal",
        "pruning": {"rate": 0.2, "scope": "layer"},
        "data": {"name": "digits", "sha256": recipe["data"]["sha256"]},
    }
    assert len(recipe["data"]["sha256"]) == 64
    assert (seed / "metrics.csv").read_text() == training.report.to_csv()
    init, rewind, model = (load_file(seed / f"{name}.safetensors") for name in ("init", "rewind", "model"))
    assert list(model) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert not np.array_equal(init["fc1.weight"], rewind["fc1.weight"])
    assert not np.array_equal(rewind["fc1.weight"], model["fc1.weight"])


def test_a_run_is_repeatable_bit_for_bit(tmp_path):
    one, two = train(tmp_path, output=tmp_path / "1"), train(tmp_path, output=tmp_path / "2")

    for name in ("init.safetensors", "rewind.safetensors", "model.safetensors", "metrics.csv"):
        assert (one.seed_folders[0] / name).read_bytes() == (two.seed_folders[0] / name).read_bytes()


def test_the_run_folder_is_named_after_model_and_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert str(train(tmp_path, output=None).folder) == "mlp-64-8-10-digits"


def test_seeds_of_one_recipe_share_a_folder(tmp_path):
    train(tmp_path)

    train(tmp_path, seed=1)

    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["recipe.toml", "seed-0", "seed-1"]


def test_a_run_that_is_there_already_is_refused_and_replaced_with_force(tmp_path):
    train(tmp_path)
    before = (tmp_path / "run/seed-0/model.safetensors").read_bytes()

    with pytest.raises(OutputError, match=r"init.safetensors: exists already; `force` replaces it"):
        train(tmp_path)
    train(tmp_path, epochs=2, force=True)

    assert (tmp_path / "run/seed-0/model.safetensors").read_bytes() != before


def test_another_recipe_in_the_same_folder_is_refused_and_replaced_with_force(tmp_path):
    train(tmp_path)

    with pytest.raises(
        OutputError, match=r"recipe.toml: is another recipe; `output` names another folder, `force` replaces it"
    ):
        train(tmp_path, epochs=2)
    train(tmp_path, epochs=2, force=True)

    assert tomllib.loads((tmp_path / "run/recipe.toml").read_text())["epochs"] == 2


def test_a_recipe_that_other_seeds_were_made_with_is_never_replaced(tmp_path):
    train(tmp_path)
    before = (tmp_path / "run/recipe.toml").read_bytes()

    with pytest.raises(OutputError, match=r"recipe.toml: is another recipe, with which seed-0 was made"):
        train(tmp_path, seed=1, epochs=2, force=True)

    assert (tmp_path / "run/recipe.toml").read_bytes() == before


def test_a_recipe_that_is_no_file_is_said(tmp_path):
    (tmp_path / "run/recipe.toml").mkdir(parents=True)

    with pytest.raises(OutputError, match=r"recipe.toml: cannot be read: Is a directory"):
        train(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seed": -1}, OptionError, r"the seed is -1; it must be at least 0 and below 2\^63"),
        ({"learning_rate": 1e30}, TrainingError, r"training diverged in epoch 1"),
        (
            {"data": Data.MNIST, "data_dir": "nowhere"},
            DataError,
            "nowhere: cannot be read as a folder",
        ),
        (
            {"recipe": "canonical"},
            OptionError,
            "mlp:64-8-10 has no canonical recipe; those that have one are lenet-300",
        ),
        ({"seeds": [1, 1]}, OptionError, r"the seeds are \[1, 1\]; at least one is needed, and each once"),
        ({"seeds": []}, OptionError, r"the seeds are \[\]; at least one is needed, and each once"),
        ({"device": "tpu"}, OptionError, "there is no device 'tpu'"),
        ({"rewind_at": 1000}, OptionError, "rewind_at is 1000, but training has 45 steps"),
        ({"epochs": -1}, OptionError, "epochs is -1; it must be at least 0"),
        ({"threads": 0}, OptionError, "threads is 0; it must be at least 1"),
    ],
)
def test_bad_arguments_leave_no_folder_behind(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        train(tmp_path, **options)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "run").touch()

    with pytest.raises(OutputError, match=r"cannot be (made|read): (Not a directory|File exists)"):
        train(tmp_path)


def test_replicates_are_trained_at_the_same_time_and_are_those_of_single_runs(tmp_path):
    together = train(tmp_path, output=tmp_path / "all", seeds=[3, 0], jobs=2)
    alone = train(tmp_path, output=tmp_path / "one", seed=3)

    assert [row["seed"] for row in together.report.rows] == [3, 3, 0, 0]
    assert together.n_new == 2
    for name in ("init.safetensors", "rewind.safetensors", "model.safetensors", "metrics.csv"):
        assert (tmp_path / "all/seed-3" / name).read_bytes() == (alone.seed_folders[0] / name).read_bytes()


def test_replicates_that_are_there_are_left_as_they_are(tmp_path):
    train(tmp_path, seeds=[0])
    before = (tmp_path / "run/seed-0/model.safetensors").stat().st_mtime_ns

    again = train(tmp_path, seeds=[0, 1])

    assert again.n_new == 1
    assert (tmp_path / "run/seed-0/model.safetensors").stat().st_mtime_ns == before
    assert [row["seed"] for row in again.report.rows] == [0, 0, 1, 1]


def test_replicates_of_another_recipe_are_refused(tmp_path):
    train(tmp_path, seeds=[0, 1], jobs=1)

    with pytest.raises(OutputError, match=r"recipe.toml: is another recipe, with which seed-0 was made"):
        train(tmp_path, seeds=[2], epochs=2)
    with pytest.raises(OutputError, match=r"is another recipe than that of these seeds; `output` names a new folder"):
        train(tmp_path, seeds=[0, 1], epochs=2, force=True)


def test_replicates_that_fail_leave_no_folder_behind(tmp_path):
    with pytest.raises(TrainingError, match="training diverged in epoch 1"):
        train(tmp_path, seeds=[0, 1], jobs=2, learning_rate=1e30)

    assert list(tmp_path.iterdir()) == []


def test_a_seed_that_was_trained_before_its_task_is_begun_again_stays(tmp_path, monkeypatch):
    """As where a machine fails after the weights are written and before the result is known."""
    begun = []

    def train_twice(task, on_step):
        for _ in range(2):
            begun.append(task.seed)
            train_seed(task, on_step)

    monkeypatch.setattr(training_command, "train_seed", train_twice)
    train(tmp_path, jobs=1)
    written = (tmp_path / "run/seed-0/model.safetensors").stat()

    assert begun == [0, 0]
    assert (tmp_path / "run/seed-0/model.safetensors").stat().st_ino == written.st_ino


def test_a_seed_that_another_run_trains_meanwhile_stays(tmp_path, monkeypatch):
    def train_beside_another(task, on_step):
        partial = Staging.partial
        train_seed(replace(task, run=RunFiles(tmp_path / "other")), on_step)

        def partial_after_another(staging, target):
            if not task.run.seed(0).trained.exists():
                task.run.seed(0).folder.mkdir(exist_ok=True)
                for path in RunFiles(tmp_path / "other").seed(0).in_order:
                    copy(path, task.run.seed(0).folder)
            return partial(staging, target)

        with monkeypatch.context() as patch:
            patch.setattr(Staging, "partial", partial_after_another)
            train_seed(task, on_step)

    monkeypatch.setattr(training_command, "train_seed", train_beside_another)
    train(tmp_path, jobs=1)

    names = ("init", "metrics", "model", "rewind")
    assert sorted(path.stem for path in (tmp_path / "run/seed-0").iterdir()) == sorted(names)


def test_the_recipe_comes_back_if_another_run_that_failed_took_it_away(tmp_path, monkeypatch):
    run_all = SideBySide.run

    def run_while_another_fails(*args, **options):
        run_all(*args, **options)
        (tmp_path / "run/recipe.toml").unlink()

    monkeypatch.setattr(SideBySide, "run", run_while_another_fails)
    train(tmp_path, seeds=[0])

    assert tomllib.loads((tmp_path / "run/recipe.toml").read_text())["model"] == "mlp:64-8-10"


def test_arrays_of_ones_own_are_trained_on(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 8, 8), dtype=np.uint8), np.arange(30) % 3
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    training = train_run("mlp:64-8-3", data=str(tmp_path / "own.npz"), output=tmp_path / "run", epochs=1)

    assert tomllib.loads((tmp_path / "run/recipe.toml").read_text())["data"]["name"] == "own"
    assert training.report.settings["data"] == "own"


def test_the_quick_recipe_is_the_canonical_one_in_one_epoch():
    quick, canonical = (recipe_for("lenet-300-100", "mnist", kind) for kind in (Recipes.QUICK, Recipes.CANONICAL))

    assert (canonical.epochs, quick.epochs) == (50, 1)
    assert (canonical.batch_size, canonical.learning_rate, canonical.optimizer) == (60, 1.2e-3, "adam")
    assert canonical.pruning == PruningDefaults(0.2, Scope.LAYER, {"fc3.weight": 0.1})
    assert replace(quick, epochs=50) == canonical


def test_the_quick_recipe_of_lenet_300_100_reaches_95_percent_on_mnist(tmp_path):
    if not (SHARED / "datasets/mnist").is_dir():
        pytest.skip("the published files of MNIST are not beside the project")

    training = train_run("lenet-300-100", recipe="quick", data_dir=SHARED / "datasets", output=tmp_path / "run")

    assert training.report.settings["data"] == "mnist"
    assert training.report.network["test_accuracy"] >= 0.95


def test_two_runs_may_write_the_same_new_recipe(tmp_path):
    from topoimp.commands.train import _write_recipe

    (tmp_path / "recipe.toml").write_text("a = 1")

    _write_recipe(tmp_path / "recipe.toml", "a = 1")
    with pytest.raises(OutputError, match="exists already"):
        _write_recipe(tmp_path / "recipe.toml", "a = 2")


def test_the_environment_says_where_published_data_lie_and_nothing_of_others(tmp_path, monkeypatch):
    monkeypatch.setenv("TOPOIMP_DATA_DIR", str(tmp_path / "nowhere"))

    train(tmp_path)
    with pytest.raises(DataError, match="nowhere: cannot be read as a folder"):
        train_run("lenet-300-100", data="mnist", output=tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "optimizer", "momentum"),
    [
        ({"optimizer": "sgd"}, "sgd", 0.0),
        ({"optimizer": "sgd", "momentum": 0.9, "weight_decay": 5e-4, "learning_rate": 0.05}, "sgd", 0.9),
        ({"weight_decay": 1e-4}, "adam", 0.0),
    ],
)
def test_another_optimizer_and_penalty_are_in_the_recipe(tmp_path, options, optimizer, momentum):
    usual = train(tmp_path, output=tmp_path / "usual")
    other = train(tmp_path, **options)

    recipe = tomllib.loads((tmp_path / "run/recipe.toml").read_text())
    assert (recipe["optimizer"], recipe["momentum"]) == (optimizer, momentum)
    assert recipe["weight_decay"] == options.get("weight_decay", 0.0)
    weights = [load_file(each.seed_folders[0] / "model.safetensors")["fc1.weight"] for each in (usual, other)]
    assert not np.array_equal(*weights)


def test_a_recipe_of_sgd_loses_its_momentum_with_adam(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (20, 3, 32, 32), dtype=np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    own = {"data": str(tmp_path / "own.npz"), "output": tmp_path / "run"}

    train_run("resnet-20", recipe="quick", epochs=0, optimizer="adam", **own)

    recipe = tomllib.loads((tmp_path / "run/recipe.toml").read_text())
    assert (recipe["optimizer"], recipe["momentum"], recipe["weight_decay"]) == ("adam", 0.0, 1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 0.9}, "momentum is of SGD; the optimizer is adam"),
        ({"optimizer": "sgd", "momentum": 1.0}, "momentum is 1.0; it must be at least 0 and below 1"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; it must be at least 0"),
        ({"optimizer": "lion"}, "there is no optimizer 'lion'"),
    ],
)
def test_steps_that_mean_nothing_are_refused(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        train(tmp_path, **options)

    assert list(tmp_path.iterdir()) == []
