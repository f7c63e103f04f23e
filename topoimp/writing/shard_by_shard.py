"""Write a pruned copy of a checkpoint in shards by workers: one of them writes a file at a time, and its masks.

The headers of all files are written here first. Masks come in a file for each shard, which are joined here.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import CheckpointCopy, TensorWriter, open_checkpoint
from topoimp.kernels.threads import pieces
from topoimp.layers.records import Layers
from topoimp.layers.streaming import Workers
from topoimp.pruning.masks import mask_shapes, mask_writer
from topoimp.pruning.rules import Pruner
from topoimp.writing.pruned_copy import write_tensors


def can_be_written_by_shard(layers: Layers) -> bool:
    """Return whether a copy has several files, none of which holds a part of another's weights."""
    checkpoint = layers.checkpoint
    return len(checkpoint.files) > 1 and not checkpoint.masked_weights and not checkpoint.ties


def write_by_shard(
    place: Path,
    layers: Layers,
    pruners: Mapping[str, Pruner],
    metadata: Mapping[str, str],
    *,
    masks: TensorWriter | None,
    workers: Workers,
    on_tensor: Callable[[], None] = lambda: None,
) -> None:
    """Do what ``write_pruned_copy`` does, by workers that can write into the folder ``place``."""
    shards = _shards_of(place.absolute(), layers, pruners, metadata, has_masks=masks is not None)

    def on_done(number: int) -> None:
        for _ in shards[number].names:
            on_tensor()

    with CheckpointCopy(place, layers.checkpoint, metadata) as copy:
        copy.copy_other_files()
    workers.do(_write_shard, shards, on_done)
    for shard in shards:
        if masks is not None and shard.mask is not None:
            _join(shard.mask, masks)


@dataclass(frozen=True)
class _Shard:
    """A file of a copy: the tensors in it, the layers in these with their pruners, and the file for their masks.

    ``mask`` is None if no mask is written, or no layer lies in the file.
    """

    place: Path
    names: Sequence[str]
    layers: Layers
    pruners: Mapping[str, Pruner]
    metadata: Mapping[str, str]
    mask: Path | None


def _shards_of(
    place: Path, layers: Layers, pruners: Mapping[str, Pruner], metadata: Mapping[str, str], *, has_masks: bool
) -> list[_Shard]:
    checkpoint = layers.checkpoint
    shards = []
    for number, file in enumerate(checkpoint.files):
        own = [info.name for info in layers.infos if checkpoint.file_of[info.tensor].path == file.path]
        mask = place / f".masks-{number}.safetensors" if has_masks and own else None
        names = [tensor.name for tensor in file.tensors]
        shards.append(
            _Shard(place, names, layers.only(own), {name: pruners[name] for name in own}, dict(metadata), mask)
        )
    return shards


def _write_shard(shard: _Shard, threads: int, check: Callable[[], None]) -> None:
    """Write the tensors of a shard and their masks; ``check`` is called after each tensor."""
    layers = shard.layers
    writer = nullcontext() if shard.mask is None else mask_writer(shard.mask, mask_shapes(layers), {})
    with CheckpointCopy(shard.place, layers.checkpoint, shard.metadata, goes_on=True) as copy, writer as masks:
        write_tensors(shard.names, copy, layers, shard.pruners, masks, threads, check)


def _join(part: Path, masks: TensorWriter) -> None:
    """Write the masks in a file into that of all masks, and remove the file."""
    found = open_checkpoint(part)
    for name, tensor in found.tensors.items():
        for start, stop in pieces(0, tensor.end - tensor.start):
            masks.write(name, start, found.stored(name, start, stop))
            found.done_with(name, start, stop)
    part.unlink()
