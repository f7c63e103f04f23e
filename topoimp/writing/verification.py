"""Holding what was written against what was meant: read back from disk, weight by weight."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from topoimp.checkpoint import Checkpoint, open_checkpoint
from topoimp.errors import VerificationError
from topoimp.kernels.pruning import count_wrong
from topoimp.kernels.threads import PIECE, in_parallel, pieces
from topoimp.layers.catalogue import LayerInfo, Layers
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.masks import Masks, PackedMask
from topoimp.pruning.preservation import Preservation, count_present, preservation_of
from topoimp.topology.forest import Forest, spanning_forest


def verify_pruned(
    path: Path,
    stream: LayerStream,
    forests: Mapping[str, Forest],
    *,
    masks: Masks | None = None,
    expected: Mapping[str, Preservation] | None = None,
) -> dict[str, Preservation]:
    """Check a pruned checkpoint: survivors bit for bit, the rest of its layers +0.0, the rest of the file untouched.

    Args:
        path: the pruned checkpoint.
        stream: the selected layers of the original.
        forests: by layer name, the maximum spanning forests of the original.
        masks: by tensor name, what was to be kept; whatever is not zero if None.
        expected: by layer name, what was to become of it; nothing is expected if None.

    Returns:
        by layer name, what became of it, found from what was written.

    Raises:
        VerificationError: naming the tensor that is not as it should be.
    """
    written, layers = open_checkpoint(path), stream.layers
    _check_tensors(written, layers, masks)
    infos = layers.by_name

    def look(there: Layer, n_threads: int) -> Preservation:
        info = infos[there.name]
        n_kept = _check_weights(path, there, layers, info, None if masks is None else masks[info.tensor], n_threads)
        if masks is not None:
            masks[info.tensor].give_back()
        left = preservation_of(
            forests[info.name],
            spanning_forest(there, threads=n_threads),
            n_weights=info.n_weights,
            n_forest_kept=count_present(forests[info.name], there),
        )
        if left.n_kept != n_kept:
            raise VerificationError(
                f"{path}: {left.n_kept} weights of {info.name!r} are edges, and {n_kept} are not zero"
            )
        if expected is not None and left != expected[info.name]:
            raise VerificationError(f"{path}: {_difference(info.name, left, expected[info.name])}")
        return left

    return replace(stream, layers=Layers(written, layers.infos, ())).each(look)


def verify_rewound(path: Path, stream: LayerStream, masks: Masks) -> dict[str, int]:
    """Check a checkpoint that was rewound: bit for bit the earlier weights under the mask, the rest of its layers +0.0.

    Args:
        path: the rewound checkpoint.
        stream: the selected layers of the checkpoint that it was rewound to.
        masks: by tensor name, what was to be kept.

    Returns:
        by layer name, how many weights are not zero: those kept, but for those that were zero before.

    Raises:
        VerificationError: naming the tensor that is not as it should be.
    """
    written, layers = open_checkpoint(path), stream.layers
    _check_tensors(written, layers, masks)
    infos = layers.by_name

    def look(there: Layer, n_threads: int) -> int:
        info = infos[there.name]
        n_left = _check_weights(path, there, layers, info, masks[info.tensor], n_threads)
        masks[info.tensor].give_back()
        return n_left

    return replace(stream, layers=Layers(written, layers.infos, ())).each(look)


def _check_weights(
    path: Path, there: Layer, layers: Layers, info: LayerInfo, mask: PackedMask | None, threads: int
) -> int:
    """Hold the weights of a layer against the original and the mask, and give how many are not zero."""
    original = layers.read(info)
    sign = there.codes.dtype.type(there.number_format.magnitude_mask)
    size = there.codes.itemsize

    def check(start: int, stop: int) -> tuple[int, int, int]:
        total = np.zeros(3, np.int64)
        for first, last in pieces(start, stop):
            piece = there.weights[first:last]
            kept = piece != 0 if mask is None else mask.part(info.first + first, info.first + last)
            total += count_wrong(original.weights[first:last], piece, kept, sign)
            layers.checkpoint.done_with(info.tensor, (info.first + first) * size, (info.first + last) * size)
        n_kept, n_changed, n_left = total.tolist()
        return n_kept, n_changed, n_left

    n_kept, n_changed, n_left = np.sum(in_parallel(check, info.n_weights, threads, unit=PIECE), axis=0).tolist()
    if n_changed:
        raise VerificationError(f"{path}: a surviving weight of {info.name!r} changed")
    if n_left:
        raise VerificationError(f"{path}: a pruned weight of {info.name!r} is not zero")
    return int(n_kept)


def _difference(name: str, found: Preservation, expected: Preservation) -> str:
    if expected.barcode_kept and not found.barcode_kept:
        return f"the barcode of {name!r} changed"
    for field in fields(Preservation):
        here, wanted = getattr(found, field.name), getattr(expected, field.name)
        if here != wanted:
            return f"layer {name!r} has {field.name} {here}; {wanted} was meant"
    raise ValueError("there is no difference")


def _check_tensors(written: Checkpoint, layers: Layers, masks: Masks | None) -> None:
    """Whatever is not pruned must be there as it was: names, types, shapes, metadata, the other tensors' bytes."""
    original, pruned = layers.checkpoint, layers.by_tensor()
    _check_described(written, original)
    for name, tensor in original.tensors.items():
        size = tensor.end - tensor.start
        first = original.ties.get(name, name)
        if first not in pruned:
            _check_bytes(written, name, original, name, 0, size)
        elif name != first:
            _check_bytes(written, name, written, first, 0, size)
            if masks is not None and not np.array_equal(masks[name].bits, masks[first].bits):
                raise VerificationError(f"{written.path}: the mask of {name!r} is not that of {first!r}, tied to it")
        else:
            _check_between(written, original, name, pruned[name], None if masks is None else masks[name])


