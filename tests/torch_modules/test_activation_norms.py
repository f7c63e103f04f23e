"""Norms of the inputs of layers: those of a plain computation, as a file of scores has them, and no hook is left."""

import copy
from collections import UserDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, prune

from topoimp.commands.bound import bound_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import LayerError, OptionError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.activation_norms import activation_norms


class Conv1D(nn.Module):
    """A layer of (inputs, outputs) as transformers has it."""

    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight = nn.Parameter(torch.randn(nx, nf))

    def forward(self, x):
        return x @ self.weight


class Named(nn.Module):
    """Takes keyword arguments, as the models of transformers do, and has a layer that does not run."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
        self.unused = nn.Linear(3, 4)

    def forward(self, states, scale=1.0):
        return self.fc(scale * states)


def norms_of(inputs):
    """The norm of each feature, as a row."""
    flat = inputs.double().reshape(-1, inputs.shape[-1])
    return (flat**2).sum(dim=0).sqrt().float()[None]


def hooks_of(model):
    return [hook for module in model.modules() for hook in module._forward_pre_hooks]


@given(st.integers(0, 999), st.sampled_from([(5,), (2, 5), (2, 3, 5)]), st.integers(1, 3))
@settings(max_examples=20)
def test_norms_of_a_linear_layer_are_over_all_positions_of_all_batches(seed, shape, n_batches):
    generator = torch.Generator().manual_seed(seed)
    batches = [torch.randn(shape, generator=generator) for _ in range(n_batches)]

    norms = activation_norms(nn.Linear(5, 2), batches)

    torch.testing.assert_close(norms, {"weight": norms_of(torch.stack(batches))})


SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(
    st.integers(0, 999),
    SIZES,
    st.one_of(st.tuples(st.integers(0, 2), st.integers(0, 2)), st.just("valid")),
    SIZES,
    SIZES,
    st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    st.sampled_from([1, 2, 4]),
)
def test_norms_of_a_convolution_are_those_of_the_columns_that_its_rows_are_multiplied_with(
    seed, kernel, padding, stride, dilation, mode, groups
):
    options = {"padding": padding, "stride": stride, "dilation": dilation, "padding_mode": mode, "groups": groups}
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Conv2d(4, 8, kernel, bias=False, **options)
    images = torch.randn((3, 4, 9, 8), generator=generator)

    (norms,) = activation_norms(layer, [images[:1], images[1:]]).values()

    scores = slow_norms(layer, images)
    expected = scores[:1].flatten(1) if groups == 1 else layer.weight.detach().abs() * scores
    torch.testing.assert_close(norms, expected.float())


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_convolutions_that_keep_the_size_of_their_images_have_norms(mode):
    layer = nn.Conv2d(4, 8, (2, 3), padding="same", dilation=(1, 2), padding_mode=mode)
    images = torch.randn(2, 4, 6, 5)

    norms = activation_norms(layer, [images])["weight"]

    torch.testing.assert_close(norms, slow_norms(layer, images)[:1].flatten(1).float())


def slow_norms(layer, images):
    """The norm of the inputs that each weight is multiplied with: of the outputs of a kernel that is 1 there alone."""
    norms = torch.zeros(layer.weight.shape, dtype=torch.float64)
    single = copy.deepcopy(layer).double()
    single.bias = None
    with torch.no_grad():
        for column in np.ndindex(*layer.weight.shape[1:]):
            single.weight.zero_()
            single.weight[(slice(None), *column)] = 1
            norms[(slice(None), *column)] = single(images.double()).square().sum(dim=(0, 2, 3)).sqrt()
    return norms


@pytest.mark.parametrize(("layer", "shape"), [(nn.Conv1d(2, 3, 2), (2, 5)), (nn.Conv3d(2, 3, (1, 2, 1)), (2, 1, 5, 1))])
def test_convolutions_of_other_axes_and_without_a_batch_axis_have_norms(layer, shape):
    inputs = torch.randn(shape)

    norms = activation_norms(layer, [inputs])["weight"]

    line = inputs.flatten(1)
    torch.testing.assert_close(
        norms, torch.stack([line[:, :4].norm(dim=1), line[:, 1:].norm(dim=1)], dim=1).reshape(1, 4)
    )


def test_a_layer_of_inputs_and_outputs_has_a_factor_for_each_row():
    states = torch.randn(2, 4, 3)

    assert torch.equal(activation_norms(Conv1D(5, 3), [states])["weight"], norms_of(states).T)


def test_another_class_of_that_name_is_left_out():
    layer = Conv1D(5, 3)
    layer.nf = 3

    assert activation_norms(layer, [torch.randn(2, 3)]) == {}


def test_batches_are_tensors_arguments_or_keywords_and_layers_that_do_not_run_are_left_out():
    states = torch.randn(4, 3)
    batches = [states, (states, 2.0), [states, 2.0], {"states": states}, UserDict(states=states, scale=4.0)]

    norms = activation_norms(Named(), batches)

    torch.testing.assert_close(norms, {"fc.weight": norms_of(states) * (1 + 4 + 4 + 1 + 16) ** 0.5})


def test_a_layer_that_is_called_twice_and_a_tied_weight_have_one_entry():
    first = nn.Linear(3, 3, bias=False)
    tied = nn.Linear(3, 3, bias=False)
    tied.weight = first.weight
    states = torch.randn(4, 3)

    norms = activation_norms(nn.Sequential(first, first, tied), [states])

    with torch.no_grad():
        calls = torch.stack([states, first(states), first(first(states))])
    torch.testing.assert_close(norms, {"0.weight": norms_of(calls)})


def test_the_modes_of_modules_come_back_and_dropout_and_norms_do_nothing():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 2))
    model[1].eval()
    states = torch.randn(4, 3)

    norms = activation_norms(model, [states])

    torch.testing.assert_close(norms["2.weight"], norms_of(states), rtol=1e-4, atol=0)
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert model[0].num_batches_tracked == 0


def test_an_error_of_the_model_leaves_no_hook_and_no_mode():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(5, 2))

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        activation_norms(model, [torch.randn(4, 3)])

    assert hooks_of(model) == []
    assert all(module.training for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()


def test_hooks_are_removed_and_results_do_not_depend_on_the_number_of_calls():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    batches = [torch.randn(4, 3), torch.randn(2, 3)]

    once, again = activation_norms(model, batches), activation_norms(model, iter(batches))

    assert hooks_of(model) == []
    assert all(torch.equal(once[name], again[name]) for name in once)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite_are_an_error_that_names_the_layer(value):
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight[0, 0] = value

    message = r"^the inputs of '1.weight' hold a NaN or an infinity; norms need finite inputs$"
    with pytest.raises(LayerError, match=message):
        activation_norms(model, [torch.ones(1, 3)])

    assert hooks_of(model) == []


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "`batches` is empty; norms need at least one batch"),
        (torch.ones(4, 3), "`batches` is one Tensor; a list of batches is needed"),
        ({"states": torch.ones(4, 3)}, "`batches` is one dict; a list of batches is needed"),
        (
            [torch.ones(4, 3), "a text"],
            "`batches` has a str at 1; a tensor, a tuple or list of arguments, or a mapping of them is needed",
        ),
    ],
)
def test_batches_of_another_kind_are_refused_in_a_sentence(batches, message):
    with pytest.raises(OptionError) as error:
        activation_norms(nn.Linear(3, 2), batches)

    assert str(error.value) == message


def test_names_are_those_of_the_file_whatever_wraps_the_module():
    states = torch.randn(4, 3)
    model = nn.Sequential(nn.Linear(3, 3), torch.compile(nn.Linear(3, 2), backend="eager"))
    model.compile(backend="eager")
    prune.l1_unstructured(model[0], "weight", 0.5)
    with torch.no_grad():
        model(states)  # compiles its layers before they have hooks

    norms = activation_norms(nn.DataParallel(torch.compile(model, backend="eager")), [states])

    assert list(norms) == ["0.weight", "1.weight"]
    torch.testing.assert_close(norms["1.weight"], norms_of(model[0](states).detach()))


def test_a_weight_that_a_parametrization_computes_is_left_out():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 3)), nn.Linear(3, 2))

    assert list(activation_norms(model, [torch.randn(4, 3)])) == ["1.weight"]


def test_layers_of_a_transformer_of_torch_run_outside_its_fast_path():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
    padding = torch.tensor([[False, False, True]])

    norms = activation_norms(model, [{"src": torch.randn(1, 3, 8), "src_key_padding_mask": padding}])

    assert {name: tuple(each.shape) for name, each in norms.items()} == {
        "layers.0.linear1.weight": (1, 8),
        "layers.0.linear2.weight": (1, 16),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pruning_rows_by_the_norms_is_wanda_by_hand(tmp_path, dtype):
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 6)).to(dtype)
    batches = [torch.randn(5, 12, dtype=dtype) for _ in range(3)]
    norms = activation_norms(model, batches)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    save_file(norms, tmp_path / "norms.safetensors")

    options = PruningOptions(sparsity=0.5, method="magnitude", scope="row")
    pruned = prune_checkpoint(tmp_path / "model.safetensors", options, scores=tmp_path / "norms.safetensors")

    masks = read_masks(pruned.outputs.mask)
    for name, norm in norms.items():
        scores = model.get_parameter(name).detach().double().abs() * norm.double()
        smallest_kept = scores.sort(dim=1, descending=True).values[:, scores.shape[1] // 2 - 1, None]
        assert np.array_equal(masks[name].kept(), (scores >= smallest_kept).numpy())


def test_scores_of_convolutions_with_groups_are_read_with_and_without_their_groups(tmp_path):
    model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), nn.Conv2d(8, 4, 3))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    save_file(activation_norms(model, [torch.randn(2, 4, 8, 8)]), tmp_path / "norms.safetensors")

    report = bound_report(tmp_path / "model.safetensors", scores=tmp_path / "norms.safetensors")

    assert [row["layer"] for row in report.layers] == ["0.weight", "2.weight"]
