"""Find the storages of a PyTorch file, and check that torch.load makes of them what the file holds.

torch.save writes the bytes of each storage once: as a record ``data/KEY`` of a zip archive, or before version 1.6 one
after the other behind the pickles. The main pickle names the keys in the order in which torch.load makes the storages.
It is followed here (``topoimp.checkpoint.pickle_instructions``), and nothing of it is carried out.

torch.load believes the sizes that a pickle names: it reads on behind the end of a record, and leaves a storage that is
not listed as the memory was. Such a file is refused here.
"""

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo, is_zipfile

import numpy as np

from topoimp.checkpoint.pickle_instructions import RefusedPickleError, follow

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""First bytes of a torch.save file before version 1.6: the pickled magic number 0x1950a86a20f9469cfc6c."""

_PICKLES_BEFORE = 3
"""Pickles before the main one of such a file: magic number, version of the format, and the system that wrote it."""

_LENGTH_BYTES = 8
"""Before the bytes of each storage of such a file: the number of its elements."""

_ZIP = b"PK\x03\x04"

_LOCAL_HEADER = 30
"""Bytes of a zip record's header, before its name and extra field; their lengths are its last two numbers."""

_MAX_PICKLE_BYTES = 1 << 30
"""Limit of the pickle of an archive, which describes tensors and holds no numbers."""


_MAX_DEFLATION = 1032
"""Bytes that one compressed byte can stand for."""


class StorageError(RefusedPickleError):
    """A defect of an archive, or of storages, without the name of the file, which the reader adds."""


class CutShortError(StorageError):
    """The end of a file is missing."""


@dataclass(frozen=True)
class Extent:
    """The bytes of a storage in its file, and the name of the zip record that they are; None in an older file."""

    start: int
    stop: int
    record: str | None = None


@dataclass(frozen=True)
class NamedStorages:
    """The storages that a file names.

    Args:
        n_elements: by key, the number of elements, in the order in which torch.load makes them.
        records: by key, the record of a zip archive; None in an older file.
        byte_order: that of the numbers in an archive.
        listed: the keys in the order in which an older file has their bytes.
        start: the byte at which these begin.
    """

    n_elements: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, ZipInfo] | None = None
    byte_order: bytes = b"little"
    listed: Sequence[str] = ()
    start: int = 0


def is_mappable(path: Path) -> bool:
    """Return whether torch.load can map a file's storages: a zip archive of uncompressed records, as torch.save writes.

    It maps compressed records too, and takes their bytes for numbers.
    """
    if not is_zipfile(path):
        return False
    with ZipFile(path) as archive:
        return all(info.compress_type == ZIP_STORED for info in archive.infolist())


def named_storages(path: Path) -> NamedStorages:
    """Return the storages that the pickles of a PyTorch file name.

    Raises:
        CutShortError: if the end of the file is missing.
        StorageError: if its archive is damaged.
        RefusedPickleError: if torch.load would end the process over a pickle.
    """
    with path.open("rb") as file:
        begin = file.read(len(LEGACY))
        file.seek(0)
        if len(begin) < len(LEGACY) and any(whole.startswith(begin) for whole in (LEGACY, _ZIP)):
            raise CutShortError
        if not begin.startswith(_ZIP):
            return _in_older_file(file, is_torch_file=begin == LEGACY)
        if not is_zipfile(file):  # the directory of an archive is its end
            raise CutShortError

        with _damage_as_error():
            archive = ZipFile(file)
        return _in_archive(archive, file)


def check_sizes(path: Path, named: NamedStorages, sizes: Sequence[int]) -> None:
    """Check that loaded storages have the sizes that a file holds of them; those without bytes are left out.

    Raises:
        StorageError: if a size differs.
    """
    if named.records is None:
        with path.open("rb") as file:
            _behind_pickles(file, named, sizes)
        return
    stored = [info.file_size for info in map(named.records.__getitem__, named.n_elements) if info.file_size]
    if stored != list(sizes):
        raise StorageError(_OTHER_SIZES)


def storage_extents(path: Path, named: NamedStorages, sizes: Sequence[int]) -> list[Extent]:
    """Return the bytes of loaded storages of these sizes in their file; those without bytes are left out.

    Raises:
        StorageError: if the bytes are compressed or big-endian, or as ``check_sizes`` does.
    """
    check_sizes(path, named, sizes)
    with path.open("rb") as file:
        if named.records is None:
            return _behind_pickles(file, named, sizes)

        infos = [named.records[key] for key in named.n_elements if named.records[key].file_size]
        if any(info.compress_type != ZIP_STORED for info in infos):
            raise StorageError("they are compressed")
        if named.byte_order != b"little":
            raise StorageError("they are big-endian")
        return [_extent(info, file) for info in infos]


@contextmanager
def _damage_as_error() -> Iterator[None]:
    """Raise a StorageError for any exception: a damaged archive can raise all."""
    try:
        yield
    except Exception as error:
        raise StorageError(f"its archive is damaged: {str(error) or type(error).__name__}") from error


