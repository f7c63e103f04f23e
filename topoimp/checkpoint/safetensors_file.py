"""One safetensors file: its header is read and checked at once, its tensors are mapped into memory on demand.

Nothing is copied, and pages can be given back after use, so that files larger than memory work too.
"""

import errno
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.checkpoint.header import LENGTH_BYTES, HeaderError, TensorInfo, header_length, parse_header
from topoimp.errors import CheckpointError

_POPULATE_READ = 22
"""MADV_POPULATE_READ of Linux 5.14, which Python does not name yet."""


@dataclass(frozen=True)
class SafetensorsFile:
    """A .safetensors file whose header has been read and checked.

    Args:
        tensors: its tensors, in the order of its header.
        metadata: the texts under ``__metadata__``.
        data_start: the byte at which the tensors' data begins.
        modified: its size in bytes and its time of change when it was opened.
    """

    path: Path
    tensors: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    data_start: int
    modified: tuple[int, int]

    @property
    def name_as_safetensors(self) -> str:
        """The name of its copy."""
        return self.path.name

    @property
    def ties(self) -> Mapping[str, str]:
        """No two tensors of a safetensors file share their data."""
        return MappingProxyType({})

    @property
    def not_tensors(self) -> tuple[str, ...]:
        """A safetensors file holds tensors only."""
        return ()

    def stored(self, tensor: TensorInfo) -> ByteArray:
        """Return a tensor's stored bytes, read-only, without reading them yet.

        Raises:
            CheckpointError: if the file shrank since it was opened, or cannot be read.
        """
        start, n_bytes = self.data_start + tensor.start, tensor.end - tensor.start
        if self._mapping.size() < start + n_bytes:  # reading beyond the end would kill the process
            raise CheckpointError(
                f"{self.path}: tensor {tensor.name!r} ends too early; the file changed while it was read"
            )
        return np.frombuffer(self._mapping, np.uint8, n_bytes, start)

    def will_need(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """Fetch a tensor's bytes from ``start`` to ``stop`` from the disk in the background."""
        self._advise(mmap.MADV_WILLNEED, tensor, start, stop)

    def have_ready(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """Fetch a tensor's bytes from ``start`` to ``stop`` at once, which is faster than page by page.

        Raises:
            CheckpointError: if they cannot be read.
        """
        try:
            self._advise(_POPULATE_READ, tensor, start, stop)
        except OSError as error:
            if error.errno != errno.EINVAL:  # an older system lacks this advice
                raise CheckpointError(
                    f"{self.path}: tensor {tensor.name!r} cannot be read: {error.strerror}"
                ) from error

    def done_with(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """Release the memory of a tensor's bytes from ``start`` to ``stop``; they can be read again."""
        self._advise(mmap.MADV_DONTNEED, tensor, start, stop)

    def check_unchanged(self) -> None:
        """Raise a CheckpointError if the file changed since it was opened."""
        try:
            changed = _modified(self.path) != self.modified
        except OSError:
            changed = True
        if changed:
            raise CheckpointError(f"{self.path}: changed while it was read")

    def _advise(self, advice: int, tensor: TensorInfo, start: int, stop: int) -> None:
        begin = self.data_start + tensor.start + start
        page = begin - begin % mmap.PAGESIZE
        if stop > start:
            self._mapping.madvise(advice, page, begin + stop - start - page)

    @cached_property
    def _mapping(self) -> mmap.mmap:
        try:
            with self.path.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # a ValueError if it is empty now
            reason = getattr(error, "strerror", None) or "the file changed while it was read"
            raise CheckpointError(f"{self.path}: cannot be read: {reason}") from error


def open_safetensors(path: Path) -> SafetensorsFile:
    """Open a .safetensors file: read and check its header, and no tensor.

    Raises:
        CheckpointError: if it is not a whole safetensors file.
        OSError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            modified = _modified(path)
            length = header_length(file.read(LENGTH_BYTES), modified[0])
            tensors, metadata = parse_header(file.read(length), modified[0] - LENGTH_BYTES - length)
    except HeaderError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return SafetensorsFile(path, tensors, MappingProxyType(metadata), LENGTH_BYTES + length, modified)


def _modified(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
