"""Masks made elsewhere, as arrays in memory: packed, and written as a mask file."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from topoimp.checkpoint import AnyPath, Staging
from topoimp.errors import OptionError
from topoimp.pruning.masks import PackedMask, mask_writer


def pack_masks(masks: Mapping[str, Any]) -> dict[str, PackedMask]:
    """Return masks by tensor name, arrays of numpy or torch, as packed masks; packed ones stay as they are.

    Raises:
        OptionError: if a mask has a number other than 0 and 1.
    """
    return {name: _packed(name, mask) for name, mask in masks.items()}


def _packed(name: str, mask: Any) -> PackedMask:  # Any: an array of numpy or torch
    if isinstance(mask, PackedMask):
        return mask
    if hasattr(mask, "detach"):  # a tensor of torch; numpy has no bfloat16
        mask = mask.detach().cpu()
        mask = mask.double() if mask.dtype.is_floating_point else mask

    array = np.asarray(mask)
    kept = array.astype(np.bool_) if array.dtype.kind in "biuf" else None
    if kept is None or not np.array_equal(array, kept):
        raise OptionError(f"the mask of {name!r} has values besides 0 and 1; it must say which weights are kept")
    return PackedMask(array.shape, np.packbits(kept.reshape(-1), bitorder="little"))


def write_masks(path: AnyPath, masks: Mapping[str, Any], *, force: bool = False) -> None:
    """Write masks as a mask file, which ``apply_mask``, ``comparison_report`` and ``hold_mask`` take.

    Args:
        path: the file, in the format of safetensors, one bit for each weight.
        masks: by the name of the weight, arrays of numpy or torch in its shape, of booleans or of 0 and 1: true or 1
            for a kept weight.
        force: replace an existing file.

    Raises:
        OptionError: if there is no mask, or one has a number other than 0 and 1.
        OutputError: if the file exists (without ``force``) or cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> from topoimp.pruning.masks import read_masks
    >>> with TemporaryDirectory() as folder:
    ...     write_masks(f"{folder}/mask.safetensors", {"fc.weight": np.eye(3)})
    ...     read_masks(f"{folder}/mask.safetensors")["fc.weight"].n_kept
    3
    """
    packed = pack_masks(masks)
    if not packed:
        raise OptionError("`masks` is empty; it must have a mask for at least one weight")

    target = Path(path)
    with Staging([target], force=force) as staging:
        shapes = {name: mask.shape for name, mask in packed.items()}
        with mask_writer(staging.partial(target), shapes, {"topoimp.version": version("topoimp")}) as writer:
            for name, mask in packed.items():
                writer.write(name, 0, mask.bits)
        staging.commit()
