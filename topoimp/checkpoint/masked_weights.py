"""Weights that two stored tensors make: ``NAME_orig`` where ``NAME_mask`` is 1, and 0 elsewhere.

``torch.nn.utils.prune`` saves a pruned parameter so, and the network computes with the product. A checkpoint has the
product under the name ``NAME``, in place of the two tensors. Where the mask is 0 the product is +0.0, unless the
original is NaN or infinite: NaN then, for the network, and the original code, for whoever looks for such numbers.

The two make a weight if both are there and have one shape, the original is of floating-point numbers, the mask can be
of 0 and 1, and no tensor has the name itself. One without the other is a tensor like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, CodeArray
from topoimp.checkpoint.flags import can_be_flags
from topoimp.checkpoint.header import TensorInfo
from topoimp.checkpoint.number_format import NUMBER_FORMATS, NumberFormat

ORIGINAL_SUFFIX = "_orig"
MASK_SUFFIX = "_mask"


@dataclass(frozen=True)
class MaskedWeight:
    """A weight and the two stored tensors that make it; the mask is 1 where the weight is that of the original."""

    name: str
    original: TensorInfo
    mask: TensorInfo

    @property
    def tensor(self) -> TensorInfo:
        """The weight as a tensor, at the place of the original."""
        original = self.original
        return TensorInfo(self.name, original.dtype, original.shape, original.start, original.end)


def masked_weights(tensors: Mapping[str, TensorInfo]) -> dict[str, MaskedWeight]:
    """Return the weights that two of some tensors make, by name, in the order of their originals.

    >>> pair = [TensorInfo(f"fc.weight_{part}", "F32", (2, 3), 0, 24) for part in ("orig", "mask")]
    >>> list(masked_weights({tensor.name: tensor for tensor in pair}))
    ['fc.weight']
    """
    found = {}
    for original in tensors.values():
        name = original.name.removesuffix(ORIGINAL_SUFFIX)
        mask = tensors.get(f"{name}{MASK_SUFFIX}")
        if name in ("", original.name) or name in tensors or mask is None:
            continue
        if mask.shape == original.shape and original.dtype in NUMBER_FORMATS and can_be_flags(mask.dtype):
            found[name] = MaskedWeight(name, original, mask)
    return found


def with_masked_weights(tensors: Mapping[str, TensorInfo], masked: Mapping[str, MaskedWeight]) -> dict[str, TensorInfo]:
    """Return tensors by name, with masked weights in place of their originals, and without their masks."""
    names = {weight.original.name: weight for weight in masked.values()}
    masks = {weight.mask.name for weight in masked.values()}
    tensors_in_order = [names[name].tensor if name in names else tensor for name, tensor in tensors.items()]
    return {tensor.name: tensor for tensor in tensors_in_order if tensor.name not in masks}


def ties_of_weights(ties: Mapping[str, str], masked: Mapping[str, MaskedWeight]) -> dict[str, str]:
    """Return the ties of tensors and masked weights: by name, the first that it shares all of its data with.

    Two masked weights are tied if both their originals and their masks are. A tensor that shares its data with an
    original, or a mask, is tied to it: to prune the one alone would change the other.
    """
    found = {}
    first_of: dict[tuple[str, str], str] = {}
    part_of: dict[str, str] = {}
    for weight in masked.values():
        parts = [ties.get(part.name, part.name) for part in (weight.original, weight.mask)]
        part_of |= {first: part.name for first, part in zip(parts, (weight.original, weight.mask), strict=True)}
        first = first_of.setdefault((parts[0], parts[1]), weight.name)
        if first != weight.name:
            found[weight.name] = first

    own = {part.name for weight in masked.values() for part in (weight.original, weight.mask)}
    plain = [name for pair in ties.items() for name in pair if name not in own]
    for name in dict.fromkeys(plain):
        first = ties.get(name, name)
        tied_to = part_of.get(first, first)
        if tied_to != name:
            found[name] = tied_to
    return found


def masked_codes(original: CodeArray, kept: BoolArray, number_format: NumberFormat) -> CodeArray:
    """Return the stored bits of a masked weight, in the shape of those of its original."""
    is_finite = number_format.magnitudes(original) < number_format.code_dtype.type(number_format.first_special)
    return np.multiply(original, kept | ~is_finite)
