"""The factors of weight norm are no layers: the network computes with their product."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import LayerError
from topoimp.layers.notes import notes_on
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers, sorted_tensors
from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.pruning import prune_module


def with_weight_norm(module, dim, *, is_parametrization):
    if is_parametrization:
        return parametrizations.weight_norm(module, dim=dim)
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(module, dim=dim)


@pytest.mark.parametrize("is_parametrization", [True, False])
@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("module", [nn.Linear(5, 4), nn.Conv2d(3, 4, 3), nn.ConvTranspose1d(4, 6, 5)], ids=str)
def test_both_factors_are_left_out_and_the_other_layers_stay(tmp_path, module, dim, is_parametrization):
    module = with_weight_norm(type(module)(*_sizes(module)), dim, is_parametrization=is_parametrization)
    network = nn.Sequential(module, nn.Linear(6, 3))
    torch.save(network.state_dict(), tmp_path / "network.pt")

    layers = select_layers(open_checkpoint(tmp_path / "network.pt"), LayerPatterns())

    assert [info.name for info in layers.infos] == ["1.weight"]
    left_out = {tensor.name: tensor.rule.name for tensor in layers.left_out}
    length, direction = (
        ("0.parametrizations.weight.original0", "0.parametrizations.weight.original1")
        if is_parametrization
        else ("0.weight_g", "0.weight_v")
    )
    assert left_out[direction] == "factor"
    assert left_out[length] in ("scalar", "single row", "single column")
    assert any(note.startswith("left out as factors of weight norm: ") for note in notes_on(layers))


def _sizes(module):
    return (5, 4) if isinstance(module, nn.Linear) else (module.in_channels, module.out_channels, module.kernel_size)


def test_a_file_of_factors_alone_is_refused_with_the_remedy(tmp_path):
    torch.save(parametrizations.weight_norm(nn.Linear(5, 4)).state_dict(), tmp_path / "network.pt")

    with pytest.raises(LayerError) as error:
        select_layers(open_checkpoint(tmp_path / "network.pt"), LayerPatterns())

    assert str(error.value) == (
        f"{tmp_path}/network.pt: holds 3 tensors, and no layer: parametrizations.weight.original1 is a factor of "
        "weight norm; torch.nn.utils.remove_weight_norm or parametrize.remove_parametrizations joins the two"
    )


def test_a_direction_that_is_named_is_read_as_it_is(tmp_path):
    torch.save(parametrizations.weight_norm(nn.Linear(5, 4)).state_dict(), tmp_path / "network.pt")

    layers = select_layers(open_checkpoint(tmp_path / "network.pt"), LayerPatterns(include=("*original1",)))

    assert [info.name for info in layers.infos] == ["parametrizations.weight.original1"]


def test_a_module_is_refused_until_the_remedy_is_applied():
    module = parametrizations.weight_norm(nn.Linear(5, 4))

    with pytest.raises(LayerError, match="is a factor of weight norm"):
        prune_module(module, PruningOptions(sparsity=0.5))

    parametrize.remove_parametrizations(module, "weight")
    prune_module(module, PruningOptions(sparsity=0.5))
    assert (module.weight == 0).sum() == 10


@pytest.mark.parametrize(
    "shapes",
    [
        {"a_g": (4, 5), "a_v": (4, 5)},
        {"a_v": (4, 5)},
        {"a_g": (5, 1), "a_v": (4, 5)},
        {"a.original0": (4, 1), "a.original1": (4, 5)},
    ],
    ids=str,
)
def test_pairs_of_other_shapes_or_names_are_ordinary(tmp_path, shapes):
    torch.save({name: torch.rand(shape) for name, shape in shapes.items()}, tmp_path / "network.pt")

    layers = sorted_tensors(open_checkpoint(tmp_path / "network.pt"), LayerPatterns())

    assert max(shapes) in [info.name for info in layers.infos]
