import copy
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from outputs import OF_FILES, without_columns
from safetensors.torch import load_file
from strategies import FREE_METHODS, KINDS, SEEDS, make_weight
from torch import nn

from topoimp.choices import Method, Scope, View
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import LayerError, OptionError
from topoimp.layers.layer import as_layer
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.topology.forest import spanning_forest
from topoimp.torch_modules.pruning import prune_module


def network(seed=0, kinds=("normal", "normal", "normal"), dtype=torch.float32):
    """Three layers of 12x9, 7x12 and 5x7 weights."""
    model = nn.Sequential(nn.Linear(9, 12), nn.Linear(12, 7), nn.Linear(7, 5))
    for number, (layer, kind) in enumerate(zip(model, kinds, strict=True)):
        layer.weight.data = torch.from_numpy(make_weight(seed + number, *layer.weight.shape, kind))
        layer.bias.data = torch.arange(float(len(layer.bias)))
    return model.to(dtype)


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def assert_as_the_file_command(model, *, rounds=None, sparsity=None, **options):
    """Prune a module, and its saved state dict, and compare every bit of weights and masks, and every number."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "model.pt"
        torch.save(model.state_dict(), saved)
        output = saved.with_suffix(".safetensors")
        of_file = prune_checkpoint(saved, PruningOptions(rounds=rounds, sparsity=sparsity, **options), output=output)
        weights, masks = load_file(of_file.outputs.checkpoint), read_masks(of_file.outputs.mask)

        of_module = prune_module(model, PruningOptions(rounds=rounds, sparsity=sparsity, **options))

        assert of_module.report.rows == without_columns(of_file.report.rows, OF_FILES)
        assert of_module.report.settings == of_file.report.settings
        assert of_module.held_at_floor == of_file.held_at_floor
        assert {
            name: tensor for name, tensor in weights.items() if not bits(model.state_dict()[name]).equal(bits(tensor))
        } == {}
        assert set(of_module.masks) <= set(masks)
        assert [
            name for name, mask in of_module.masks.items() if not mask.equal(torch.from_numpy(masks[name].kept()))
        ] == []
        return of_module


@settings(max_examples=40)
@given(
    SEEDS,
    st.tuples(*[st.sampled_from(KINDS)] * 3),
    st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2]),
    st.sampled_from(FREE_METHODS),
    st.sampled_from(Scope),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_a_module_is_pruned_bit_for_bit_as_its_saved_state_dict(seed, kinds, dtype, method, scope, rounds, epsilon):
    epsilon = epsilon if method is Method.TOPOLOGICAL else 0.0

    assert_as_the_file_command(
        network(seed, kinds, dtype), rounds=rounds, method=method, scope=scope, epsilon=epsilon, seed=seed
    )


def test_so_it_is_with_a_sparsity_rates_of_layers_and_patterns():
    assert_as_the_file_command(network(), sparsity=0.8, rounds=3)
    assert_as_the_file_command(network(), rounds=4, rate=0.3, layer_rates={"2.*": 0.15})
    assert_as_the_file_command(network(), rounds=4, patterns=LayerPatterns(exclude=("0.*",)))


def test_so_it_is_with_groups_of_which_some_are_left_alone():
    patterns = LayerPatterns(include=("0.weight[[]1[]]", "2.weight"), groups=(("0.weight", 3),))

    masks = assert_as_the_file_command(network(), rounds=2, patterns=patterns).masks

    assert [int(part.sum()) for part in masks["0.weight"].split(4)] == [36, 23, 36]


def test_so_it_is_with_groups_of_columns():
    patterns = LayerPatterns(exclude=("0.weight[[]1[]]",), groups=(("0.weight", 3, 1),))

    masks = assert_as_the_file_command(network(), rounds=2, patterns=patterns).masks

    assert [int(part.sum()) for part in masks["0.weight"].split(3, dim=1)] == [23, 36, 23]


def test_so_it_is_with_convolutions_that_lie_channel_by_channel_in_memory():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3)).to(
        memory_format=torch.channels_last
    )

    assert_as_the_file_command(model, rounds=3)


def tied_network():
    model = nn.ModuleDict({"embed": nn.Embedding(20, 6), "body": nn.Linear(6, 6), "body2": nn.Linear(6, 6)})
    model["lm_head"] = nn.Linear(6, 20, bias=False)
    model["lm_head"].weight = model["embed"].weight
    model["body2"].weight = model["body"].weight
    return model


def test_embeddings_are_left_alone_and_tied_parameters_pruned_once():
    pruning = assert_as_the_file_command(tied_network(), rounds=1)

    assert list(pruning.masks) == ["body.weight"]
    assert pruning.report.left_out["body2.weight"] == "tied to body.weight, and looked at there"
    assert pruning.report.left_out["embed.weight"] == "an embedding or a head"


def test_embeddings_are_pruned_if_asked_for():
    pruning = assert_as_the_file_command(tied_network(), rounds=1, patterns=LayerPatterns(embeddings=True))

    assert list(pruning.masks) == ["body.weight", "embed.weight"]


def test_buffers_are_no_weights():
    model = network()
    model.register_buffer("positions", torch.randn(8, 8))

    assert "positions" not in prune_module(model, PruningOptions(rounds=1)).masks
    assert model.positions.count_nonzero() == 64


@given(SEEDS, st.sampled_from(KINDS), st.integers(1, 20))
def test_full_protection_keeps_every_barcode(seed, kind, rounds):
    model = network(seed, [kind] * 3)
    before = [spanning_forest(as_layer(layer.weight)).strengths for layer in model]

    prune_module(model, PruningOptions(rounds=rounds))

    assert [list(spanning_forest(as_layer(layer.weight)).strengths) for layer in model] == list(map(list, before))


def test_pruned_weights_become_zero_where_the_mask_says_so_and_others_stay():
    model = network()
    before = copy.deepcopy(model)

    pruning = prune_module(model, PruningOptions(rounds=1, sparsity=0.5))

    assert pruning.masks["0.weight"].dtype is torch.bool
    assert model[0].weight.equal(before[0].weight * pruning.masks["0.weight"])
    assert pruning.report.layers[0]["density"] == 0.5


def test_a_mask_that_is_given_counts_from_the_start():
    model, given_mask = network(), torch.ones(12, 9)
    given_mask[:, 4] = 0

    pruning = prune_module(model, PruningOptions(rounds=1, rate=0.25), masks={"0.weight": given_mask})

    assert pruning.masks["0.weight"][:, 4].sum() == 0
    assert pruning.report.layers[0]["n_edges"] == 96
    assert pruning.report.layers[0]["n_kept"] == 72


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
@pytest.mark.parametrize("method", FREE_METHODS)
def test_wrappers_change_nothing(wrap, method):
    bare, wrapped = network(), wrap(network())

    masks, wrapped_masks = (
        prune_module(model, PruningOptions(rounds=2, method=method)).masks for model in (bare, wrapped)
    )

    assert list(masks) == list(wrapped_masks)
    assert all(masks[name].equal(wrapped_masks[name]) for name in masks)
    assert all(map(torch.equal, bare.state_dict().values(), wrapped.state_dict().values()))


def test_a_weight_that_is_not_finite_is_refused_and_nothing_changes():
    model = network()
    model[1].weight.data[2, 3] = float("nan")
    before = copy.deepcopy(model.state_dict())

    with pytest.raises(LayerError, match=r"Sequential: tensor '1.weight' holds 1 NaN, the first at index 27"):
        prune_module(model, PruningOptions(rounds=1))
    assert all(bits(tensor).equal(bits(before[name])) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither rounds nor a sparsity is given; `rounds`, `sparsity` or both are needed"),
        ({"rounds": 0}, "the number of rounds is 0; it must be at least 1"),
        ({"sparsity": 1.0}, "the sparsity is 1.0; it must be above 0 and below 1"),
        ({"rounds": 2, "epsilon": 2.0}, "epsilon is 2.0; it must be at least 0"),
        ({"rounds": 2, "method": "best"}, "there is no method 'best'"),
        ({"rounds": 2, "scope": "all"}, "there is no scope 'all'"),
        (
            {"rounds": 2, "patterns": LayerPatterns(include=("conv*",))},
            "pattern 'conv\\*' matches no layer of Sequential",
        ),
        ({"rounds": 2, "patterns": LayerPatterns(view=View.CHANNEL)}, "the view is channel; pruning is of weights"),
        ({"rounds": 2, "layer_rates": {"9.*": 0.1}}, "pattern '9.\\*' matches no layer that is pruned"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        prune_module(network(), PruningOptions(**options))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threads": 0}, "the number of threads is 0"),
        ({"masks": {"fc": torch.ones(1)}}, "'fc' is no parameter of this Sequential"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(OptionError, match=message):
        prune_module(network(), PruningOptions(rounds=2), **arguments)


def test_a_module_without_a_layer_is_refused():
    with pytest.raises(LayerError, match="BatchNorm1d: holds 2 tensors, and no layer: "):
        prune_module(nn.BatchNorm1d(3), PruningOptions(rounds=1))