def _check_between(
    written: Checkpoint, original: Checkpoint, name: str, infos: Sequence[LayerInfo], mask: PackedMask | None
) -> None:
    """Hold those groups of a tensor that are not pruned against what they were, and their mask against them."""
    number_format = infos[0].number_format
    bounds = [edge for info in infos for edge in (info.first, info.first + info.n_weights)]
    n_weights = original.codes(name).size
    for start, stop in zip([0, *bounds[1::2]], [*bounds[::2], n_weights], strict=True):
        if start < stop:
            _check_bytes(written, name, original, name, *(n * number_format.n_bits // 8 for n in (start, stop)))
            is_edge = number_format.magnitudes(original.codes(name)[start:stop]) != 0
            if mask is not None and not np.array_equal(mask.part(start, stop), is_edge):
                raise VerificationError(f"{written.path}: the mask of {name!r} prunes a group that was not pruned")


def _check_bytes(written: Checkpoint, name: str, source: Checkpoint, same: str, start: int, stop: int) -> None:
    here, there = written.stored(name), source.stored(same)
    for first, last in pieces(start, stop):
        if not np.array_equal(here[first:last], there[first:last]):
            raise VerificationError(f"{written.path}: tensor {name!r} changed, though it was not pruned")
        written.done_with(name, first, last)
        source.done_with(same, first, last)


def _check_described(written: Checkpoint, original: Checkpoint) -> None:
    if len(written.files) != len(original.files):
        raise VerificationError(f"{written.path}: has {len(written.files)} files; {len(original.files)} were to be")
    copies = {copy.path.name: copy for copy in written.files}
    for file in original.files:
        copy = written.files[0] if len(copies) == 1 else copies[file.name_as_safetensors]
        if copy.tensors != file.tensors:
            raise VerificationError(f"{copy.path}: names, types, shapes or places of tensors changed")
        for key, text in file.metadata.items():
            if not key.startswith("topoimp.") and copy.metadata.get(key) != text:
                raise VerificationError(f"{copy.path}: metadata {key!r} changed")
