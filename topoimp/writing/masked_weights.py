"""Prune masked weights: write their masks anew, in their own types, and check them; the originals stay as they are.

``torch.nn.utils.prune`` computes with ``NAME_orig`` times ``NAME_mask`` (``topoimp.checkpoint.masked_weights``), so a
file pruned this way loads into the owner's module, which computes with the pruned weight. A mask never gets a 1 where
it had a 0: rewound to an earlier checkpoint, a kept weight that is masked there stays masked.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from topoimp.arrays import BoolArray, ByteArray
from topoimp.checkpoint import Checkpoint
from topoimp.checkpoint.flags import stored_flags
from topoimp.checkpoint.masked_weights import MaskedWeight
from topoimp.errors import VerificationError
from topoimp.kernels.threads import pieces
from topoimp.layers.block import are_in_blocks
from topoimp.layers.records import LayerInfo
from topoimp.pruning.masks import PackedMask


def pruned_mask(
    checkpoint: Checkpoint, weight: MaskedWeight, infos: Sequence[LayerInfo], start: int, kept: BoolArray
) -> ByteArray:
    """Return a part of the mask to write, as stored, from the weight ``start`` on.

    In the pruned layers, ``infos``, it is that of ``kept`` and of the original together; elsewhere the original's.
    """
    stop = start + len(kept)
    before = checkpoint.flags(weight.mask.name, start, stop)
    is_in_layer = are_in_blocks((info.block for info in infos), start, stop)
    return stored_flags(before & (kept | ~is_in_layer), weight.mask.dtype)


def check_masked_weight(
    written: Checkpoint, original: Checkpoint, name: str, infos: Sequence[LayerInfo], mask: PackedMask | None
) -> None:
    """Check the written mask of a masked weight: in its pruned layers ``mask`` and the original's mask together.

    Elsewhere, and so in a weight of which no layer is pruned, it is the original's mask. Without ``mask`` the pruned
    layers may have any mask that revives nothing. The product of the written tensors is checked with the layers.

    Raises:
        VerificationError: naming the tensor.
    """
    weight = original.masked_weights[name]
    for start, stop in pieces(0, prod(weight.mask.shape)):
        found, before = (each.flags(weight.mask.name, start, stop) for each in (written, original))
        is_in_layer = are_in_blocks((info.block for info in infos), start, stop)
        kept = found if mask is None else mask.part(start, stop)
        if not np.array_equal(found, before & (kept | ~is_in_layer)):
            raise VerificationError(f"{written.path}: tensor {weight.mask.name!r} is not the mask that was found")
    written.done_with(weight.mask.name)
    original.done_with(weight.mask.name)
