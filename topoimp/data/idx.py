"""The four published files of MNIST and of data sets of the same form: IDX files, gzipped or unpacked.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits" (the format);
zalandoresearch/fashion-mnist (the same four names).
"""

import gzip
import zlib
from pathlib import Path

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.choices import Data
from topoimp.data.images import Images, Part, home_of, named_images, names_in
from topoimp.errors import DataError

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

_OF_TORCHVISION = {Data.MNIST: "MNIST/raw", Data.FASHION_MNIST: "FashionMNIST/raw"}
"""Folders in which torchvision keeps the files, below the ``root`` that it is given."""

_NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


def idx_images(data: Data, folder: Path) -> Images:
    """Return MNIST or Fashion-MNIST from the folder of its files, or one that contains it, as torchvision's ``root``.

    Raises:
        DataError: if a file is missing or malformed.
    """
    home = _home_of(data, folder)
    train = Part(_read(home, TRAIN_IMAGES, n_axes=3)[:, np.newaxis], _read(home, TRAIN_LABELS, n_axes=1))
    test = Part(_read(home, TEST_IMAGES, n_axes=3)[:, np.newaxis], _read(home, TEST_LABELS, n_axes=1))
    return named_images(data, home, train, test)


def _home_of(data: Data, folder: Path) -> Path:
    """Return the folder of the files: the given one, one in it with the data set's name, or that of torchvision."""
    names = [*_NAMES, *(f"{name}.gz" for name in _NAMES)]
    home = home_of(data, folder, names)
    of_torchvision = folder / _OF_TORCHVISION[data]
    is_elsewhere = home == folder and names_in(folder).isdisjoint(names)
    return of_torchvision if is_elsewhere and of_torchvision.is_dir() else home


def _read(folder: Path, name: str, *, n_axes: int) -> ByteArray:
    """Return the array in an IDX file of bytes, packed or not."""
    packed = folder / f"{name}.gz"
    path = packed if packed.name in names_in(folder) else folder / name

    try:
        with gzip.open(path) if path == packed else path.open("rb") as file:
            return _parsed(file.read(), path, n_axes)
    except FileNotFoundError as error:
        needed = "the data set's four published files are needed, as .gz or unpacked"
        raise DataError(f"{packed}: no such file; {needed}") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = f"is no whole gzip file: {error}"
        if path != packed:
            reason = f"cannot be read: {getattr(error, 'strerror', error)}"
        raise DataError(f"{path}: {reason}") from error


def _parsed(content: bytes, path: Path, n_axes: int) -> ByteArray:
    """Read an IDX file of bytes: 0, 0, 8, the number of axes, their sizes (big-endian, 32 bits), the data."""
    start = 4 + 4 * n_axes
    shape = tuple(int.from_bytes(content[place : place + 4], "big") for place in range(4, start, 4))
    n_bytes = int(np.prod(shape, dtype=object))
    if len(content) < start or content[:4] != bytes([0, 0, 8, n_axes]) or len(content) - start != n_bytes:
        raise DataError(f"{path}: is no IDX file of {n_axes}-axis bytes, or it is truncated")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
