"""Masks packed from truth values, and mask files of them, for tests to read back."""

import numpy as np

from topoimp.pruning.masks import PackedMask, mask_writer


def pack_mask(kept, shape):
    """The truth values of a tensor, in any shape, packed under its shape."""
    return PackedMask(shape, np.packbits(kept.reshape(-1), bitorder="little"))


def write_masks(path, masks, metadata):
    """Write masks by tensor name as a mask file."""
    with mask_writer(path, {name: mask.shape for name, mask in masks.items()}, metadata) as writer:
        for name, mask in masks.items():
            writer.write(name, 0, mask.bits)
