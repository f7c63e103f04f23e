"""Check that a round revived no weight, by its mask or in training, and that training began with the right weights.

All is read back from the disk. The commonest defects of iterative pruning are that weights silently were not rewound,
that pruned weights came back, and that another sparsity was reached.
"""

from functools import partial
from math import prod, sqrt
from pathlib import Path

import numpy as np

from topoimp.checkpoint import Checkpoint, open_checkpoint
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import CheckpointError, TrainingError, VerificationError
from topoimp.kernels.threads import pieces
from topoimp.layers.records import LayerInfo, Layers
from topoimp.pruning.masks import Masks
from topoimp.writing.rewinding import check_same_tensors

FEWEST = 100
"""With fewer weights, the correlation of trained and initial weights may be due to chance."""

RELATED = 4.0
"""Standard deviations by which the correlation must exceed chance."""


def check_within(masks: Masks, before: Masks, path: Path) -> None:
    """Raise a VerificationError if masks keep a weight that the masks before them do not keep."""
    for name, mask in masks.items():
        if name not in before or not mask.is_within(before[name]):
            raise VerificationError(f"{path}: keeps a weight of {name!r} that was pruned before")


def check_started(path: Path, init: Checkpoint) -> None:
    """Raise a VerificationError if the weights that a trainer started from are not those of ``init``, bit for bit."""
    try:
        started = open_checkpoint(path)
        check_same_tensors(started, init)
    except CheckpointError as error:
        raise VerificationError(f"the weights that the trainer says it started from are none: {error}") from error

    for name, tensor in init.tensors.items():  # of a masked weight the product, whose original trainers may clear
        found, given = started.stored(name), init.stored(name)
        if not np.array_equal(found, given):
            n_bytes = (tensor.end - tensor.start) // max(prod(tensor.shape), 1)
            index = int(np.flatnonzero(found != given)[0]) // n_bytes
            raise VerificationError(
                f"the trainer started from other weights than it was given: tensor {name!r} differs at index {index}"
            )


def open_trained(out: Path, init: Checkpoint) -> Checkpoint:
    """Open the checkpoint that a trainer wrote; raise a TrainingError if there is none.

    A VerificationError says that it cannot be used, has other tensors than ``init``, or holds NaN or infinity.
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
        if tensor.dtype in NUMBER_FORMATS:
            number_format = NUMBER_FORMATS[tensor.dtype]
            codes = trained.codes(name)
            for start, stop in pieces(0, codes.size):
                special = np.flatnonzero(number_format.magnitudes(codes[start:stop]) >= number_format.first_special)
                if special.size:
                    found = f"tensor {name!r} is NaN or infinite at index {start + int(special[0])}"
                    raise VerificationError(f"{out}: {found}; training diverged")
    return trained


def check_held(trained: Layers, masks: Masks) -> None:
    """Raise a VerificationError if a pruned weight is not zero: with the first such layer, and their number."""
    for info in trained.infos:
        codes = _codes(trained, info)
        mask = masks[info.tensor]
        n_revived = 0
        first = -1
        for start, stop in pieces(0, info.n_weights):
            is_edge = info.number_format.magnitudes(codes[start:stop]) != 0
            revived = np.flatnonzero(is_edge & ~mask.part_of(info.block, start, stop))
            if revived.size and first < 0:
                first = start + int(revived[0])
            n_revived += revived.size

        if n_revived:
            found = f"{n_revived} pruned weights of {info.name!r} came back in training, the first at index {first}"
            raise VerificationError(f"{trained.checkpoint.path}: {found}; the trainer must hold the mask")


def check_related(trained: Layers, init: Layers, masks: Masks) -> float | None:
    """Check that the kept weights after training correlate with those before it.

    Trained weights resemble the weights that training started from. Those of a trainer that started elsewhere correlate
    by chance alone: over the n weights of a layer about normally, with deviation 1 / sqrt(n). This detects a wrong
    start, but proves no right one; ``check_started`` does.

    Returns the standard deviations above chance, None for fewer than ``FEWEST`` weights; raises a VerificationError
    if they do not exceed ``RELATED``.
    """
    # The mean over the layers, weighted by their numbers of weights.
    correlations = [_correlation(info, _codes(trained, info), _codes(init, info), masks) for info in trained.infos]
    n_all = sum(n for n, correlation in correlations if correlation is not None)
    if n_all < FEWEST:
        return None

    exceeds = sum(n * correlation for n, correlation in correlations if correlation is not None)
    deviations = exceeds / sqrt(n_all)
    if deviations <= RELATED:
        raise VerificationError(
            f"{trained.checkpoint.path}: the weights have nothing to do with those that training was to start from "
            f"(correlation {exceeds / n_all:.4f} over {n_all} weights); the trainer must load {{init}}, and can prove "
            "it by writing {started}"
        )
    return deviations


def _correlation(info: LayerInfo, ours: np.ndarray, theirs: np.ndarray, masks: Masks) -> tuple[int, float | None]:
    """Return the number of kept weights of a layer, and the correlation of two versions; None if one is constant."""
    sums = np.zeros(6)
    for start, stop in pieces(0, info.n_weights):
        kept = masks[info.tensor].part_of(info.block, start, stop)
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
    return info.block.read(partial(layers.checkpoint.codes, info.tensor), 0, info.n_weights)
