"""Tensors of 0 and 1 in any type, as other tools save their masks: stored bytes in, flags out."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from topoimp.arrays import BoolArray, ByteArray
from topoimp.checkpoint.number_format import NUMBER_FORMATS

INTEGERS = MappingProxyType(
    {
        "BOOL": "u1",
        "U8": "u1",
        "I8": "i1",
        "U16": "<u2",
        "I16": "<i2",
        "U32": "<u4",
        "I32": "<i4",
        "U64": "<u8",
        "I64": "<i8",
    }
)
"""By safetensors' name of a type of integers, numpy's description of it; a boolean is a byte, 0 or 1."""


@dataclass(frozen=True)
class NotAFlag:
    """The first number that is neither 0 nor 1: its flat index, and the number as text."""

    index: int
    value: str


def can_be_flags(dtype: str) -> bool:
    """Whether numbers of a type can say 0 and 1: integers, booleans, and the floating-point formats of weights."""
    return dtype in INTEGERS or dtype in NUMBER_FORMATS


def flags_in(stored: ByteArray, dtype: str) -> BoolArray | NotAFlag:
    """Return a flag for each number of a tensor, true for 1; or the first number that is neither 0 nor 1.

    Minus zero is 0. An empty tensor has no flags.

    >>> flags_in(np.array([1, 0, 1], np.uint8), "U8")
    array([ True, False,  True])
    >>> flags_in(np.array([1, 7, 3], np.uint8), "U8")
    NotAFlag(index=1, value='7')
    """
    kept, is_zero = _ones_and_zeros(stored, dtype)
    others = np.flatnonzero(~(kept | is_zero))
    if len(others) == 0:
        return kept

    index = int(others[0])
    if dtype in INTEGERS:
        return NotAFlag(index, str(stored.view(INTEGERS[dtype])[index]))
    codes = stored.view(NUMBER_FORMATS[dtype].code_dtype.newbyteorder("<"))
    return NotAFlag(index, f"{NUMBER_FORMATS[dtype].values(codes[index : index + 1])[0]:g}")


def _ones_and_zeros(stored: ByteArray, dtype: str) -> tuple[BoolArray, BoolArray]:
    """Return which numbers are 1, and which are 0."""
    if dtype in INTEGERS:
        integers = stored.view(INTEGERS[dtype])
        return np.equal(integers, 1), np.equal(integers, 0)
    number_format = NUMBER_FORMATS[dtype]
    codes = stored.view(number_format.code_dtype.newbyteorder("<"))
    return np.equal(codes, one_of(dtype)), np.equal(number_format.magnitudes(codes), 0)


def stored_flags(kept: BoolArray, dtype: str) -> ByteArray:
    """Return flags as the bytes of 0 and 1 in a type: the inverse of ``flags_in``."""
    numbers = kept.astype(INTEGERS[dtype]) if dtype in INTEGERS else np.multiply(kept, one_of(dtype))
    return numbers.view(np.uint8)


def one_of(dtype: str) -> np.unsignedinteger:
    """Return the stored bits of 1 in a floating-point format."""
    number_format = NUMBER_FORMATS[dtype]
    of_one = number_format.code_at_most(int(np.float64(1).view(np.uint64)), n_bits=64)
    return number_format.code_dtype.newbyteorder("<").type(of_one)
