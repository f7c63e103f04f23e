"""Write a pruned copy of a checkpoint, and the mask file beside it, piece by piece.

Only a few pieces are in memory, whatever the size of a tensor: all threads prune pieces in the nearer caches and write
them from there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TypeAlias

import numpy as np

from topoimp.arrays import BoolArray, CodeArray
from topoimp.checkpoint import Checkpoint, CheckpointCopy, TensorWriter
from topoimp.checkpoint.torch_layout import check_tensors_exchangeable
from topoimp.kernels.threads import PIECE, in_parallel, pieces
from topoimp.layers.records import LayerInfo, Layers
from topoimp.pruning.masks import mask_shapes
from topoimp.pruning.rules import PartPruner, Pruner
from topoimp.writing.masked_weights import pruned_mask

Parts: TypeAlias = Sequence[tuple[LayerInfo, PartPruner]]
"""The layers of a tensor, and the function that prunes a part of each."""


def write_pruned_copy(
    place: Path,
    layers: Layers,
    pruners: Mapping[str, Pruner],
    metadata: Mapping[str, str],
    *,
    masks: TensorWriter | None,
    threads: int,
    as_torch: bool = False,
    on_tensor: Callable[[], None] = lambda: None,
) -> None:
    """Write a copy of a checkpoint in which the layers are pruned, each by its pruner, and all else is unchanged.

    The copy is a file, or fills an existing folder if the original is one; with ``as_torch`` it is a PyTorch file, as
    the original is. Without ``masks`` no mask is written. ``metadata`` is added to that of safetensors files;
    ``on_tensor`` is called after each tensor.
    """
    with CheckpointCopy(place, layers.checkpoint, metadata, as_torch=as_torch) as copy:
        write_tensors(layers.checkpoint.tensors, copy, layers, pruners, masks, threads, on_tensor)
        copy.copy_other_files()


def write_tensors(
    names: Iterable[str],
    copy: CheckpointCopy,
    layers: Layers,
    pruners: Mapping[str, Pruner],
    masks: TensorWriter | None,
    threads: int,
    on_tensor: Callable[[], None],
) -> None:
    """Write some tensors of a checkpoint into its copy, as ``write_pruned_copy`` writes all of them."""
    checkpoint = layers.checkpoint
    selected = layers.by_tensor()
    for name in names:
        infos = selected.get(checkpoint.ties.get(name, name))
        if infos:
            parts = ((info, pruners[info.name].on(layers.read(info, threads), threads)) for info in infos)
            _write_tensor(name, checkpoint, list(parts), copy, masks, threads)
        else:
            for stored in checkpoint.stored_as(name):
                copy.copy_tensor(stored)
        checkpoint.done_with(name)
        on_tensor()


def check_exchangeable(layers: Layers) -> None:
    """Check that the layers of a PyTorch file can be exchanged in a copy of it; a CheckpointError if not."""
    (file,) = layers.checkpoint.files
    if file.loaded is not None:
        check_tensors_exchangeable(file.path, file.loaded, changed_tensors(layers))


def changed_tensors(layers: Layers) -> dict[str, str]:
    """Return the stored tensors that differ in a pruned copy, each with the first of the tensors that it is tied to.

    A masked weight changes in its mask alone.
    """
    checkpoint = layers.checkpoint
    return {checkpoint.stored_as(name)[-1]: checkpoint.ties.get(name, name) for name in mask_shapes(layers)}


def _write_tensor(
    name: str,
    checkpoint: Checkpoint,
    parts: Parts,
    copy: CheckpointCopy,
    masks: TensorWriter | None,
    threads: int,
) -> None:
    """Write a tensor and its mask; each thread prunes and writes one piece after the other.

    Of a masked weight, the original is copied and its mask takes the place of the tensor.
    """
    tensor = checkpoint.tensors[name]
    infos = [info for info, _ in parts]
    dtype = infos[0].number_format.code_dtype
    masked = checkpoint.masked_weights.get(name)
    if masked is not None:
        copy.copy_tensor(masked.original.name)

    def write(start: int, stop: int) -> None:
        pruned = np.empty(min(PIECE, stop - start), dtype)
        kept = np.empty(len(pruned), np.bool_)
        for first, last in pieces(start, stop):
            piece, piece_kept = pruned[: last - first], kept[: last - first]
            _prune_piece(name, checkpoint, first, parts, piece, piece_kept)
            if masked is None:
                copy.write(name, first * dtype.itemsize, piece)
            else:
                flags = pruned_mask(checkpoint, masked, infos, first, piece_kept)
                copy.write(masked.mask.name, first * len(flags) // len(piece), flags)
            if masks is not None:
                masks.write(name, first // 8, np.packbits(piece_kept, bitorder="little"))

    in_parallel(write, prod(tensor.shape), threads, unit=PIECE)


def _prune_piece(
    name: str, checkpoint: Checkpoint, first: int, parts: Parts, piece: CodeArray, kept: BoolArray
) -> None:
    """Prune the weights of a tensor from ``first`` on, each selected layer by its own pruner."""
    last = first + len(piece)
    if sum(info.n_weights for info, _ in parts) < prod(checkpoint.tensors[name].shape):  # some groups are not selected
        piece[:] = checkpoint.codes(name, first, last)
        checkpoint.done_with(name, first * piece.itemsize, last * piece.itemsize)
        kept[:] = parts[0][0].number_format.magnitudes(piece) != 0
    for info, write in parts:
        block = info.block
        start = block.n_before(first)
        stop = block.n_before(last)
        if start == stop:
            continue
        if block.is_whole:
            part = slice(block.first + start - first, block.first + stop - first)
            kept[part] = write(start, piece[part])
        else:
            own = np.empty(stop - start, piece.dtype)
            block.write(write(start, own), start, kept, first)
            block.write(own, start, piece, first)