def _in_archive(archive: ZipFile, file: IO[bytes]) -> NamedStorages:
    records = _distinct_records(archive, file)
    folder = archive.namelist()[0].partition("/")[0]
    pickle = records.get(f"{folder}/data.pkl")
    if pickle is None:
        raise StorageError(f"its archive has no record {folder}/data.pkl")

    followed = follow(BytesIO(_content(pickle, file)))
    by_key = {key: records.get(f"{folder}/data/{key}") for key in followed.n_elements}
    missing = [key for key, info in by_key.items() if info is None]
    if missing:
        raise StorageError(f"its archive has no record {folder}/data/{missing[0][:_SHOWN]}")
    found = {key: info for key, info in by_key.items() if info is not None}
    for key, n_elements in followed.n_elements.items():
        if not 0 <= n_elements <= found[key].file_size:  # no element takes less than a byte
            raise StorageError(_OTHER_SIZES)

    byte_order = records.get(f"{folder}/byteorder")
    order = b"little" if byte_order is None else _content(byte_order, file)
    return NamedStorages(followed.n_elements, found, order)


_SHOWN = 40
"""Letters of a key that a message shows."""

_OTHER_SIZES = "its pickle names other sizes of storages than the file has"


def _distinct_records(archive: ZipFile, file: IO[bytes]) -> dict[str, ZipInfo]:
    """Return the records of an archive by name: of each name one, whatever its case, and no byte in two of them."""
    infos = archive.infolist()
    if not infos:
        raise StorageError("its archive is empty")
    if len({info.filename.lower() for info in infos}) < len(infos):
        raise StorageError("its archive has two records of one name")

    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        with _damage_as_error():
            archive.open(info).close()  # compares the header before its bytes with the directory
        extent = _extent(info, file)
        if info.header_offset < end:
            raise StorageError("its archive has two records that share bytes")
        is_false = info.compress_size != info.file_size
        if info.compress_type != ZIP_STORED:
            is_false = info.file_size > _MAX_DEFLATION * info.compress_size
        if is_false:
            raise StorageError(f"its archive gives the record {info.filename[:_SHOWN]!r} a false size")
        end = extent.start + info.compress_size
    if end > archive.start_dir:
        raise StorageError("its archive has a record beyond its end")
    return {info.filename: info for info in infos}


def _content(info: ZipInfo, file: IO[bytes]) -> bytes:
    """Return a record whatever its checksum: torch.save need not compute one."""
    if info.file_size > _MAX_PICKLE_BYTES:
        raise StorageError(f"its record {info.filename[:_SHOWN]!r} has {info.file_size} bytes, which is too many")
    file.seek(_extent(info, file).start)
    stored = file.read(info.compress_size)
    if info.compress_type == ZIP_STORED:
        return stored
    if info.compress_type != ZIP_DEFLATED:
        raise StorageError(f"its record {info.filename[:_SHOWN]!r} is compressed in an unknown way")
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, info.file_size or 1)
    except zlib.error as error:
        raise StorageError(f"its record {info.filename[:_SHOWN]!r} is damaged") from error


def _extent(info: ZipInfo, file: IO[bytes]) -> Extent:
    """Return the bytes of an uncompressed record; of a compressed one, where they begin."""
    file.seek(info.header_offset + _LOCAL_HEADER - 4)
    lengths = np.frombuffer(file.read(4), "<u2")
    if len(lengths) < 2:
        raise StorageError("its archive has a record beyond its end")
    start = info.header_offset + _LOCAL_HEADER + int(lengths.sum(dtype=np.int64))
    return Extent(start, start + info.file_size, info.filename)


def _in_older_file(file: IO[bytes], *, is_torch_file: bool) -> NamedStorages:
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    at_end = CutShortError() if is_torch_file else StorageError("it ends within its pickles")
    bounded = cast("IO[bytes]", _Bounded(file, n_bytes, at_end))
    for _ in range(_PICKLES_BEFORE):
        if not follow(bounded).is_whole:
            return NamedStorages()

    main = follow(bounded)
    keys = follow(bounded) if main.is_whole else main
    counts = main.n_elements.values()
    if min(counts, default=0) < 0:
        raise StorageError(_OTHER_SIZES)
    if sum(counts) > n_bytes - file.tell():  # no element takes less than a byte
        raise CutShortError
    return NamedStorages(main.n_elements, None, listed=keys.texts or (), start=file.tell())


@dataclass(frozen=True)
class _Bounded:
    """A file whose pickles do not read beyond its end: Python, and torch, make room for a text before they read it."""

    file: IO[bytes]
    n_bytes: int
    at_end: StorageError

    def read(self, n: int) -> bytes:
        if n > self.n_bytes - self.file.tell():
            raise self.at_end
        return self.file.read(n)

    def readline(self) -> bytes:
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise self.at_end
        return line

    def tell(self) -> int:
        return self.file.tell()


def _behind_pickles(file: IO[bytes], named: NamedStorages, sizes: Sequence[int]) -> list[Extent]:
    """Return the bytes of the storages of a file before version 1.6, which follow each other in the order of a list."""
    with_bytes = [key for key, n in named.n_elements.items() if n]
    if len(with_bytes) != len(sizes) or not set(with_bytes) <= set(named.listed) <= set(named.n_elements):
        raise StorageError("its pickle names other storages than the file has")

    size_of = dict(zip(with_bytes, sizes, strict=True))
    found = {}
    file.seek(named.start)
    for key in named.listed:
        if int.from_bytes(file.read(_LENGTH_BYTES), "little") != named.n_elements[key]:
            raise StorageError("its storages have other lengths than its pickle names")
        found[key] = Extent(file.tell(), file.tell() + size_of.get(key, 0))
        file.seek(found[key].stop)
    if file.tell() > file.seek(0, os.SEEK_END):
        raise StorageError("it ends before its storages do")
    return [found[key] for key in with_bytes]
