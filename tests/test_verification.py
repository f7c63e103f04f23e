import numpy as np
import pytest

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import VerificationError
from topoimp.layers import LayerPatterns, select_layers
from topoimp.mask import pack_mask, write_masks
from topoimp.verification import verify_masks, verify_pruned

WEIGHT = np.array([[3.0, -1.0], [2.0, 0.5]])
KEPT = np.array([[True, True], [True, False]])
TENSORS = {"fc": WEIGHT, "bias": np.array([-0.0, 1.0])}
MASKS = {"fc": pack_mask(KEPT, (2, 2))}


def verify(write, pruned, *, masks=MASKS, metadata=None):
    original = select_layers(open_checkpoint(write(TENSORS, "original", {"format": "pt"})), LayerPatterns())
    path = write(
        {**TENSORS, "fc": np.where(KEPT, WEIGHT, 0), **pruned},
        "pruned",
        metadata or {"format": "pt", "topoimp.method": "x"},
    )
    verify_pruned(path, original, masks, keeps_barcode=True)


def test_what_is_as_it_should_be_passes(write):
    verify(write, {})


@pytest.mark.parametrize(
    ("pruned", "message"),
    [
        ({"fc": np.array([[3.0, -1.0], [2.5, 0.0]])}, "a surviving weight of 'fc' changed"),
        ({"fc": np.array([[3.0, 1.0], [2.0, 0.0]])}, "a surviving weight of 'fc' changed"),
        ({"fc": WEIGHT}, "a pruned weight of 'fc' is not zero"),
        ({"fc": np.array([[3.0, -1.0], [2.0, -0.0]])}, "a pruned weight of 'fc' is not zero"),
        ({"bias": np.array([0.0, 1.0])}, "tensor 'bias' changed, though it was not pruned"),
        ({"bias": np.array([-0.0, 1.0, 2.0])}, "names, types, shapes or places of tensors changed"),
        ({"more": np.ones(1)}, "names, types, shapes or places of tensors changed"),
    ],
)
def test_whatever_is_not_as_it_should_be_is_named(write, pruned, message):
    with pytest.raises(VerificationError, match=f"pruned: {message}"):
        verify(write, pruned)


def test_lost_metadata_are_noticed(write):
    with pytest.raises(VerificationError, match="metadata 'format' changed"):
        verify(write, {}, metadata={"topoimp.method": "x"})


def test_a_barcode_that_changed_is_noticed(write):
    kept = np.array([[True, False], [True, True]])

    with pytest.raises(VerificationError, match="the barcode of 'fc' changed"):
        verify(write, {"fc": np.where(kept, WEIGHT, 0)}, masks={"fc": pack_mask(kept, (2, 2))})


@pytest.mark.parametrize(
    "written",
    [
        {"fc": pack_mask(~KEPT, (2, 2))},
        {"fc": pack_mask(KEPT, (1, 4))},
        {"other": pack_mask(KEPT, (2, 2))},
        {**MASKS, "other": pack_mask(KEPT, (2, 2))},
    ],
)
def test_another_mask_than_the_one_applied_is_noticed(tmp_path, written):
    write_masks(tmp_path / "mask", written, {})

    with pytest.raises(VerificationError, match="mask: the mask of 'fc' is not the one that was applied"):
        verify_masks(tmp_path / "mask", MASKS)
