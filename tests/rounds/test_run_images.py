import numpy as np
import pytest

from topoimp.commands.train import train_run
from topoimp.errors import CheckpointError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.spatial import InputSize
from topoimp.rounds.run_images import image_of_run, images_of_run, with_images_of_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "run"
    train_run("conv-2", output=folder, epochs=0)
    return folder


@pytest.mark.parametrize("path", ["seed-0/model.safetensors", "seed-0/topological/round-01/model.safetensors"])
def test_checkpoints_of_seeds_and_rounds_have_the_images_of_their_network(run, path):
    assert images_of_run(run / path) == {
        "conv1.weight": InputSize((8, 8), 1, 1),
        "conv2.weight": InputSize((8, 8), 1, 1),
    }


def test_a_relative_path_does_too(run, monkeypatch):
    monkeypatch.chdir(run / "seed-0")

    assert list(images_of_run("model.safetensors")) == ["conv1.weight", "conv2.weight"]


def test_nothing_is_known_outside_a_run(run, tmp_path):
    assert images_of_run(tmp_path / "model.safetensors") == {}
    assert images_of_run(run / "seed-0/topological/model.safetensors") == {}


def test_nothing_is_known_of_a_file_of_arrays(tmp_path):
    images, labels = np.zeros((10, 1, 8, 8), np.float32), np.arange(10)
    np.savez(tmp_path / "own.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    train_run("conv-2", data=str(tmp_path / "own.npz"), output=tmp_path / "run", epochs=0)

    assert images_of_run(tmp_path / "run/seed-0/model.safetensors") == {}


def test_a_recipe_that_is_none_is_an_error(tmp_path):
    (tmp_path / "seed-0").mkdir()
    (tmp_path / "recipe.toml").write_text("model = 3")

    with pytest.raises(CheckpointError, match=r"recipe\.toml: is no recipe"):
        images_of_run(tmp_path / "seed-0/model.safetensors")


def test_other_views_need_no_image(run):
    patterns = LayerPatterns()

    assert with_images_of_run(patterns, run / "seed-0/model.safetensors") is patterns


def test_the_images_of_the_data_are_those_of_the_recipe(run, tmp_path):
    assert image_of_run(run / "seed-0/model.safetensors") == (1, 8, 8)
    assert image_of_run(run / "seed-0/topological/round-01/model.safetensors") == (1, 8, 8)
    assert image_of_run(tmp_path / "model.safetensors") is None
