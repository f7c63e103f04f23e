"""The number formats of weights (float64 to float8): stored bits in, magnitudes out.

In each format the bits without the sign, the magnitude code, order like the magnitudes, so one comparison of unsigned
integers serves all formats. Zero and minus zero have magnitude code 0. Strengths, that is magnitudes |w|, are exact:
float64 holds every value of every format, float32 every value of every format but float64.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ldexp
from types import MappingProxyType
from typing import Any

import numpy as np

from topoimp.arrays import CodeArray, FloatArray


@dataclass(frozen=True)
class NumberFormat:
    """A floating-point format, described by its bits.

    Args:
        name: as safetensors names it, such as ``BF16``.
        n_bits: bits of one number, sign included.
        first_special: smallest magnitude code that is not finite.
        infinity: magnitude code of infinity; None if the format has none.
    """

    name: str
    n_bits: int
    first_special: int
    infinity: int | None

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what to pickle: the name, as there is one object for each format."""
        return _known, (self.name,)

    @cached_property
    def code_dtype(self) -> np.dtype[np.unsignedinteger]:
        """The unsigned integer that holds one number's bits."""
        return np.dtype(f"uint{self.n_bits}")

    @property
    def magnitude_mask(self) -> int:
        """All bits but the sign."""
        return (1 << (self.n_bits - 1)) - 1

    def magnitudes(self, codes: CodeArray) -> CodeArray:
        """Return the magnitude codes, in the shape of ``codes``; 0 is an absent edge."""
        return codes & self.code_dtype.type(self.magnitude_mask)

    def strengths(self, codes: CodeArray) -> FloatArray:
        """Return |w| exactly, in the shape of ``codes``."""
        return self.widened(self.magnitudes(codes)).astype(np.float64)

    def values(self, codes: CodeArray) -> FloatArray:
        """Return the numbers exactly, in the shape of ``codes``."""
        return np.where(codes > self.code_dtype.type(self.magnitude_mask), -1.0, 1.0) * self.strengths(codes)

    def common_codes(self, codes: CodeArray, *, n_bits: int) -> CodeArray:
        """Return magnitude codes that compare across formats, in the shape of ``codes``: those of |w| as a float.

        The float has ``n_bits``: 32, or 64 if any of the formats compared is float64.
        """
        exact = self.widened(self.magnitudes(codes))
        if n_bits == 32 and exact.dtype == np.float64:
            raise ValueError("float64 strengths need 64 bits")
        return exact.astype(f"float{n_bits}").view(f"uint{n_bits}")

    @lru_cache(maxsize=4096)  # noqa: B019  # few formats, as below
    def common_code(self, magnitude: int, *, n_bits: int) -> int:
        """Return the common code of one magnitude code."""
        return int(self.common_codes(np.array([magnitude], self.code_dtype), n_bits=n_bits)[0])

    @lru_cache(maxsize=4096)  # noqa: B019  # there are six formats; a tensor is written in thousands of pieces
    def code_at_most(self, common: int, *, n_bits: int) -> int:
        """Return the largest finite magnitude code whose common code is at most ``common``."""
        low, high = 0, self.first_special
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.common_code(middle, n_bits=n_bits) <= common else (low, middle)
        return low

    def widened(self, magnitudes: CodeArray) -> np.ndarray:
        """Return the magnitudes of codes without sign, as float64 if the format is, else as float32; exact."""
        match self.name:
            case "F64":
                return magnitudes.view(np.float64)
            case "F32":
                return magnitudes.view(np.float32)
            case "F16":
                return magnitudes.view(np.float16).astype(np.float32)
            case "BF16":
                return (magnitudes.astype(np.uint32) << np.uint32(16)).view(np.float32)
            case "F8_E5M2":  # the upper half of a float16
                return (magnitudes.astype(np.uint16) << np.uint16(8)).view(np.float16).astype(np.float32)
            case "F8_E4M3":
                return _E4M3FN_VALUES[magnitudes]
            case _:
                raise ValueError(f"no such number format: {self.name}")


def _known(name: str) -> NumberFormat:
    return NUMBER_FORMATS[name]


def _e4m3fn(code: int) -> float:
    """Return the value of a magnitude code below 127: 4 bits of exponent with bias 7, then 3 of mantissa."""
    exponent, mantissa = code >> 3, code & 7
    return ldexp(8 + mantissa, exponent - 10) if exponent else ldexp(mantissa, -9)


_E4M3FN_VALUES = np.array([*map(_e4m3fn, range(127)), np.nan], np.float32)

F64 = NumberFormat("F64", 64, first_special=0x7FF0000000000000, infinity=0x7FF0000000000000)
F32 = NumberFormat("F32", 32, first_special=0x7F800000, infinity=0x7F800000)
F16 = NumberFormat("F16", 16, first_special=0x7C00, infinity=0x7C00)
BF16 = NumberFormat("BF16", 16, first_special=0x7F80, infinity=0x7F80)
F8_E5M2 = NumberFormat("F8_E5M2", 8, first_special=0x7C, infinity=0x7C)
F8_E4M3 = NumberFormat("F8_E4M3", 8, first_special=0x7F, infinity=None)

NUMBER_FORMATS = MappingProxyType({known.name: known for known in (F64, F32, F16, BF16, F8_E5M2, F8_E4M3)})


AS_FLOAT32 = MappingProxyType({F32: (0, 0), BF16: (16, 0), F16: (13, 112), F8_E5M2: (21, 112), F8_E4M3: (20, 120)})
"""By format, the left shift that makes its codes float32, and the power of two by which the result is too small."""


def common_bits(number_formats: Iterable[NumberFormat]) -> int:
    """Return the bits of common codes under which formats compare exactly: 64 if one is float64, else 32."""
    return 64 if any(number_format is F64 for number_format in number_formats) else 32
