import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import weights

from topoimp.checkpoint import TensorInfo, open_checkpoint, tensors_as_checkpoint
from topoimp.checkpoint.masked_weights import masked_weights, ties_of_weights
from topoimp.errors import CheckpointError


def described(**tensors):
    return {name: TensorInfo(name, dtype, shape, 0, 0) for name, (dtype, shape) in tensors.items()}


@given(weights(), st.integers(0, 2**32 - 1), st.sampled_from(["float32", "float64", "bool", "uint8", "int64"]))
def test_a_masked_weight_is_the_original_where_the_mask_is_1_and_zero_elsewhere(weight, seed, dtype):
    kept = np.random.default_rng(seed).random(weight.shape) < 0.5
    parts = {"w_orig": torch.tensor(weight), "w_mask": torch.tensor(kept).to(getattr(torch, dtype))}

    checkpoint = tensors_as_checkpoint(parts, name="memory")

    assert list(checkpoint.tensors) == ["w"]
    assert checkpoint.tensors["w"].shape == weight.shape
    expected = np.where(kept, weight, 0)
    assert_array_equal(checkpoint.stored("w"), np.frombuffer(expected.tobytes(), np.uint8))
    middle = weight.size // 2
    assert_array_equal(checkpoint.codes("w", middle, weight.size), checkpoint.codes("w")[middle:])
    assert_array_equal(np.abs(expected), (parts["w_orig"] * parts["w_mask"]).abs().numpy())


def test_it_stands_at_the_place_of_its_original_and_the_rest_stays(write):
    arrays = {"a": np.ones(2), "b_mask": np.eye(2), "b_orig": np.ones((2, 2)), "c": np.ones(3)}
    checkpoint = open_checkpoint(write(arrays))

    assert list(checkpoint.tensors) == ["a", "b", "c"]
    assert list(checkpoint.stored_tensors) == list(arrays)
    assert checkpoint.stored_as("b") == ["b_orig", "b_mask"]
    assert checkpoint.stored_as("c") == ["c"]


@pytest.mark.parametrize(
    "tensors",
    [
        {"w_orig": ("F32", (2, 3))},
        {"w_mask": ("F32", (2, 3))},
        {"w_orig": ("F32", (2, 3)), "w_mask": ("F32", (3,))},
        {"w_orig": ("I8", (2, 3)), "w_mask": ("F32", (2, 3))},
        {"w_orig": ("F32", (2, 3)), "w_mask": ("C64", (2, 3))},
        {"w_orig": ("F32", (2, 3)), "w_mask": ("F32", (2, 3)), "w": ("F32", (2, 3))},
        {"_orig": ("F32", (2, 3)), "_mask": ("F32", (2, 3))},
    ],
)
def test_what_torch_does_not_write_is_no_masked_weight(tensors):
    assert masked_weights(described(**tensors)) == {}


@pytest.mark.parametrize(("number", "text"), [(0.5, "0.5"), (-1.0, "-1"), (float("nan"), "nan")])
def test_a_mask_of_other_numbers_is_refused(tmp_path, number, text):
    mask = torch.ones(2, 3)
    mask[1, 0] = number
    torch.save({"w_orig": torch.ones(2, 3), "w_mask": mask}, tmp_path / "m.pt")

    with pytest.raises(CheckpointError, match=rf"m.pt: tensor 'w_mask' holds {text} at index 3; as a mask it needs"):
        open_checkpoint(tmp_path / "m.pt").stored("w")


def test_nan_and_infinity_stay_under_a_mask_as_the_network_computes_nan_with_them():
    parts = {"w_orig": torch.tensor([[1.0, float("nan")], [float("-inf"), 2]]), "w_mask": torch.zeros(2, 2)}

    product = tensors_as_checkpoint(parts, name="memory").codes("w").view(np.float32)

    assert_array_equal(product, [0, np.nan, -np.inf, 0])
    assert (parts["w_orig"] * parts["w_mask"]).isnan().sum() == 2


PAIRS = masked_weights(
    described(**{f"{name}_{part}": ("F32", (2, 2)) for name in "ab" for part in ("orig", "mask")}, c=("F32", (2, 2)))
)


@pytest.mark.parametrize(
    ("ties", "expected"),
    [
        ({}, {}),
        ({"b_orig": "a_orig"}, {}),  # two weights of one original, each with a mask of its own
        ({"b_orig": "a_orig", "b_mask": "a_mask"}, {"b": "a"}),
        ({"c": "a_orig"}, {"c": "a_orig"}),
        ({"b_orig": "c"}, {"c": "b_orig"}),
        ({"d": "c"}, {"d": "c"}),
        ({"b_orig": "c", "d": "c"}, {"c": "b_orig", "d": "b_orig"}),
    ],
)
def test_weights_are_tied_if_both_parts_are_and_nothing_else_shares_an_original(ties, expected):
    assert ties_of_weights(ties, PAIRS) == expected
