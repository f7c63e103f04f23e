"""A file of named tensors, as each format is read, and the reader of safetensors files, which maps them into memory.

Nothing is copied, and pages can be given back after use, so that files larger than memory work too.
"""

import errno
import mmap
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.checkpoint.header import BITS, LENGTH_BYTES, HeaderError, TensorInfo, header_length, parse_header
from topoimp.errors import CheckpointError


class Advice(IntEnum):
    """Advice to the system about bytes of a mapped file: fetch them in the background, or at once, or drop them."""

    WILL_NEED = mmap.MADV_WILLNEED
    NEED_NOW = 22  # MADV_POPULATE_READ of Linux 5.14, which Python does not name yet
    DONE_WITH = mmap.MADV_DONTNEED


@dataclass(frozen=True)
class TensorFile:
    """The tensors of a file, described; their bytes are read on demand.

    Args:
        path: the file, or the name of tensors in memory in messages.
        tensors: in the order of the file.
        metadata: the texts stored with them.
        stored: returns a tensor's bytes as safetensors stores them, flat and read-only, without reading them yet.
        name_as_safetensors: the name of a copy.
        advise: advises the system on a tensor's bytes from a start to a stop; does nothing for tensors in memory.
        ties: by tensor, the earlier tensor that it shares all of its data with.
        not_tensors: the names of the file's other content.
        modified: the file's size in bytes and time of change when it was opened; None in memory.
    """

    path: Path
    tensors: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    stored: Callable[[TensorInfo], ByteArray]
    name_as_safetensors: str
    advise: Callable[[Advice, TensorInfo, int, int], None] = lambda _advice, _tensor, _start, _stop: None
    ties: Mapping[str, str] = field(default_factory=dict)
    not_tensors: tuple[str, ...] = ()
    modified: tuple[int, int] | None = None

    def check_unchanged(self) -> None:
        """Raise a CheckpointError if the file changed since it was opened."""
        with suppress(OSError):
            if self.modified is None or self.modified == size_and_time(self.path):
                return
        raise CheckpointError(f"{self.path}: changed while it was read")


def size_and_time(path: Path) -> tuple[int, int]:
    """Return a file's size in bytes and its time of change."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def check_type(tensor: TensorInfo, path: Path) -> None:
    """Raise a CheckpointError if safetensors has no such type."""
    if tensor.dtype not in BITS:
        reason = f"has the type {tensor.dtype}, which safetensors does not have"
        raise CheckpointError(f"{path}: tensor {tensor.name!r} {reason}")


def open_safetensors(path: Path) -> TensorFile:
    """Open a .safetensors file: read and check its header, and no tensor."""
    try:
        with path.open("rb") as file:
            modified = size_and_time(path)
            length = header_length(file.read(LENGTH_BYTES), modified[0])
            tensors, metadata = parse_header(file.read(length), modified[0] - LENGTH_BYTES - length)
    except HeaderError as error:
        raise CheckpointError(f"{path}: {error}") from error
    data = _MappedData(path, LENGTH_BYTES + length)
    return TensorFile(path, tensors, MappingProxyType(metadata), data.stored, path.name, data.advise, modified=modified)


@dataclass(frozen=True)
class _MappedData:
    """The tensors' data of a safetensors file, from a byte of the file on; mapped when it is first used."""

    path: Path
    start: int

    def stored(self, tensor: TensorInfo) -> ByteArray:
        start = self.start + tensor.start
        n_bytes = tensor.end - tensor.start
        if self._mapping.size() < start + n_bytes:  # reading beyond the end would kill the process
            reason = "ends too early; the file changed while it was read"
            raise CheckpointError(f"{self.path}: tensor {tensor.name!r} {reason}")
        return np.frombuffer(self._mapping, np.uint8, n_bytes, start)

    def advise(self, advice: Advice, tensor: TensorInfo, start: int, stop: int) -> None:
        begin = self.start + tensor.start + start
        page = begin - begin % mmap.PAGESIZE
        if stop <= start:
            return
        try:
            self._mapping.madvise(advice, page, begin + stop - start - page)
        except OSError as error:
            if error.errno != errno.EINVAL:  # an older system does not know the advice
                reason = f"cannot be read: {error.strerror}"
                raise CheckpointError(f"{self.path}: tensor {tensor.name!r} {reason}") from error

    @cached_property
    def _mapping(self) -> mmap.mmap:
        try:
            with self.path.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # a ValueError if it is empty now
            reason = getattr(error, "strerror", None) or "the file changed while it was read"
            raise CheckpointError(f"{self.path}: cannot be read: {reason}") from error
