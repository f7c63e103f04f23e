"""The header of a safetensors file: bytes in, checked descriptions of tensors out, and back.

A file is eight bytes with the header's length N (little endian), N bytes of JSON, and the tensors' data without gaps.
Every number in a header is checked against the file size, and against the rest of the header, before it is used.
Source: the format's description in the safetensors project's README.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul
from types import MappingProxyType
from typing import Any, TypeGuard

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors package: readers refuse a longer header."""

_TOO_LARGE = 2**63

_ENTRY = {"dtype", "shape", "data_offsets"}
"""The entries of a tensor."""

_TYPES_BY_BITS = (
    (4, "F4"),
    (6, "F6_E2M3 F6_E3M2"),
    (8, "BOOL U8 I8 F8_E4M3 F8_E5M2 F8_E4M3FNUZ F8_E5M2FNUZ F8_E8M0"),
    (16, "U16 I16 F16 BF16"),
    (32, "U32 I32 F32"),
    (64, "U64 I64 F64 C64"),
)
BITS = MappingProxyType({name: n_bits for n_bits, names in _TYPES_BY_BITS for name in names.split()})
"""By type that a safetensors file may hold, the bits of one element."""


def is_floating_point(dtype: str) -> bool:
    """Return whether a type of a safetensors file is a real floating-point format, of any number of bits.

    >>> [name for name in BITS if not is_floating_point(name)]
    ['BOOL', 'U8', 'I8', 'U16', 'I16', 'U32', 'I32', 'U64', 'I64', 'C64']
    """
    return dtype.startswith(("F", "BF"))


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file; ``start`` and ``end`` are its bytes, counted from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class HeaderError(ValueError):
    """A defect of a header, without the name of the file, which the reader adds."""


def header_length(first_bytes: bytes, file_bytes: int) -> int:
    """Return the header's length, checked against the file size."""
    if len(first_bytes) < LENGTH_BYTES:
        raise HeaderError(f"holds {file_bytes} bytes; a safetensors file has at least {LENGTH_BYTES}")
    length = int.from_bytes(first_bytes[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise HeaderError(f"starts with a header length of {length}; this is not a safetensors file")
    if LENGTH_BYTES + length > file_bytes:
        raise HeaderError(f"announces a header of {length} bytes, but the file holds {file_bytes}; it is truncated")
    return length


@dataclass(frozen=True)
class Header:
    """What a header describes.

    Args:
        tensors: in the order of the header.
        metadata: the texts stored with them.
        unknown: the entries of tensors that the format does not have, as in ``strides of fc.weight``. The safetensors
            package reads past them, and so does topoimp.
    """

    tensors: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    unknown: tuple[str, ...] = ()


def parse_header(text: bytes, data_bytes: int) -> Header:
    """Return what a header's JSON describes; ``data_bytes`` follow it in the file.

    A HeaderError says where the header contradicts the format, itself or the file size.
    """
    entries = _json_object(text)
    metadata = _metadata(entries.pop("__metadata__", None) or {})
    tensors = tuple(_tensor(name, entry) for name, entry in entries.items())
    _check_extents(tensors, data_bytes)
    unknown = tuple(f"{key} of {name}" for name, entry in entries.items() for key in entry if key not in _ENTRY)
    return Header(tensors, metadata, unknown)


def format_header(tensors: Sequence[TensorInfo], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes before the data: the length, and the JSON padded with spaces to a multiple of 8."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    for tensor in tensors:
        offsets = [tensor.start, tensor.end]
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES:
        raise HeaderError(f"would have a header of {len(text)} bytes; readers accept {MAX_HEADER_BYTES}")
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def tensor_bytes(dtype: str, shape: Sequence[int]) -> int:
    """Return the bytes that a tensor occupies; types narrower than a byte are packed, unknown types take none."""
    return (prod(shape) * BITS.get(dtype, 0) + 7) // 8


def laid_out(shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> list[TensorInfo]:
    """Return tensors of given types and shapes, laid out one after the other as in a file."""
    tensors = []
    start = 0
    for name, (dtype, shape) in shapes.items():
        end = start + tensor_bytes(dtype, shape)
        tensors.append(TensorInfo(name, dtype, shape, start, end))
        start = end
    return tensors


def _json_object(text: bytes) -> dict[str, Any]:  # Any: JSON not yet checked
    try:
        entries = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except HeaderError:
        raise
    except (ValueError, RecursionError) as error:  # a ValueError also for a number of thousands of digits
        reasons = {UnicodeDecodeError: "that is not UTF-8 text", RecursionError: "nested too deeply to read"}
        reason = reasons.get(type(error), f"that is not JSON ({error})")
        raise HeaderError(f"has a header {reason}; this is not a safetensors file") from error
    if not isinstance(entries, dict):
        raise HeaderError(f"has a header that is a JSON {type(entries).__name__}; it must be an object")
    return entries


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: JSON not yet checked
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise HeaderError(f"names {key!r} twice in its header; every name must be unique")
        entries[key] = value
    return entries


def _metadata(entry: object) -> dict[str, str]:
    if not isinstance(entry, dict) or not all(is_text(text) for pair in entry.items() for text in pair):
        raise HeaderError("has metadata that is not a map from text to text")
    return entry


def _tensor(name: str, entry: object) -> TensorInfo:
    if not is_text(name):
        raise HeaderError(f"names a tensor {name!r}, which is not Unicode text")
    if not isinstance(entry, dict) or not entry.keys() >= _ENTRY:
        raise HeaderError(f"describes tensor {name!r} without dtype, shape and data_offsets")

    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise HeaderError(f"gives tensor {name!r} the type {dtype!r}, which safetensors does not have")
    if not _are_sizes(shape):
        raise HeaderError(f"gives tensor {name!r} the shape {shape!r}; it must be a list of sizes")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise HeaderError(f"gives tensor {name!r} the offsets {offsets!r}; they must be a start and an end")

    start, end = offsets
    needed = tensor_bytes(dtype, shape)
    if needed != end - start:
        raise HeaderError(f"gives tensor {name!r} {end - start} bytes; {dtype} of shape {shape} needs {needed}")
    return TensorInfo(name, dtype, tuple(shape), start, end)


def is_text(value: object) -> bool:
    """Whether a value is text that can be encoded: JSON may spell half a character (a lone surrogate)."""
    return isinstance(value, str) and re.search("[\ud800-\udfff]", value) is None


def _are_counts(value: object) -> TypeGuard[list[int]]:
    """Whether a value is a list of integers from 0 to 2^63 - 1."""
    return isinstance(value, list) and all(type(count) is int and 0 <= count < _TOO_LARGE for count in value)


def _are_sizes(value: object) -> bool:
    """Whether a value is a list of sizes whose product, zeros aside, is below 2^63 too."""
    return _are_counts(value) and all(
        product < _TOO_LARGE for product in accumulate((size or 1 for size in value), mul)
    )


def _check_extents(tensors: Sequence[TensorInfo], data_bytes: int) -> None:
    """Check that the tensors cover the data exactly: no gap, no overlap, nothing beyond the end."""
    covered = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != covered:
            raise HeaderError(f"places tensor {tensor.name!r} at byte {tensor.start}; {covered} is expected there")
        covered = tensor.end
    if covered > data_bytes:
        raise HeaderError(f"needs {covered} bytes of tensor data and holds {data_bytes}; it is truncated")
    if covered < data_bytes:
        raise HeaderError(f"holds {data_bytes} bytes of tensor data, but its header describes {covered}")
