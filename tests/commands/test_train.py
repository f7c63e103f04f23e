import tomllib

import numpy as np
import pytest
from safetensors.numpy import load_file

from topoimp.choices import Data
from topoimp.commands.train import train_run
from topoimp.errors import OptionError, OutputError, TrainingError


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
        "initial_weights": "glorot-normal",
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
        assert (one.seed_folder / name).read_bytes() == (two.seed_folder / name).read_bytes()


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

    with pytest.raises(OutputError, match=r"init.safetensors: exists already; --force replaces it"):
        train(tmp_path)
    train(tmp_path, epochs=2, force=True)

    assert (tmp_path / "run/seed-0/model.safetensors").read_bytes() != before


def test_another_recipe_in_the_same_folder_is_refused_and_replaced_with_force(tmp_path):
    train(tmp_path)

    with pytest.raises(
        OutputError, match=r"recipe.toml: is another recipe; -o names another folder, --force replaces it"
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
        ({"data": Data.MNIST}, OptionError, "--data-dir must name their folder"),
        ({"rewind_at": 1000}, OptionError, "rewind_at is 1000, but training has 45 steps"),
        ({"epochs": -1}, OptionError, "epochs is -1; it must be at least 0"),
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
