"""Read a written checkpoint and its mask back from the disk, and check them weight by weight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from pathlib import Path

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.checkpoint import Checkpoint
from topoimp.errors import VerificationError
from topoimp.kernels.pruning import count_wrong
from topoimp.kernels.threads import PIECE, in_parallel, pieces
from topoimp.layers.block import are_in_blocks
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.scored import ScoredLayers
from topoimp.layers.squared_norms import SquaredNorms, added_norms, squared_norms, squared_norms_of_part
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.applied_masks import MaskPruner
from topoimp.pruning.block_pattern import LayerBlocks
from topoimp.pruning.masks import Masks, PackedMask
from topoimp.pruning.preservation import Preservation, count_present, preservation_of
from topoimp.pruning.round import LayerRound
from topoimp.pruning.rules import pruned_layer
from topoimp.topology.forest import Forest, spanning_forest
from topoimp.writing.masked_weights import check_masked_weight
from topoimp.writing.pruned_copy import changed_tensors
from topoimp.writing.torch_verification import verify_other_bytes


@dataclass(frozen=True)
class WrittenLayer:
    """A layer as it was read back: the topology under its mask, and the squared norms of the weights before."""

    preservation: Preservation
    squared_norms: SquaredNorms


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
    scored = stream.layers if isinstance(stream.layers, ScoredLayers) else None
    weights = stream.layers if scored is None else scored.weights
    written_scores = None if scored is None or source is not weights else scored.scored_alike(source.by_name, copies)

    def check(layer: Layer, threads: int) -> WrittenLayer:
        info = source.by_name[layer.name]
        forest = forests[layer.name]
        mask = None if masks is None else masks[info.tensor]
        known = None if expected is None or scored is not None else expected[info.name].squared_norms
        is_needed = known is None and source is weights
        n_nonzero, of_source = _check_weights(written.path, layer, source, info, mask, threads, with_norms=is_needed)
        norms = known or of_source

        as_written = layer

        # The topology is that of scores if there are any; if the checkpoint was rewound, its mask was found on others.
        if written_scores is not None:
            layer = written_scores.read(info, threads)
        elif mask is not None and source is not stream.layers:
            pruner = MaskPruner(mask, info.block)
            before = weights.read(info, threads)
            layer = pruned_layer(pruner, before, threads)
            norms = known or squared_norms(before, layer, threads)
            weights.done_with(info)
            layer = layer if scored is None else pruned_layer(pruner, scored.read(info, threads), threads)
        left = spanning_forest(layer, threads=threads)
        n_present = count_present(forest, layer)
        preservation = preservation_of(forest, left, n_weights=info.n_weights, n_forest_kept=n_present)
        if source is stream.layers and preservation.n_kept != n_nonzero:
            found = f"has {preservation.n_kept} edges and {n_nonzero} nonzero weights"
            raise VerificationError(f"{written.path}: layer {info.name!r} {found}")

        if expected is not None:
            _check_expected(written.path, info, preservation, mask, forest, expected[info.name])
            _check_blocks(written.path, info, as_written, mask, expected[info.name].blocks, threads)
        if mask is not None:
            mask.give_back()
        return WrittenLayer(preservation, norms)

    return replace(stream, layers=copies).each(check)


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
        _check_weights(written.path, layer, layers, info, masks[info.tensor], threads)
        masks[info.tensor].give_back()

    replace(stream, layers=Layers(written, layers.infos, ())).each(check)


def _check_expected(
    path: Path, info: LayerInfo, found: Preservation, mask: PackedMask | None, forest: Forest, expected: LayerRound
) -> None:
    """Check the topology of a layer, and its mask's count and protected edges, against a round."""
    if found != expected.preservation:
        raise VerificationError(f"{path}: {_difference(info.name, found, expected.preservation)}")
    if mask is None:
        return

    n_kept = mask.n_kept_of(info.block)
    if n_kept != found.n_kept:  # zeros cannot tell: a kept weight may be zero
        needed = f"it must keep {found.n_kept}"
        raise VerificationError(f"{path}: the mask of {info.name!r} keeps {n_kept} weights; {needed}")
    if not mask.keeps(info.block.places(forest.indices[: expected.n_protected])).all():
        raise VerificationError(f"{path}: the mask of {info.name!r} lacks protected edges of the forest")


def _check_blocks(
    path: Path, info: LayerInfo, written: Layer, mask: PackedMask | None, blocks: LayerBlocks | None, threads: int
) -> None:
    """Check that the mask of a layer, or without one its nonzero weights, are at most N in each block of a pattern."""
    if blocks is None:
        return

    def flags(first: int, end: int) -> BoolArray:
        if mask is None:
            return np.not_equal(written.number_format.magnitudes(written.codes[first:end]), 0)
        return mask.part_of(info.block, first * info.n_columns, end * info.n_columns).reshape(-1, info.n_columns)

    _, n_fullest = blocks.count(info.n_rows, info.n_columns, flags, threads)
    if n_fullest > blocks.pattern.n_kept:
        raise VerificationError(
            f"{path}: a block of {info.name!r} keeps {n_fullest} weights; it needs {blocks.pattern}"
        )


def _check_weights(
    path: Path,
    written: Layer,
    source: Layers,
    info: LayerInfo,
    mask: PackedMask | None,
    threads: int,
    *,
    with_norms: bool = False,
) -> tuple[int, SquaredNorms]:
    """Check the weights of a layer against their source and the mask.

    Return the number of nonzero ones, and the squared norms of the source, which are 0 unless they are asked for.
    """
    original = source.read(info, threads)
    sign = written.codes.dtype.type(written.number_format.magnitude_mask)

    def count(start: int, stop: int) -> tuple[IndexArray, list[SquaredNorms]]:
        total = np.zeros(3, np.int64)
        norms = []
        for first, last in pieces(start, stop):
            before, piece = original.weights[first:last], written.weights[first:last]
            kept = piece != 0 if mask is None else mask.part_of(info.block, first, last)
            total += count_wrong(before, piece, kept, sign)
            if with_norms:
                norms.append(squared_norms_of_part(info.number_format, before, piece))
            source.done_with(info, first, last)
        return total, norms

    counted = in_parallel(count, info.n_weights, threads, unit=PIECE)
    n_nonzero, n_changed, n_left = np.sum([total for total, _ in counted], axis=0).tolist()
    if n_changed:
        raise VerificationError(f"{path}: a surviving weight of {info.name!r} changed")
    if n_left:
        raise VerificationError(f"{path}: a pruned weight of {info.name!r} is not zero")
    return int(n_nonzero), added_norms(part for _, norms in counted for part in norms)


def _difference(name: str, found: Preservation, expected: Preservation) -> str:
    if expected.barcode_kept and not found.barcode_kept:
        return f"the barcode of {name!r} changed"
    fact = next(f.name for f in fields(found) if getattr(found, f.name) != getattr(expected, f.name))
    return f"layer {name!r} has {fact} {getattr(found, fact)}; it needs {getattr(expected, fact)}"


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
