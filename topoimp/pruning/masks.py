"""Masks, one bit for each weight of a tensor, 1 for a kept weight: the format of mask files.

A stored zero is never kept. The mask is the truth, not the zeros of a checkpoint: a kept weight may be 0 after
rewinding or retraining.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from topoimp.arrays import BoolArray, ByteArray, IndexArray
from topoimp.checkpoint import AnyPath, Checkpoint, TensorWriter, laid_out, open_checkpoint
from topoimp.checkpoint.flags import can_be_flags
from topoimp.checkpoint.masked_weights import MASK_SUFFIX
from topoimp.errors import CheckpointError
from topoimp.kernels.threads import pieces
from topoimp.layers.block import Block
from topoimp.layers.records import Layers, natural

SHAPES_KEY = "topoimp.mask.shapes"
"""Metadata key of a mask file; its value is the tensors' shapes as JSON."""


@dataclass(frozen=True)
class PackedMask:
    """The mask of one tensor.

    Args:
        shape: of the tensor.
        bits: ceil(n / 8) bytes for n weights, the first weight in the lowest bit; bits beyond the last weight are 0.
        give_back: gives back the memory of bits that are mapped from a file.
        source: the mask file and the name of the tensor in it, as which the mask is pickled; None for bits in memory.

    >>> PackedMask((2, 2), np.array([0b1001], np.uint8)).kept()
    array([[ True, False],
           [False,  True]])
    """

    shape: tuple[int, ...]
    bits: ByteArray
    give_back: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)
    source: tuple[Checkpoint, str] | None = field(default=None, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what to pickle: the place of bits that lie in a file."""
        return (PackedMask, (self.shape, self.bits)) if self.source is None else (_in_file, (*self.source, self.shape))

    @property
    def n_weights(self) -> int:
        """Weights, kept or not."""
        return prod(self.shape)

    @property
    def n_kept(self) -> int:
        """Weights kept."""
        return int(np.bitwise_count(self.bits).sum())

    def part(self, start: int, stop: int) -> BoolArray:
        """Return a flag for each weight from ``start`` to ``stop``."""
        first = start // 8
        unpacked = np.unpackbits(self.bits[first : -(-stop // 8)], count=stop - 8 * first, bitorder="little")
        return unpacked[start - 8 * first :].view(np.bool_)

    def keeps(self, indices: IndexArray) -> BoolArray:
        """Return a flag for each of the given flat indices."""
        kept: BoolArray = (self.bits[indices >> 3] >> (indices & 7).astype(np.uint8) & 1).astype(np.bool_)
        return kept

    def part_of(self, block: Block, start: int, stop: int) -> BoolArray:
        """Return a flag for each weight of a layer from the index ``start`` to ``stop``."""
        return block.read(self.part, start, stop)

    def n_kept_of(self, block: Block) -> int:
        """Count the kept weights of a layer."""
        parts = (self.part_of(block, start, stop) for start, stop in pieces(0, block.n_weights))
        return sum(int(np.count_nonzero(part)) for part in parts)

    def kept(self) -> BoolArray:
        """Return a flag for each weight, in the shape of the tensor."""
        return self.part(0, self.n_weights).reshape(self.shape)

    def is_within(self, other: "PackedMask") -> bool:
        """Return whether ``other`` has the same shape and keeps all weights that this mask keeps."""
        return self.shape == other.shape and not np.any(self.bits & ~other.bits)


def _in_file(file: Checkpoint, name: str, shape: tuple[int, ...]) -> PackedMask:
    return PackedMask(shape, file.stored(name), partial(file.done_with, name), (file, name))


Masks = Mapping[str, PackedMask]
"""Masks by tensor name."""


def mask_writer(path: Path, shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> TensorWriter:
    """Write the header of a mask file, which is replaced if it exists, and return the writer of its bits."""
    texts = {**metadata, SHAPES_KEY: json.dumps(dict(shapes))}
    return TensorWriter(path, laid_out({name: ("U8", (mask_bytes(shape),)) for name, shape in shapes.items()}), texts)


def mask_shapes(layers: Layers) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the pruned tensors and their ties, in the natural order of their names."""
    checkpoint = layers.checkpoint
    pruned = layers.by_tensor()
    names = sorted((name for name in checkpoint.tensors if checkpoint.ties.get(name, name) in pruned), key=natural)
    return {name: checkpoint.tensors[name].shape for name in names}


def mask_bytes(shape: Sequence[int]) -> int:
    """Return the bytes of a tensor's packed mask."""
    return (prod(shape) + 7) // 8


def read_masks(path: AnyPath) -> Masks:
    """Open a mask file; its bits are read on demand.

    A file of another tool may have masks as tensors of 0 and 1 in the shapes of the weights, of any type, under the
    names of the weights or as ``NAME_mask``.

    Raises:
        CheckpointError: if the file is no mask file, or a mask does not fit the shape that the file gives it.
    """
    file = open_checkpoint(path)
    return masks_in(file) if is_mask(file) or not _holds_flags(file) else _masks_of_flags(file)


def _holds_flags(file: Checkpoint) -> bool:
    """Return whether all tensors of a file are of 0 and 1, and one of them has the shape of a layer."""
    sizes = {name: prod(tensor.shape) for name, tensor in file.tensors.items()}
    has_layer = any(len(tensor.shape) > 1 for tensor in file.tensors.values())
    known = all(can_be_flags(tensor.dtype) for tensor in file.tensors.values())
    return has_layer and known and all(file.are_flags(name, 0, size) for name, size in sizes.items())


def _masks_of_flags(file: Checkpoint) -> Masks:
    """Return the masks in a file of 0 and 1."""
    masks = {}
    for name, tensor in file.tensors.items():
        kept = file.flags(name, 0, prod(tensor.shape))
        masks[name.removesuffix(MASK_SUFFIX)] = PackedMask(tensor.shape, np.packbits(kept, bitorder="little"))
    return MappingProxyType(masks)


def is_mask(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint is a mask file."""
    return SHAPES_KEY in checkpoint.metadata


def masks_in(file: Checkpoint) -> Masks:
    """Return the masks of an open mask file, with the errors of ``read_masks``."""
    shapes = _shapes(file)
    masks: dict[str, PackedMask] = {}
    for name, tensor in file.tensors.items():
        shape = shapes.get(name)
        where = f"{file.path}: tensor {name!r}"
        if tensor.dtype != "U8" or shape is None or min(shape, default=0) < 0 or tensor.shape != (mask_bytes(shape),):
            raise CheckpointError(f"{where} does not hold one bit for each weight of shape {shape}")

        mask = _in_file(file, name, tuple(shape))
        if mask.n_weights % 8 and mask.bits[-1] >> (mask.n_weights % 8):
            raise CheckpointError(f"{where} has bits set beyond its last weight")
        masks[name] = mask
    return MappingProxyType(masks)


def _shapes(file: Checkpoint) -> dict[str, list[int]]:
    try:
        shapes = json.loads(file.metadata[SHAPES_KEY])
        if any(type(size) is not int for shape in shapes.values() for size in shape):
            raise ValueError("a shape has sizes")
        return {str(name): list(shape) for name, shape in shapes.items()}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{file.path}: is no mask; its metadata lacks {SHAPES_KEY}") from error
