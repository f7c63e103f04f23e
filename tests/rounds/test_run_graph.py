import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from topoimp.architectures import parse_architecture
from topoimp.architectures.graph import architecture_graph
from topoimp.checkpoint import open_checkpoint
from topoimp.network.graph import chain_graph
from topoimp.rounds.recipe_file import read_recipe
from topoimp.rounds.run_graph import graph_of_recipe, graph_of_run


def arrays_of(architecture):
    return {name: np.zeros(shape, np.float32) for name, shape in architecture.weights.items()}


def graph_by(model, run, path):
    return graph_of_recipe(replace(read_recipe(run).recipe, model=model), open_checkpoint(path))


def test_a_checkpoint_of_a_run_folder_has_the_graph_of_its_recipe(run):
    path = run / "seed-0/model.safetensors"
    weights = load_file(path)

    graph = graph_of_run(open_checkpoint(path))

    assert graph == chain_graph({name: weight.shape for name, weight in weights.items() if weight.ndim > 1})


@pytest.mark.parametrize("model", ["lenet-300-100", "conv-2", "resnet-20", "resnet-18", "vgg-11"])
def test_the_data_decide_the_sides_of_a_network(run, write, model):
    image = (2, 16, 16) if model == "conv-2" else (4, 32, 32)
    architecture = parse_architecture(model, image=image, n_classes=7)

    assert graph_by(model, run, write(arrays_of(architecture))) == architecture_graph(architecture)


@pytest.mark.parametrize("model", ["no-such-model", "lenet-5", "resnet-20"])
def test_another_network_has_no_graph(run, model):
    assert graph_by(model, run, run / "seed-0/model.safetensors") is None


def test_layers_of_other_axes_are_another_network(run, write):
    path = write({f"fc{k}.weight": np.zeros((2, 2, 1, 1), np.float32) for k in (1, 2, 3)})

    assert graph_by("lenet-300-100", run, path) is None


def test_outside_a_run_folder_no_graph_is_known(run, tmp_path):
    shutil.copy(run / "seed-0/model.safetensors", tmp_path / "model.safetensors")

    assert graph_of_run(open_checkpoint(tmp_path / "model.safetensors")) is None


def test_a_recipe_that_cannot_be_read_gives_no_graph(run):
    (run / "recipe.toml").write_text("model = ")

    assert graph_of_run(open_checkpoint(run / "seed-0/model.safetensors")) is None


def test_a_checkpoint_of_other_tensors_in_a_run_folder_has_none(run):
    save_file({"weight": np.ones((3, 3), np.float32)}, run / "seed-0/model.safetensors")

    assert graph_of_run(open_checkpoint(run / "seed-0/model.safetensors")) is None
