"""Values computed without topoimp, in two ways that agree: argsort and union-find in float64, and GUDHI 3.13.0."""

import hashlib

import numpy as np
import pytest
import torch
from conftest import SHARED
from safetensors.torch import save_file

from topoimp.commands.barcode import barcode_report

RIECK_OF_MNIST_MLP = {
    "network.0.weight": (1295, 0.6068017290606535, 0.6061651075563473),
    "network.2.weight": (767, 0.6269929249251422, 0.6259523519736842),
    "network.4.weight": (265, 0.7044847662991895, 0.7018013971501933),
}


@pytest.fixture(scope="module")
def mnist_mlp(tmp_path_factory):
    path = SHARED / "checkpoints/tensorfold_mnist_mlp.pt"
    if not path.is_file():
        pytest.skip("the MNIST network of others, tensorfold_mnist_mlp.pt, is not beside the project")
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith("858af839b637327e")
    converted = tmp_path_factory.mktemp("golden") / "mnist_mlp.safetensors"
    state = torch.load(path, weights_only=True, map_location="cpu")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, converted)
    return barcode_report(converted)


@pytest.mark.parametrize("name", RIECK_OF_MNIST_MLP)
def test_each_layer_of_a_network_trained_by_others(mnist_mlp, name):
    (row,) = [row for row in mnist_mlp.layers if row["layer"] == name]

    n_bars, rieck, rieck_finite = RIECK_OF_MNIST_MLP[name]
    assert row["floor"] == n_bars
    assert row["np_rieck"] == pytest.approx(rieck, abs=1e-12)
    assert row["np_rieck_finite"] == pytest.approx(rieck_finite, abs=1e-12)


def test_the_mean_over_that_network(mnist_mlp):
    assert mnist_mlp.network["np_rieck"] == pytest.approx(0.6460931400949951, abs=1e-12)
    assert mnist_mlp.network["np_rieck_finite"] == pytest.approx(0.6446396188934083, abs=1e-12)


def test_two_layers_of_equal_weights_by_hand(write):
    report = barcode_report(write({"a": -np.ones((2, 4)), "b": -np.ones((2, 2))}))

    assert [row["np_rieck"] for row in report.layers] == pytest.approx(
        [0.4472135954999579, 0.5773502691896258], abs=1e-12
    )
    assert report.network["np_rieck"] == pytest.approx(0.5122819323447919, abs=1e-12)


def test_the_same_layers_cut_in_two_by_hand(write):
    a, b = [[1, 0, 1, 0], [0, 1, 1, 0]], [[0, 0], [1, 1]]
    report = barcode_report(write({"a": -np.array(a, float), "b": -np.array(b, float)}))

    assert [row["beta0"] for row in report.layers] == [2, 2]
    assert [row["np_rieck"] for row in report.layers] == pytest.approx(
        [0.6324555320336759, 0.8164965809277261], abs=1e-12
    )
    assert report.network["np_rieck"] == pytest.approx(0.724476056480701, abs=1e-12)
