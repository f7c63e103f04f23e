"""Holding one round against what it was meant to be: what topoimp wrote, and what the trainer gave back.

Everything is read back from the disk. Whatever fails here stops the run: the commonest defects of iterative pruning are
that weights silently were not rewound, that pruned weights came back, and that another sparsity was reached.
"""

from math import sqrt
from pathlib import Path

import numpy as np

from topoimp.checkpoint import Checkpoint, open_checkpoint
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import CheckpointError, TrainingError, VerificationError
from topoimp.kernels.threads import pieces
from topoimp.layers.catalogue import LayerInfo, Layers
from topoimp.pruning.masks import Masks
from topoimp.writing.rewinding import check_same_tensors

FEWEST = 100
"""With fewer weights, chance alone may relate what a trainer gives back to what it was given."""

RELATED = 4.0
"""Standard deviations by which the relation must exceed chance."""


def check_within(masks: Masks, before: Masks, path: Path) -> None:
    """Make sure that masks keep nothing that those before them do not.

    Raises:
        VerificationError: naming the first tensor of which one does.
    """
    for name, mask in masks.items():
        if name not in before or not mask.is_within(before[name]):
            raise VerificationError(f"{path}: keeps a weight of {name!r} that was pruned before")


def check_started(started: Path, init: Path) -> None:
    """Make sure that a trainer started from the weights that it was given, bit for bit.

    Raises:
        VerificationError: naming the first tensor that differs.
    """
    try:
        here, there = open_checkpoint(started), open_checkpoint(init)
        check_same_tensors(here, there)
    except CheckpointError as error:
        raise VerificationError(f"the weights that the trainer says it started from are none: {error}") from error
    for name in there.tensors:
        found, given = here.stored(name), there.stored(name)
        if not np.array_equal(found, given):
            n_bytes = (there.tensors[name].end - there.tensors[name].start) // max(_n_entries(there, name), 1)
            index = int(np.flatnonzero(found != given)[0]) // n_bytes
            raise VerificationError(
                f"the trainer started from other weights than it was given: tensor {name!r} differs at index {index}"
            )


def open_trained(out: Path, init: Checkpoint) -> Checkpoint:
    """Open what a trainer wrote.

    Raises:
        TrainingError: if there is nothing.
        VerificationError: if it is no checkpoint, has other tensors than it was given, or holds NaN or infinity.
    """
    if not out.exists() and not out.is_symlink():
        raise TrainingError(f"{out}: the trainer ended without an error, but did not write this")
    links = [path for path in (out, *(out.rglob("*") if out.is_dir() else ())) if path.is_symlink()]
    if links:
        raise VerificationError(f"{links[0]}: is a link; the trainer must write the weights themselves")
    try:
        trained = open_checkpoint(out)
        check_same_tensors(trained, init)
    except CheckpointError as error:
        raise VerificationError(f"what the trainer wrote cannot be used: {error}") from error
    for name, tensor in trained.tensors.items():
        number_format = NUMBER_FORMATS.get(tensor.dtype)
        if number_format is None:
            continue
        codes = trained.codes(name)
        for start, stop in pieces(0, codes.size):
            special = np.flatnonzero(number_format.magnitudes(codes[start:stop]) >= number_format.first_special)
            if special.size:
                index = start + int(special[0])
                raise VerificationError(
                    f"{out}: tensor {name!r} is NaN or infinite at index {index}; training diverged"
                )
    return trained


def check_held(trained: Layers, masks: Masks) -> None:
    """Make sure that no pruned weight came back in training.

    Raises:
        VerificationError: naming the first layer with a weight that did, and how many.
    """
    for info in trained.infos:
        codes, mask = _codes(trained, info), masks[info.tensor]
        n_revived, first = 0, -1
        for start, stop in pieces(0, info.n_weights):
            is_edge = info.number_format.magnitudes(codes[start:stop]) != 0
            revived = np.flatnonzero(is_edge & ~mask.part(info.first + start, info.first + stop))
            if revived.size and first < 0:
                first = start + int(revived[0])
            n_revived += revived.size
        if n_revived:
            raise VerificationError(
                f"{trained.checkpoint.path}: {n_revived} pruned weights of {info.name!r} came back in training, the "
                f"first at index {first}; the trainer must hold the mask"
            )


def check_related(trained: Layers, init: Layers, masks: Masks) -> float | None:
    """Make sure that trained weights have to do with those that training was to start from.

    Weights that were trained from others still resemble them; those of a trainer that started elsewhere do so by chance
    alone: then the correlation over n weights is about normal with deviation 1 / sqrt(n), layer by layer. This cannot
    tell where a trainer started, only that it did not start there; ``check_started`` can.

    Args:
        trained: the layers that the trainer wrote.
        init: those that it was given.
        masks: only kept weights count.

    Returns:
        standard deviations above chance; None if there are too few weights to tell.

    Raises:
        VerificationError: if they do not exceed ``RELATED``.
    """
    n_all, exceeds = 0, 0.0
    for info in trained.infos:
        n, correlation = _correlation(info, _codes(trained, info), _codes(init, info), masks)
        if correlation is not None:
            n_all, exceeds = n_all + n, exceeds + n * correlation
    if n_all < FEWEST:
        return None
    deviations = exceeds / sqrt(n_all)
    if deviations <= RELATED:
        raise VerificationError(
            f"{trained.checkpoint.path}: the weights have nothing to do with those that training was to start from "
            f"(correlation {exceeds / n_all:.4f} over {n_all} weights); the trainer must load {{init}}, and can prove "
            "it by writing {started}"
        )
    return deviations


def _correlation(info: LayerInfo, ours: np.ndarray, theirs: np.ndarray, masks: Masks) -> tuple[int, float | None]:
    """Give how many weights of a layer are kept, and how two versions of them correlate; None if one is constant."""
    sums = np.zeros(6)
    for start, stop in pieces(0, info.n_weights):
        kept = masks[info.tensor].part(info.first + start, info.first + stop)
        x, y = (info.number_format.values(codes[start:stop][kept]) for codes in (ours, theirs))
        sums += [len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y]
    n, x1, y1, xx, yy, xy = map(float, sums)
    if n == 0:
        return 0, None
    spread = (xx - x1 * x1 / n) * (yy - y1 * y1 / n)
    is_constant = not spread > 1e-18 * xx * yy
    correlation = float(xy - x1 * y1 / n) / sqrt(max(spread, 0.0) or 1.0)
    return int(n), None if is_constant else correlation


def _codes(layers: Layers, info: LayerInfo) -> np.ndarray:
    return layers.checkpoint.codes(info.tensor)[info.first : info.first + info.n_weights]


def _n_entries(checkpoint: Checkpoint, name: str) -> int:
    return int(np.prod(checkpoint.tensors[name].shape, dtype=np.int64))
