"""Write a copy of a PyTorch file in which tensors are exchanged, and every other byte is that of the original.

So the copy has the nesting, the classes, the devices and the shared storages of the original, and nothing of it is run.
In a zip archive the checksums of exchanged records change too. The identification that torch computed for the original
(``.data/serialization_id``) stays as it is.
"""

import shutil
from collections.abc import Collection
from pathlib import Path
from threading import Lock
from typing import IO
from zipfile import ZipFile, is_zipfile
from zlib import crc32

import numpy as np

from topoimp.checkpoint.torch_layout import LoadedFile, TensorPlace, tensor_places
from topoimp.checkpoint.torch_storages import Extent
from topoimp.errors import CheckpointError

CHECKSUM_BYTES = 4
_LOCAL_CHECKSUM, _CENTRAL_CHECKSUM = 14, 16
"""Where the checksum stands in a record's local header, and in its entry of the central directory."""

_CENTRAL_HEADER = 46
"""Bytes of such an entry before its name, extra field and comment, whose lengths stand at byte 28."""

_HAS_DESCRIPTOR = 8
"""Flag of a record whose checksum stands behind its bytes, and not in its local header."""

_DESCRIPTOR = b"PK\x07\x08"
_PIECE = 1 << 20


class TorchWriter:
    """A copy of a PyTorch file in the making: it begins as the original, and tensors are exchanged piece by piece.

    An existing file is replaced; a path of ``Staging`` makes the file appear whole.

    Raises:
        CheckpointError: if the original cannot be read, or the places of its tensors cannot be found.
        OSError: if the file cannot be written.
    """

    def __init__(self, place: Path, original: Path, loaded: LoadedFile) -> None:
        self._path = place
        self._places = tensor_places(original, loaded)
        self._exchanged: set[Extent] = set()
        self._one_at_a_time = Lock()
        copy_file(original, place)
        self._file = place.open("r+b")

    def write(self, name: str, start: int, data: np.ndarray) -> None:
        """Write a part of a tensor, from its byte ``start`` on; several threads may write at once."""
        place = self._places[name]
        n_bytes = place.item_bytes * int(np.prod(place.shape))
        if not 0 <= start <= start + data.nbytes <= n_bytes:
            raise ValueError(f"{name}: bytes {start} to {start + data.nbytes} of {n_bytes}")

        octets = data.reshape(-1).view(np.uint8)
        with self._one_at_a_time:
            self._exchanged.add(place.storage)
            if place.is_contiguous:
                self._file.seek(place.start + start)
                self._file.write(octets.data)
            else:
                self._scatter(place, start, octets)

    def _scatter(self, place: TensorPlace, start: int, octets: np.ndarray) -> None:
        """Write a part of a tensor whose numbers do not follow each other, such as a transposed one."""
        codes = octets.view(f"<u{place.item_bytes}")
        first = start // place.item_bytes
        file = np.memmap(self._path, np.uint8, "r+")
        place.numbers(file).flat[first : first + len(codes)] = codes

    def close(self) -> None:
        """Renew the checksums of the exchanged records, and close the file."""
        with self._file:
            self._file.flush()
            if is_zipfile(self._path):
                for field, checksum in _checksums(self._path, self._exchanged).items():
                    self._file.seek(field)
                    self._file.write(checksum)


def copy_file(source: Path, place: Path) -> None:
    """Copy the content of a file; a CheckpointError if it cannot be read."""
    try:
        shutil.copyfile(source, place)
    except OSError as error:
        if error.filename == str(source):
            raise CheckpointError(f"{source}: cannot be read: {error.strerror}") from error
        raise


def checksum_fields(path: Path, extents: Collection[Extent]) -> dict[int, Extent]:
    """Return the bytes of a zip archive at which the checksums of some records stand, two for each."""
    record_of = {extent.record: extent for extent in extents}
    fields = {}
    with ZipFile(path) as archive, path.open("rb") as file:
        entry = archive.start_dir
        for info in archive.infolist():
            extent = record_of.get(info.filename)
            if extent is not None:
                fields[entry + _CENTRAL_CHECKSUM] = extent
                fields[_local_field(file, info.header_offset, info.flag_bits, extent)] = extent
            file.seek(entry + 28)
            lengths = np.frombuffer(file.read(6), "<u2")
            entry += _CENTRAL_HEADER + int(lengths.sum(dtype=np.int64))
    return fields


def _local_field(file: IO[bytes], header: int, flags: int, extent: Extent) -> int:
    if not flags & _HAS_DESCRIPTOR:
        return header + _LOCAL_CHECKSUM
    file.seek(extent.stop)
    return extent.stop + (len(_DESCRIPTOR) if file.read(len(_DESCRIPTOR)) == _DESCRIPTOR else 0)


def _checksums(path: Path, extents: Collection[Extent]) -> dict[int, bytes]:
    """Return the checksums of some records of a zip archive, by the byte at which each is to stand."""
    fields = checksum_fields(path, extents)
    by_extent = {}
    with path.open("rb") as file:
        for extent in extents:
            checksum = 0
            file.seek(extent.start)
            for start in range(extent.start, extent.stop, _PIECE):
                checksum = crc32(file.read(min(_PIECE, extent.stop - start)), checksum)
            by_extent[extent] = checksum.to_bytes(CHECKSUM_BYTES, "little")
    return {field: by_extent[extent] for field, extent in fields.items()}
