"""The header of a safetensors file: bytes in, checked descriptions of tensors out, and back.

A file is eight bytes with the header's length N (little endian), N bytes of JSON, and the tensors' data without gaps.
Nothing in a header is believed before it has been held against the file's size and against itself.

Source: the format's description in the safetensors project's README.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any, TypeGuard

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
"""As in the safetensors package: a longer header is refused by every reader."""

_TOO_LARGE = 2**63

BITS = MappingProxyType(
    {
        "BOOL": 8,
        "U8": 8,
        "I8": 8,
        "U16": 16,
        "I16": 16,
        "U32": 32,
        "I32": 32,
        "U64": 64,
        "I64": 64,
        "F64": 64,
        "F32": 32,
        "F16": 16,
        "BF16": 16,
        "C64": 64,
        "F8_E4M3": 8,
        "F8_E5M2": 8,
        "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8,
        "F8_E8M0": 8,
        "F6_E2M3": 6,
        "F6_E3M2": 6,
        "F4": 4,
    }
)
"""Bits of one element of each type that a safetensors file may hold."""


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file: its name, element type, shape, and where its bytes lie after the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class HeaderError(ValueError):
    """The bare fact that is wrong with a header; the reader adds which file it is."""


def header_length(first_bytes: bytes, file_bytes: int) -> int:
    """Give the header's length, held against the file's size."""
    if len(first_bytes) < LENGTH_BYTES:
        raise HeaderError(f"holds {file_bytes} bytes; a safetensors file has at least {LENGTH_BYTES}")
    length = int.from_bytes(first_bytes[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise HeaderError(f"starts with a header length of {length}; this is not a safetensors file")
    if LENGTH_BYTES + length > file_bytes:
        raise HeaderError(f"announces a header of {length} bytes, but the file holds {file_bytes}; it is truncated")
    return length


def parse_header(text: bytes, data_bytes: int) -> tuple[tuple[TensorInfo, ...], dict[str, str]]:
    """Give a header's tensors, in the order of the header, and its metadata.

    Args:
        text: the header's JSON.
        data_bytes: how many bytes follow it in the file.

    Raises:
        HeaderError: if the header contradicts the format, itself or the file's size.
    """
    entries = _json_object(text)
    metadata = _metadata(entries.pop("__metadata__", None) or {})
    tensors = tuple(_tensor(name, entry) for name, entry in entries.items())
    _check_extents(tensors, data_bytes)
    return tensors, metadata


def format_header(tensors: Sequence[TensorInfo], metadata: Mapping[str, str]) -> bytes:
    """Give the bytes that precede the data: the length and the JSON, padded with spaces to a multiple of 8.

    Raises:
        HeaderError: if it would be longer than readers accept.
    """
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    for tensor in tensors:
        entries[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [tensor.start, tensor.end],
        }
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES:
        raise HeaderError(f"would have a header of {len(text)} bytes; readers accept {MAX_HEADER_BYTES}")
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def tensor_bytes(dtype: str, shape: Sequence[int]) -> int:
    """Give the bytes that a tensor occupies; formats narrower than a byte are packed."""
    return (prod(shape) * BITS[dtype] + 7) // 8


def _json_object(text: bytes) -> dict[str, Any]:  # Any: this is what is about to be checked
    try:
        entries = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except UnicodeDecodeError as error:
        raise HeaderError("has a header that is not UTF-8 text; this is not a safetensors file") from error
    except RecursionError as error:
        raise HeaderError("has a header nested too deeply to read; this is not a safetensors file") from error
    except HeaderError:
        raise
    except ValueError as error:  # not JSON, or a number of thousands of digits
        raise HeaderError(f"has a header that is not JSON ({error}); this is not a safetensors file") from error
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
    if not isinstance(entry, dict) or not all(_is_text(text) for pair in entry.items() for text in pair):
        raise HeaderError("has metadata that is not a map from text to text")
    return entry


def _tensor(name: str, entry: object) -> TensorInfo:
    if not _is_text(name):
        raise HeaderError(f"names a tensor {name!r}, which is not Unicode text")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise HeaderError(f"describes tensor {name!r} without exactly dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise HeaderError(f"gives tensor {name!r} the type {dtype!r}, which safetensors does not have")
    if not _are_sizes(shape):
        raise HeaderError(f"gives tensor {name!r} the shape {shape!r}; it must be a list of sizes")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise HeaderError(f"gives tensor {name!r} the offsets {offsets!r}; they must be a start and an end")
    start, end = offsets
    if tensor_bytes(dtype, shape) != end - start:
        needed = tensor_bytes(dtype, shape)
        raise HeaderError(f"gives tensor {name!r} {end - start} bytes; {dtype} of shape {shape} needs {needed}")
    return TensorInfo(name, dtype, tuple(shape), start, end)


def _is_text(value: object) -> bool:
    """JSON can spell half a character (a lone surrogate), which no file name, terminal or header can hold."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _are_counts(value: object) -> TypeGuard[list[int]]:
    """Whether it is a list of numbers that a 64-bit computer can count to."""
    return isinstance(value, list) and all(type(count) is int and 0 <= count < _TOO_LARGE for count in value)


def _are_sizes(value: object) -> bool:
    """Whether it is a list of sizes whose product, zeros aside, can be counted too."""
    if not _are_counts(value):
        return False
    product = 1
    for size in value:
        product *= size or 1
        if product >= _TOO_LARGE:
            return False
    return True


def _check_extents(tensors: Sequence[TensorInfo], data_bytes: int) -> None:
    """The tensors must cover the data exactly: no gap, no overlap, nothing beyond the end."""
    covered = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != covered:
            raise HeaderError(f"places tensor {tensor.name!r} at byte {tensor.start}; {covered} is expected there")
        covered = tensor.end
    if covered > data_bytes:
        raise HeaderError(f"needs {covered} bytes of tensor data and holds {data_bytes}; it is truncated")
    if covered < data_bytes:
        raise HeaderError(f"holds {data_bytes} bytes of tensor data, but its header describes {covered}")
