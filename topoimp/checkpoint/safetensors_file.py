"""A file of named tensors, as each format is read, and the reader of safetensors files, which maps them into memory.

Nothing is copied, and pages can be given back after use, so that files larger than memory work too.
"""

import errno
import mmap
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.checkpoint.header import BITS, LENGTH_BYTES, HeaderError, TensorInfo, header_length, laid_out, parse_header
from topoimp.checkpoint.torch_layout import LoadedFile
from topoimp.errors import CheckpointError
from topoimp.stores import Version

MAX_MAPPED = 64
"""Files that stay mapped, each of which counts as an open file: a checkpoint can have more shards than may be open."""


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
        stored: returns a tensor's bytes from a start to a stop, as safetensors stores them, flat and read-only; those
            of a mapped file without reading them yet.
        name_as_safetensors: the name of a copy.
        advise: advises the system on a tensor's bytes from a start to a stop; does nothing for tensors in memory.
        ties: by tensor, the earlier tensor that it shares all of its data with.
        not_tensors: the names of the file's other content.
        unindexed: the names of the tensors that it holds and an index does not place in it.
        key: the key below which a PyTorch file keeps them; None if they are its whole content.
        other_keys: the keys of its other state dicts.
        modified: the file's size in bytes and time of change when it was opened; None in memory and in a store.
        version: size and tag of a file in a store, of which all bytes must be; None here.
        loaded: the tensors of a PyTorch file as torch.load made them; None for others.
    """

    path: Path
    tensors: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    stored: Callable[[TensorInfo, int, int], ByteArray]
    name_as_safetensors: str
    advise: Callable[[Advice, TensorInfo, int, int], None] = lambda _advice, _tensor, _start, _stop: None
    ties: Mapping[str, str] = field(default_factory=dict)
    not_tensors: tuple[str, ...] = ()
    unindexed: tuple[str, ...] = ()
    key: str | None = None
    other_keys: tuple[str, ...] = ()
    modified: tuple[int, int] | None = None
    version: Version | None = None
    loaded: LoadedFile | None = None

    def check_unchanged(self) -> None:
        """Raise a CheckpointError if the file changed since it was opened."""
        with suppress(OSError):
            if self.modified is None or self.modified == size_and_time(self.path):
                return
        raise CheckpointError(f"{self.path}: changed while it was read")


def only_tensors(file: TensorFile, names: Container[str]) -> TensorFile:
    """Return a file with some of its tensors, laid out one after the other; the others are ``unindexed``."""
    original = {tensor.name: tensor for tensor in file.tensors if tensor.name in names}
    if len(original) == len(file.tensors):
        return file

    return replace(
        file,
        tensors=tuple(laid_out({name: (tensor.dtype, tensor.shape) for name, tensor in original.items()})),
        stored=lambda tensor, start, stop: file.stored(original[tensor.name], start, stop),
        advise=lambda advice, tensor, start, stop: file.advise(advice, original[tensor.name], start, stop),
        ties={name: first for name, first in file.ties.items() if name in original and first in original},
        unindexed=tuple(tensor.name for tensor in file.tensors if tensor.name not in original),
    )


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
            header = parse_header(file.read(length), modified[0] - LENGTH_BYTES - length)
    except HeaderError as error:
        raise CheckpointError(f"{path}: {error}") from error
    data = _MappedData(path, LENGTH_BYTES + length, modified)
    return TensorFile(
        path=path,
        tensors=header.tensors,
        metadata=MappingProxyType(dict(header.metadata)),
        stored=data.stored,
        name_as_safetensors=path.name,
        advise=data.advise,
        not_tensors=header.unknown,
        modified=modified,
    )


@dataclass(frozen=True, eq=False)  # each is a key of its own
class _MappedData:
    """The tensors' data of a safetensors file, from a byte of the file on; mapped when it is used."""

    path: Path
    start: int
    modified: tuple[int, int]

    def stored(self, tensor: TensorInfo, start: int, stop: int) -> ByteArray:
        begin = self.start + tensor.start
        mapping = self._mapping()
        if mapping.size() < begin + stop:  # reading beyond the end would kill the process
            reason = "ends too early; the file changed while it was read"
            raise CheckpointError(f"{self.path}: tensor {tensor.name!r} {reason}")
        return np.frombuffer(mapping, np.uint8, max(stop - start, 0), begin + start)

    def advise(self, advice: Advice, tensor: TensorInfo, start: int, stop: int) -> None:
        begin = self.start + tensor.start + start
        page = begin - begin % mmap.PAGESIZE
        if stop <= start:
            return
        try:
            self._mapping().madvise(advice, page, begin + stop - start - page)
        except OSError as error:
            if error.errno != errno.EINVAL:  # an older system does not know the advice
                reason = f"cannot be read: {error.strerror}"
                raise CheckpointError(f"{self.path}: tensor {tensor.name!r} {reason}") from error

    def _mapping(self) -> mmap.mmap:
        """Return the mapped file; the file that was used longest ago is closed if too many are open."""
        with _mapping_lock:
            mapping = _mappings.pop(self, None)
            _mappings[self] = self._mapped() if mapping is None else mapping
            if len(_mappings) > MAX_MAPPED:
                del _mappings[next(iter(_mappings))]  # arrays that still read it keep it open
            return _mappings[self]

    def _mapped(self) -> mmap.mmap:
        try:
            with self.path.open("rb") as file:
                if size_and_time(self.path) != self.modified:
                    raise CheckpointError(f"{self.path}: changed while it was read")
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # a ValueError if it is empty now
            reason = getattr(error, "strerror", None) or "the file changed while it was read"
            raise CheckpointError(f"{self.path}: cannot be read: {reason}") from error


_mapping_lock = Lock()
_mappings: WeakKeyDictionary[_MappedData, mmap.mmap] = WeakKeyDictionary()
"""The mapped files, the one used last at the end."""
