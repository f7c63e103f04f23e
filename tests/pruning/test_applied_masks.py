import numpy as np
import pytest
import torch
from conftest import stream_of
from mask_files import pack_mask, write_masks
from numpy.testing import assert_array_equal

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import CheckpointError
from topoimp.pruning.applied_masks import NonzeroPruner, is_mask_of, masks_for
from topoimp.pruning.rules import kept_of

KEPT = np.array([[True, False, True], [False, False, True]])
TYPES = [torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64, torch.float32, torch.bfloat16]


@pytest.fixture
def layers(write):
    return stream_of(write({"fc.weight": np.arange(1.0, 7).reshape(2, 3)})).layers


def saved(path, tensors):
    torch.save(tensors, path)
    return open_checkpoint(path)


def kept_by(mask, layers):
    (info,) = layers.infos
    return kept_of(masks_for(layers, mask)[info.name], layers.read(info), threads=2).reshape(info.shape)


def test_the_weights_that_are_not_zero_are_kept(write):
    weight = np.float32([[1, 0, -0.0], [2, 3, 0]])
    layers = stream_of(write({"a": weight})).layers
    pruner = NonzeroPruner(layers.checkpoint, "a", layers.infos[0].block)

    assert kept_of(pruner, layers.read(layers.infos[0]), threads=2).tolist() == (weight.ravel() != 0).tolist()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ["fc.weight", "fc.weight_mask", "module.fc.weight", "_orig_mod.fc.weight_mask"])
def test_a_mask_of_another_tool_of_any_type_and_under_any_usual_name_is_applied(layers, tmp_path, dtype, name):
    mask = saved(tmp_path / "mask.pt", {name: torch.tensor(KEPT).to(dtype), "fc.bias": torch.zeros(2)})

    assert is_mask_of(layers, mask)
    assert_array_equal(kept_by(mask, layers), KEPT)


def test_a_mask_file_serves_a_network_that_a_wrapper_renamed(write, tmp_path):
    wrapped = stream_of(write({"module.fc.weight": np.arange(1.0, 7).reshape(2, 3)})).layers
    write_masks(tmp_path / "mask.safetensors", {"fc.weight": pack_mask(KEPT, KEPT.shape)}, {})

    assert_array_equal(kept_by(open_checkpoint(tmp_path / "mask.safetensors"), wrapped), KEPT)


def test_zeros_of_weights_are_a_mask_but_weights_are_no_mask(layers, tmp_path):
    weights = saved(tmp_path / "mask.pt", {"fc.weight": torch.tensor(KEPT) * torch.tensor([1.0, 1.0, 0.5])})

    assert not is_mask_of(layers, weights)
    assert_array_equal(kept_by(weights, layers), KEPT)


def test_a_number_far_behind_tells_weights_from_a_mask(write, tmp_path):
    layers = stream_of(write({"fc.weight": np.ones((300, 400))})).layers
    weights = torch.ones(300, 400)
    weights[299, 398] = 0

    assert is_mask_of(layers, saved(tmp_path / "mask.pt", {"fc.weight": weights}))
    weights[299, 399] = 0.25
    assert not is_mask_of(layers, saved(tmp_path / "other.pt", {"fc.weight": weights}))


def test_floating_point_numbers_without_a_zero_or_without_a_one_are_no_mask(layers, tmp_path):
    assert not is_mask_of(layers, saved(tmp_path / "ones.pt", {"fc.weight": torch.ones(2, 3)}))
    assert not is_mask_of(layers, saved(tmp_path / "zeros.pt", {"fc.weight": torch.zeros(2, 3)}))
    assert is_mask_of(layers, saved(tmp_path / "flags.pt", {"fc.weight": torch.ones(2, 3, dtype=torch.bool)}))


def test_groups_have_their_own_part_of_a_mask(write, tmp_path):
    kept = np.random.default_rng(0).random((4, 3)) < 0.5
    layers = stream_of(write({"fc.weight": np.arange(1.0, 13).reshape(4, 3)}), groups=(("fc.weight", 2),)).layers
    pruners = masks_for(layers, saved(tmp_path / "mask.pt", {"fc.weight": torch.tensor(kept)}))

    parts = [kept_of(pruners[info.name], layers.read(info), threads=1) for info in layers.infos]

    assert_array_equal(np.concatenate(parts), kept.ravel())


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"fc.weight": torch.tensor([[1, 0, 1], [0, 2, 0]])}, "'fc.weight' holds 2 at index 4; as a mask it needs 0"),
        ({"fc.weight": torch.ones(3, 2, dtype=torch.bool)}, r"has a mask of shape \[3, 2\] for 'fc.weight'; .* \[2, 3"),
        ({"fc.bias": torch.ones(2, dtype=torch.bool)}, "has no mask for layer 'fc.weight' of .*; `include` and `excl"),
        ({"module.fc.weight": torch.ones(2, 3), "_orig_mod.fc.weight": torch.ones(2, 3)}, "has no mask for layer 'fc"),
        (
            {"fc.weight": torch.ones(2, 3, dtype=torch.complex64)},
            "'fc.weight' has the type C64; a mask has integers, booleans or floating-point numbers",
        ),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(layers, tmp_path, tensors, message):
    mask = saved(tmp_path / "mask.pt", tensors)

    with pytest.raises(CheckpointError, match=f"mask.pt: (tensor )?{message}"):
        kept_by(mask, layers)
