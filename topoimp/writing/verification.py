"""Read a written checkpoint and its mask back from the disk, and check them weight by weight."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from topoimp.checkpoint import Checkpoint
from topoimp.errors import VerificationError
from topoimp.kernels.threads import pieces
from topoimp.layers.block import are_in_blocks
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.masks import Masks, PackedMask
from topoimp.pruning.round import LayerRound
from topoimp.topology.forest import Forest
from topoimp.writing.masked_weights import check_masked_weight
from topoimp.writing.pruned_copy import changed_tensors
from topoimp.writing.torch_verification import verify_other_bytes
from topoimp.writing.written_layers import ToVerify, WrittenLayer, check_weights, verified


def verify_pruned(
    written: Checkpoint,
    stream: LayerStream,
    forests: Mapping[str, Forest],
    *,
    masks: Masks | None = None,
    expected: Mapping[str, LayerRound] | None = None,
    source: Layers | None = None,
) -> dict[str, WrittenLayer]:
    """Check a pruned checkpoint: its kept weights bit for bit, its other weights, its mask, and its topology.

    The mask was found on the layers of ``stream``, which have these forests. Without ``masks``, every nonzero weight is
    kept. ``expected`` holds the rounds that were to be written. ``source`` are the layers whose weights the checkpoint
    was to have, if not those of ``stream``; rewound ones need ``masks``.

    Returns:
        by layer name, the topology under the mask, computed from the written files, and the share of the squared norm
        that is kept of the weights on which the mask was found.

    Raises:
        VerificationError: naming the tensor that is wrong.
    """
    source = source or stream.layers
    _check_tensors(written, source, masks)
    copies = Layers(written, source.infos, ())
    to_verify = {
        info.name: ToVerify.of(info.name, copies, stream.layers, source, forests[info.name], masks, expected)
        for info in source.infos
    }
    return replace(stream, layers=copies).each_with(verified, to_verify)


def verify_weights(written: Checkpoint, stream: LayerStream, masks: Masks) -> None:
    """Check the weights of a masked checkpoint alone: the kept ones bit for bit, the rest of its layers +0.0.

    It was to have the weights of the layers of ``stream`` under ``masks``, by tensor name.

    Raises:
        VerificationError: naming the tensor that is wrong.
    """
    layers = stream.layers
    _check_tensors(written, layers, masks)

    def check(layer: Layer, threads: int) -> None:
        info = layers.by_name[layer.name]
        check_weights(written.path, layer, layers, info, masks[info.tensor], threads)
        masks[info.tensor].give_back()

    replace(stream, layers=Layers(written, layers.infos, ())).each(check)


def _check_tensors(written: Checkpoint, source: Layers, masks: Masks | None) -> None:
    """Check everything that is not pruned: names, types, shapes, metadata, and the bytes of other tensors."""
    original = source.checkpoint
    pruned = source.by_tensor()
    _check_described(written, original)
    for copy, file in zip(written.files, original.files, strict=True):
        if copy.loaded is not None and file.loaded is not None:
            verify_other_bytes(copy.path, file.path, file.loaded, changed_tensors(source))

    for name, tensor in original.tensors.items():
        size = tensor.end - tensor.start
        first = original.ties.get(name, name)
        if name in original.masked_weights:
            before = original.masked_weights[name].original.name
            _check_bytes(written, before, original, before, 0, size)
            mask = masks[name] if masks is not None and first in pruned else None
            check_masked_weight(written, original, name, pruned.get(first, []), mask)
        elif first not in pruned:
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
    """Check the groups of a tensor that are not pruned, and their mask, against the original."""
    n_weights = prod(original.tensors[name].shape)
    if sum(info.n_weights for info in infos) == n_weights:
        return

    for start, stop in pieces(0, n_weights):
        is_other = ~are_in_blocks((info.block for info in infos), start, stop)
        expected = original.codes(name, start, stop)[is_other]
        if not np.array_equal(written.codes(name, start, stop)[is_other], expected):
            raise VerificationError(f"{written.path}: tensor {name!r} changed, though it was not pruned")

        is_edge = infos[0].number_format.magnitudes(expected) != 0
        if mask is not None and not np.array_equal(mask.part(start, stop)[is_other], is_edge):
            raise VerificationError(f"{written.path}: the mask of {name!r} prunes a group that was not pruned")
    written.done_with(name)
    original.done_with(name)


def _check_bytes(written: Checkpoint, name: str, source: Checkpoint, same: str, start: int, stop: int) -> None:
    for first, last in pieces(start, stop):
        if not np.array_equal(written.stored(name, first, last), source.stored(same, first, last)):
            raise VerificationError(f"{written.path}: tensor {name!r} changed, though it was not pruned")
        written.done_with(name, first, last)
        source.done_with(same, first, last)


def _check_described(written: Checkpoint, original: Checkpoint) -> None:
    if len(written.files) != len(original.files):
        raise VerificationError(f"{written.path}: has {len(written.files)} files; it needs {len(original.files)}")

    copies = {copy.path.name: copy for copy in written.files}
    for file in original.files:
        copy = written.files[0] if len(copies) == 1 else copies[file.name_as_safetensors]
        if copy.tensors != file.tensors:
            raise VerificationError(f"{copy.path}: names, types, shapes or places of tensors changed")
        for key, text in file.metadata.items():
            if not key.startswith("topoimp.") and copy.metadata.get(key) != text:
                raise VerificationError(f"{copy.path}: metadata {key!r} changed")
