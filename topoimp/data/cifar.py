"""The published files of CIFAR-10: the binary or the Python version, as the archive (never unpacked) or unpacked.

Both versions have five batches for training and one for testing; an image is 3,072 bytes: 32 rows of 32 pixels in red,
then in green, then in blue.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
https://www.cs.toronto.edu/~kriz/cifar.html (the formats).
"""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import ByteArray
from topoimp.choices import Data
from topoimp.data.cifar_pickle import unpickled_batch
from topoimp.data.images import N_CLASSES, Images, Part, home_of, named_images, names_in
from topoimp.errors import DataError

_IMAGE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_RECORD = 1 + _PIXELS

_BATCHES = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch")

_LARGEST_MEMBER = 1 << 30
"""Bytes. A batch has 31 million; a small archive can hold endless zeros."""

Batch = tuple[ByteArray, NDArray[np.integer]]
"""Images as rows of bytes, and their labels."""


def _records(content: bytes, place: str) -> Batch:
    """Read records of a label byte and 3,072 pixel bytes."""
    if len(content) % _RECORD:
        raise DataError(f"{place}: has {len(content)} bytes; records of {_RECORD} bytes each are needed")
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    return records[:, 1:], records[:, 0]


@dataclass(frozen=True)
class _Version:
    """A published form: archive, folder in it, suffix of its batches, and a reader of (content, name in messages)."""

    archive: str
    unpacked: str
    suffix: str
    read: Callable[[bytes, str], Batch]

    @property
    def files(self) -> list[str]:
        """The names of the six batches, the one for testing last."""
        return [name + self.suffix for name in _BATCHES]


_VERSIONS = (
    _Version("cifar-10-binary.tar.gz", "cifar-10-batches-bin", ".bin", _records),
    _Version("cifar-10-python.tar.gz", "cifar-10-batches-py", "", unpickled_batch),
)


def cifar_images(folder: Path) -> Images:
    """Return CIFAR-10.

    Args:
        folder: the unpacked folder of either version, a folder that contains it or the archive, or a folder whose
            sub-folder ``cifar10`` does. Binary comes before Python, unpacked before packed.

    Raises:
        DataError: if the folder holds none of these, or a file is malformed.
    """
    known = {name for version in _VERSIONS for name in (version.archive, version.unpacked, *version.files)}
    home = home_of(Data.CIFAR10, folder, known)
    present = names_in(home)
    for version in _VERSIONS:
        if not present.isdisjoint(version.files):
            return _images_of(version, home, _files_in(home, version))
        if version.unpacked in present:
            return _images_of(version, home / version.unpacked, _files_in(home / version.unpacked, version))
        if version.archive in present:
            return _images_of(version, home / version.archive, _members_of(home / version.archive, version))

    archives = " or ".join(version.archive for version in _VERSIONS)
    raise DataError(f"{home}: holds no CIFAR-10; {archives} is needed, or the folder that one of them unpacks to")


def _images_of(version: _Version, place: Path, contents: Mapping[str, bytes]) -> Images:
    batches = []
    for file in version.files:
        if file not in contents:
            raise DataError(f"{place}: has no {file}; all six batches of CIFAR-10 are needed")
        name = str(place / file)
        batches.append(_checked(version.read(contents[file], name), name))

    *train, test = (Part(images.reshape(-1, *_IMAGE), labels) for images, labels in batches)
    joined = Part(np.concatenate([part.images for part in train]), np.concatenate([part.labels for part in train]))
    return named_images(Data.CIFAR10, place, joined, test)


def _checked(batch: Batch, place: str) -> Batch:
    images, labels = batch
    if len(images) == 0 or images.shape != (len(labels), _PIXELS):
        found = f"holds {len(images)} images of {images.shape[1]} bytes and {len(labels)} labels"
        raise DataError(f"{place}: {found}; images of {_PIXELS} bytes with a label each are needed")
    if labels.max() >= N_CLASSES:
        first = int((labels >= N_CLASSES).argmax())
        raise DataError(f"{place}: image {first} has label {labels[first]}; classes of CIFAR-10 are 0 to 9")
    return batch


def _files_in(folder: Path, version: _Version) -> dict[str, bytes]:
    contents = {}
    for name in sorted(names_in(folder).intersection(version.files)):
        try:
            contents[name] = (folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{folder / name}: cannot be read: {error.strerror}") from error
    return contents


def _members_of(path: Path, version: _Version) -> dict[str, bytes]:
    """Read the batches in an archive's one folder, the later of two with one name, as tar does."""
    contents = {}
    try:
        # As a stream: stepping back would unpack everything again.
        with gzip.open(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not (member.isreg() and name.parent.name == version.unpacked and name.name in version.files):
                    continue
                if member.size > _LARGEST_MEMBER:
                    raise DataError(f"{path / name}: has {member.size} bytes; at most {_LARGEST_MEMBER} are read")
                file = archive.extractfile(member)
                contents[name.name] = file.read() if file else b""
            while unpacked.read(1 << 20):  # gzip's checksum comes last
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path}: is no whole .tar.gz archive: {error}") from error
    return contents
