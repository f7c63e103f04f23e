"""Layers by their names, of any type, from any checkpoint."""

import numpy as np
import pytest
import torch
from oracles import slow_forest
from safetensors.torch import save_file

from topoimp import LayerPatterns, barcode_of, layer_names, open_checkpoint, read_layer
from topoimp.errors import LayerError

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]


@pytest.mark.parametrize("dtype", TYPES)
def test_the_bars_of_a_layer_of_any_type_are_exact(tmp_path, dtype):
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 7))).to(dtype)
    save_file({"weight": weight}, tmp_path / "model.safetensors")

    deaths = barcode_of(read_layer(open_checkpoint(tmp_path / "model.safetensors"), "weight")).deaths

    exact = weight.double().abs().numpy()
    assert deaths.tolist() == [exact.flat[index] for index in slow_forest(exact)]


def test_every_name_that_is_listed_is_read(write):
    path = write({"fc10.weight": np.eye(3), "fc2.weight": 2 * np.eye(4), "fc2.bias": np.ones(4)})
    checkpoint = open_checkpoint(path)

    assert layer_names(checkpoint) == ["fc2.weight", "fc10.weight"]
    assert [read_layer(checkpoint, name).n_rows for name in layer_names(checkpoint)] == [4, 3]


def test_a_group_has_a_name_of_its_own(write):
    experts = np.arange(1.0, 25).reshape(2, 3, 4)
    checkpoint = open_checkpoint(write({"experts": experts}))
    patterns = LayerPatterns(groups=(("experts", 2),))

    assert layer_names(checkpoint, patterns=patterns) == ["experts[0]", "experts[1]"]
    assert (read_layer(checkpoint, "experts[1]", patterns=patterns).strengths() == experts[1]).all()


def test_a_tied_name_is_that_of_the_first(tmp_path):
    weight = torch.eye(3)
    torch.save({"a.weight": weight, "b.weight": weight}, tmp_path / "model.pt")

    layer = read_layer(open_checkpoint(tmp_path / "model.pt"), "b.weight")

    assert (layer.strengths() == np.eye(3)).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fc", "has no layer 'fc'; its layers are a.weight, b.weight, c.weight, ..."),
        ("a.bias", "'a.bias' is left out: one axis"),
    ],
)
def test_a_name_that_no_layer_has_is_refused_with_the_reason(write, name, message):
    path = write({**{f"{each}.weight": np.eye(3) for each in "abcd"}, "a.bias": np.ones(3)})

    with pytest.raises(LayerError) as error:
        read_layer(open_checkpoint(path), name)

    assert str(error.value) == f"{path}: {message}"


def test_a_layer_that_the_patterns_leave_out_is_none(write):
    path = write({"a.weight": np.eye(3), "b.weight": np.eye(3)})

    with pytest.raises(LayerError, match=r"'b\.weight' is left out: not asked for"):
        read_layer(open_checkpoint(path), "b.weight", patterns=LayerPatterns(exclude=("b*",)))
