"""Holding what was written against what was meant: read back from disk, bit by bit."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from topoimp.barcode import barcode_of
from topoimp.checkpoint import Checkpoint, open_checkpoint
from topoimp.errors import VerificationError
from topoimp.layers import Layer, Layers
from topoimp.mask import Masks, read_masks


def verify_pruned(path: Path, layers: Layers, masks: Masks, *, keeps_barcode: bool) -> None:
    """Check a pruned checkpoint: survivors bit for bit, the rest of its layers +0.0, the rest of the file untouched.

    Args:
        path: the pruned checkpoint.
        layers: the selected layers of the original.
        masks: by layer name, what was to be kept.
        keeps_barcode: whether each layer must have exactly the barcode of the original.

    Raises:
        VerificationError: naming the tensor that is not as it should be.
    """
    written = open_checkpoint(path)
    _check_tensors(written, layers.checkpoint, masks)
    for original in layers:
        there = Layer(
            original.name,
            written.read_codes(original.name).reshape(original.codes.shape),
            original.number_format,
        )
        kept = masks[original.name].flat().reshape(original.codes.shape)
        if not np.array_equal(there.codes[kept], original.codes[kept]):
            raise VerificationError(f"{path}: a surviving weight of {original.name!r} changed")
        if np.any(there.codes[~kept]):
            raise VerificationError(f"{path}: a pruned weight of {original.name!r} is not zero")
        if keeps_barcode and not barcode_of(there).equals(barcode_of(original)):
            raise VerificationError(f"{path}: the barcode of {original.name!r} changed")


def verify_masks(path: Path, masks: Masks) -> None:
    """Check a mask file.

    Raises:
        VerificationError: naming the layer that is not as it should be.
    """
    written = read_masks(path)
    for name, mask in masks.items():
        same = name in written and written[name].shape == mask.shape and np.array_equal(written[name].bits, mask.bits)
        if not same or len(written) != len(masks):
            raise VerificationError(f"{path}: the mask of {name!r} is not the one that was applied")


def _check_tensors(written: Checkpoint, original: Checkpoint, pruned: Mapping[str, object]) -> None:
    if list(written.tensors.values()) != list(original.tensors.values()):
        raise VerificationError(f"{written.path}: names, types, shapes or places of tensors changed")
    for key, text in original.metadata.items():
        if not key.startswith("topoimp.") and written.metadata.get(key) != text:
            raise VerificationError(f"{written.path}: metadata {key!r} changed")
    for name in original.tensors:
        if name not in pruned and written.read_bytes(name) != original.read_bytes(name):
            raise VerificationError(f"{written.path}: tensor {name!r} changed, though it was not pruned")
