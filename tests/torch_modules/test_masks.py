import numpy as np
import pytest
import torch
from mask_files import pack_mask
from torch import nn

from topoimp.errors import OptionError
from topoimp.torch_modules.masks import bits_of, clear, masks_by_parameter, put_on


@pytest.mark.parametrize(
    "mask",
    [
        torch.eye(2).bool(),
        torch.eye(2),
        torch.eye(2, dtype=torch.bfloat16),
        torch.eye(2, dtype=torch.uint8),
        pack_mask(np.eye(2, dtype=bool), (2, 2)),
    ],
)
def test_a_mask_may_be_booleans_zeros_and_ones_or_packed(mask):
    model = nn.Linear(2, 2)

    assert masks_by_parameter(model, {"weight": mask})[model.weight].equal(torch.eye(2).bool())


@pytest.mark.parametrize("value", [0.5, 2.0, float("nan")])
def test_other_values_are_refused(value):
    with pytest.raises(OptionError, match=r"the mask of 'weight' has values besides 0 and 1"):
        masks_by_parameter(nn.Linear(2, 2), {"weight": torch.full((2, 2), value)})


def test_tied_parameters_may_have_one_mask_under_both_names_but_not_two():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    same, other = torch.eye(2), torch.ones(2, 2)

    assert list(masks_by_parameter(model, {"0.weight": same, "1.weight": same})) == [model[0].weight]
    with pytest.raises(OptionError, match=r"'1.weight' is tied to a parameter with another mask"):
        masks_by_parameter(model, {"0.weight": same, "1.weight": other})


def test_no_masks_are_no_masks():
    assert masks_by_parameter(nn.Linear(2, 2), {}) == {}


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.float8_e4m3fn,
        torch.complex64,
        torch.complex128,
    ],
)
def test_what_is_cleared_is_positive_zero_whatever_was_there(dtype):
    tensor = torch.tensor([[-1.0, -0.0], [float("nan"), 2.0]]).to(dtype)

    clear(tensor, bits_of(torch.tensor([[False, False], [False, True]]), tensor))

    expected = torch.tensor([[0.0, 0.0], [0.0, 2.0]]).to(dtype)
    assert tensor.view(torch.uint8).equal(expected.view(torch.uint8))


def test_a_transposed_tensor_is_cleared_where_it_is_meant():
    tensor = torch.arange(6.0).reshape(2, 3)

    clear(tensor.T, bits_of(torch.tensor([[True, False], [True, True], [True, True]]), tensor))

    assert tensor.tolist() == [[0, 1, 2], [0, 4, 5]]


def test_masks_are_put_on_in_place_although_parameters_need_gradients():
    weight = nn.Parameter(torch.ones(2, 2))

    put_on({weight: torch.eye(2).bool()})

    assert weight.equal(torch.eye(2))
    assert weight.requires_grad
