"""A layer that was written, read back and compared with the facts promised: its weights, its mask, its topology."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.errors import VerificationError
from topoimp.kernels.pruning import count_wrong
from topoimp.kernels.threads import PIECE, in_parallel, pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.scored import ScoredLayers
from topoimp.layers.squared_norms import SquaredNorms, added_norms, squared_norms, squared_norms_of_part
from topoimp.pruning.applied_masks import MaskPruner
from topoimp.pruning.block_pattern import LayerBlocks
from topoimp.pruning.masks import Masks, PackedMask
from topoimp.pruning.preservation import Preservation, count_present, preservation_of
from topoimp.pruning.round import LayerRound
from topoimp.pruning.rules import pruned_layer
from topoimp.topology.forest import Forest, spanning_forest


@dataclass(frozen=True)
class WrittenLayer:
    """A layer as it was read back: the topology under its mask, and the squared norms of the weights before."""

    preservation: Preservation
    squared_norms: SquaredNorms


@dataclass(frozen=True)
class ToVerify:
    """A layer that was written, and the facts that it is compared with.

    Args:
        copies: the layer as it was written, alone.
        found_on: the layer on which the mask was found: weights, or scores.
        source: the layer whose weights were to be written.
        is_rewound: whether these are other weights than those that the mask was found on, or that have the scores.
        forest: the forest of ``found_on``.
        mask: the mask of the layer's tensor; None if every nonzero weight is kept.
        expected: the round that was to be written, if it is known.
    """

    copies: Layers
    found_on: Layers
    source: Layers
    is_rewound: bool
    forest: Forest
    mask: PackedMask | None
    expected: LayerRound | None

    @staticmethod
    def of(
        name: str,
        copies: Layers,
        found_on: Layers,
        source: Layers,
        forest: Forest,
        masks: Masks | None,
        expected: Mapping[str, LayerRound] | None,
    ) -> "ToVerify":
        """Return the facts of one layer."""
        weights = found_on.weights if isinstance(found_on, ScoredLayers) else found_on
        mask = None if masks is None else masks[source.by_name[name].tensor]
        return ToVerify(
            copies.only([name]),
            found_on.only([name]),
            source.only([name]),
            source is not weights,
            forest,
            mask,
            None if expected is None else expected[name],
        )

    @property
    def info(self) -> LayerInfo:
        """The layer."""
        return self.source.infos[0]

    @property
    def scored(self) -> ScoredLayers | None:
        """The layer with its scores, if the mask was found on scores."""
        return self.found_on if isinstance(self.found_on, ScoredLayers) else None

    @property
    def weights(self) -> Layers:
        """The layer with the weights that its mask was found beside, or on."""
        return self.found_on if self.scored is None else self.scored.weights


def verified(layer: Layer, of: ToVerify, threads: int) -> WrittenLayer:
    """Return a layer as it was written, or raise a VerificationError."""
    info, source, mask, expected = of.info, of.source, of.mask, of.expected
    path = of.copies.checkpoint.path
    known = None if expected is None or of.scored is not None else expected.squared_norms
    is_needed = known is None and not of.is_rewound
    n_nonzero, of_source = check_weights(path, layer, source, info, mask, threads, with_norms=is_needed)
    norms = known or of_source

    # The topology is that of scores if there are any; if the checkpoint was rewound, its mask was found on others.
    as_written = layer
    if of.scored is not None and not of.is_rewound:
        layer = of.scored.scored_alike(source.by_name, of.copies).read(info, threads)
    elif mask is not None and of.is_rewound:
        pruner = MaskPruner(mask, info.block)
        before = of.weights.read(info, threads)
        layer = pruned_layer(pruner, before, threads)
        norms = known or squared_norms(before, layer, threads)
        of.weights.done_with(info)
        layer = layer if of.scored is None else pruned_layer(pruner, of.scored.read(info, threads), threads)
    left = spanning_forest(layer, threads=threads)
    n_present = count_present(of.forest, layer)
    preservation = preservation_of(of.forest, left, n_weights=info.n_weights, n_forest_kept=n_present)
    if of.scored is None and not of.is_rewound and preservation.n_kept != n_nonzero:
        found = f"has {preservation.n_kept} edges and {n_nonzero} nonzero weights"
        raise VerificationError(f"{path}: layer {info.name!r} {found}")

    if expected is not None:
        _check_expected(path, info, preservation, mask, of.forest, expected)
        _check_blocks(path, info, as_written, mask, expected.blocks, threads)
    if mask is not None:
        mask.give_back()
    return WrittenLayer(preservation, norms)


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


def check_weights(
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
