"""Which weights of a checkpoint's layers are kept.

A mask is held and stored packed, one bit per weight, the first weight in the lowest bit. A stored zero is never kept.
The mask, not the zeros of a checkpoint, is the truth: a kept weight that is rewound or retrained may happen to be 0.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import BoolArray
from topoimp.checkpoint import Checkpoint, open_checkpoint, write_arrays
from topoimp.errors import CheckpointError

SHAPES_KEY = "topoimp.mask.shapes"
"""The metadata key of a mask file that holds the layers' shapes as JSON."""


@dataclass(frozen=True)
class PackedMask:
    """Which weights of one layer are kept.

    Args:
        shape: of the layer's tensor.
        bits: ceil(n / 8) bytes for n weights; bits beyond the last weight are 0.
    """

    shape: tuple[int, ...]
    bits: NDArray[np.uint8]

    @property
    def n_weights(self) -> int:
        """Weights, kept or not."""
        return prod(self.shape)

    @property
    def n_kept(self) -> int:
        """Weights kept."""
        return int(np.bitwise_count(self.bits).sum())

    def flat(self) -> BoolArray:
        """Give which weights are kept, by flat index."""
        return np.unpackbits(self.bits, count=self.n_weights, bitorder="little").view(np.bool_)

    def kept(self) -> BoolArray:
        """Give which weights are kept, in the shape of the tensor."""
        return self.flat().reshape(self.shape)

    def is_within(self, other: "PackedMask") -> bool:
        """Whether every weight kept here is kept in ``other`` too, of the same shape."""
        return self.shape == other.shape and not np.any(self.bits & ~other.bits)


def pack_mask(kept: BoolArray, shape: tuple[int, ...]) -> PackedMask:
    """Pack the truth values of a layer, in any shape, under the shape of its tensor."""
    return PackedMask(shape, np.packbits(kept.reshape(-1), bitorder="little"))


Masks = Mapping[str, PackedMask]
"""By layer name, what is kept of it."""


def write_masks(path: Path, masks: Masks, metadata: Mapping[str, str]) -> None:
    """Write the masks of a checkpoint's layers as a safetensors file of packed bits, shapes in its metadata."""
    shapes = json.dumps({name: list(mask.shape) for name, mask in masks.items()})
    bits = {name: mask.bits for name, mask in masks.items()}
    write_arrays(path, bits, {**metadata, SHAPES_KEY: shapes})


def read_masks(path: Path) -> Masks:
    """Read what ``write_masks`` wrote.

    Raises:
        CheckpointError: if the file is no mask, or a mask does not fit the shape that the file gives it.
    """
    file = open_checkpoint(path)
    shapes = _shapes(file)
    masks = {}
    for name, tensor in file.tensors.items():
        shape = shapes.get(name)
        if tensor.dtype != "U8" or shape is None or tensor.shape != ((prod(shape) + 7) // 8,):
            raise CheckpointError(f"{path}: tensor {name!r} does not hold one bit for each weight of shape {shape}")
        mask = PackedMask(tuple(shape), np.frombuffer(file.read_bytes(name), np.uint8))
        if mask.n_weights % 8 and mask.bits[-1] >> (mask.n_weights % 8):
            raise CheckpointError(f"{path}: tensor {name!r} has bits set beyond its last weight")
        masks[name] = mask
    return MappingProxyType(masks)


def _shapes(file: Checkpoint) -> dict[str, list[int]]:
    try:
        shapes = json.loads(file.metadata[SHAPES_KEY])
        return {str(name): [int(size) for size in shape] for name, shape in shapes.items()}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file.path}: is no mask; its metadata lacks {SHAPES_KEY}") from error
