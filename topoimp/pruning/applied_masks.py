"""A mask file, the mask of another tool or the zeros of another checkpoint in, a pruner for each layer out.

A mask of another tool is a tensor for each weight, under the weight's name or as ``NAME_mask``. Integers and booleans
are 1 where a weight is kept and 0 elsewhere. Of floating-point numbers, the zeros are the mask. Names may differ by the
parts that wrappers of a module add (``topoimp.layers.wrapped_names``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from topoimp.arrays import BoolArray, CodeArray
from topoimp.checkpoint import Checkpoint
from topoimp.checkpoint.flags import INTEGERS, can_be_flags
from topoimp.checkpoint.masked_weights import MASK_SUFFIX
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import CheckpointError
from topoimp.kernels.threads import pieces
from topoimp.layers.block import Block
from topoimp.layers.layer import Layer
from topoimp.layers.records import Layers
from topoimp.layers.wrapped_names import matched_names
from topoimp.pruning.masks import PackedMask, is_mask, masks_in
from topoimp.pruning.rules import PartPruner

FIRST_FEW = 64
"""Numbers of a tensor that tell almost every tensor of weights from a mask."""


@dataclass(frozen=True)
class MaskPruner:
    """Keeps the weights of a tensor's mask, for the layer that is a block of the tensor."""

    mask: PackedMask
    block: Block

    def on(self, layer: Layer, threads: int) -> PartPruner:  # noqa: ARG002  # of a protocol
        """Return the function that writes parts of a layer."""

        def flags(start: int, stop: int) -> BoolArray:
            kept = self.mask.part_of(self.block, start, stop)
            self.mask.give_back()
            return kept

        return partial(write_where, layer, flags)


@dataclass(frozen=True)
class NonzeroPruner:
    """Keeps the weights that are not zero in a tensor of a checkpoint; integers and booleans must be 0 or 1.

    The layer is a block of the tensor.
    """

    checkpoint: Checkpoint
    tensor: str
    block: Block

    def on(self, layer: Layer, threads: int) -> PartPruner:  # noqa: ARG002  # of a protocol
        """Return the function that writes parts of a layer."""
        dtype = self.checkpoint.tensors[self.tensor].dtype
        if dtype in INTEGERS:
            return partial(write_where, layer, self._flags)

        codes = partial(self.checkpoint.codes, self.tensor)
        whole = self.block.read(codes, 0, layer.n_weights) if self.block.is_whole else None

        def flags(start: int, stop: int) -> BoolArray:
            part = self.block.read(codes, start, stop) if whole is None else whole[start:stop]
            return np.not_equal(NUMBER_FORMATS[dtype].magnitudes(part), 0)

        return partial(write_where, layer, flags)

    def _flags(self, start: int, stop: int) -> BoolArray:
        return self.block.read(partial(self.checkpoint.flags, self.tensor), start, stop)


def write_where(layer: Layer, flags: Callable[[int, int], BoolArray], start: int, pruned: CodeArray) -> BoolArray:
    """Write a part of a layer, from ``start`` on, with pruned weights and stored zeros as +0.0; return its flags."""
    codes = layer.weights[start : start + len(pruned)]
    kept = flags(start, start + len(pruned))
    np.multiply(codes, kept & np.not_equal(layer.number_format.magnitudes(codes), 0), out=pruned)
    return kept


def masks_for(layers: Layers, mask: Checkpoint) -> dict[str, MaskPruner | NonzeroPruner]:
    """Return, by layer name, the pruner that applies a mask file, or the mask or the zeros of another checkpoint.

    Raises:
        CheckpointError: if a layer has no mask there, or one of another shape or of numbers that are no weights.
    """
    if is_mask(mask):
        masks = masks_in(mask)
        names = _tensors_for(layers, {name: packed.shape for name, packed in masks.items()}, mask.path)
        return {info.name: MaskPruner(masks[names[info.tensor]], info.block) for info in layers.infos}

    tensors = _masks_by_weight(mask)
    names = _tensors_for(layers, {name: mask.tensors[tensor].shape for name, tensor in tensors.items()}, mask.path)
    pruners: dict[str, MaskPruner | NonzeroPruner] = {}
    for info in layers.infos:
        tensor = mask.tensors[tensors[names[info.tensor]]]
        if not can_be_flags(tensor.dtype):
            needed = "a mask has integers, booleans or floating-point numbers"
            raise CheckpointError(f"{mask.path}: tensor {tensor.name!r} has the type {tensor.dtype}; {needed}")
        pruners[info.name] = NonzeroPruner(mask, tensor.name, info.block)
    return pruners


def is_mask_of(layers: Layers, other: Checkpoint) -> bool:
    """Whether a checkpoint holds masks of the layers, not weights.

    Integers and booleans are masks. Floating-point numbers are masks if they are 0 and 1 in all layers, and both occur:
    of zeros alone nothing depends on it, and ones alone would mask nothing.
    """
    tensors = _masks_by_weight(other)
    names = matched_names([info.tensor for info in layers.infos], tensors)
    found = [tensors[name] for name in names.values()]
    if any(other.tensors[name].dtype in INTEGERS for name in found):
        return True
    if len(names) < len(layers.by_tensor()):
        return False

    n_kept, n_weights = 0, 0
    for name in found:
        n_ones = _n_ones(other, name)
        if n_ones is None:
            return False
        n_kept += n_ones
        n_weights += prod(other.tensors[name].shape)
    return 0 < n_kept < n_weights


def _n_ones(checkpoint: Checkpoint, name: str) -> int | None:
    """Count the ones of a tensor of 0 and 1; None if it has other numbers, which the first few tell of most weights."""
    tensor = checkpoint.tensors[name]
    first_few = min(prod(tensor.shape), FIRST_FEW)
    if not can_be_flags(tensor.dtype) or not checkpoint.are_flags(name, 0, first_few):
        return None

    n_ones = 0
    for start, stop in pieces(0, prod(tensor.shape)):
        if not checkpoint.are_flags(name, start, stop):
            return None
        n_ones += int(np.count_nonzero(checkpoint.flags(name, start, stop)))
    checkpoint.done_with(name)
    return n_ones


def _masks_by_weight(mask: Checkpoint) -> dict[str, str]:
    """Return, by the name of a weight, the tensor that is its mask: of the same name, or ``NAME_mask``."""
    of_masks = {name.removesuffix(MASK_SUFFIX): name for name in mask.tensors if name.endswith(MASK_SUFFIX)}
    return of_masks | {name: name for name in mask.tensors}


def _tensors_for(layers: Layers, shapes: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, str]:
    """Return, by tensor of the layers, the name of its mask, which must have its shape."""
    origin = layers.checkpoint.path
    names = matched_names([info.tensor for info in layers.infos], shapes)
    for info in layers.infos:
        shape = layers.checkpoint.tensors[info.tensor].shape
        if info.tensor not in names:
            message = (
                f"{path}: has no mask for layer {info.tensor!r} of {origin}; `include` and `exclude` choose layers"
            )
            raise CheckpointError(message)
        if shapes[names[info.tensor]] != shape:
            found = f"has a mask of shape {list(shapes[names[info.tensor]])} for {info.tensor!r}"
            raise CheckpointError(f"{path}: {found}; {origin} has {list(shape)}")
    return names
