"""Data sets of small images: what scikit-learn ships, or the published files of MNIST and its kin."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from topoimp.architectures import N_CLASSES
from topoimp.choices import Data, chosen
from topoimp.errors import DataError, OptionError


@dataclass(frozen=True)
class Images:
    """Grey images with their classes, for training and for testing.

    Args:
        name: of the data set.
        train_images: shape (n, height, width), float32 in [0, 1].
        train_labels: shape (n,), int64, from 0.
        test_images: as above.
        test_labels: as above.
    """

    name: str
    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]

    @property
    def image(self) -> tuple[int, int]:
        """Height and width."""
        return self.train_images.shape[1], self.train_images.shape[2]

    def sha256(self) -> str:
        """Give a checksum of all images and labels, whichever files they came from."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load_images(data: Data | str, folder: Path | None = None) -> Images:
    """Give a data set.

    Args:
        data: ``digits`` is embedded in scikit-learn: 1,797 images of 8x8, of which 360 are for testing.
        folder: where the four published .gz files of ``mnist`` or ``fashion-mnist`` lie.

    Raises:
        OptionError: if the data set needs a folder and none is named, or needs none.
        DataError: if a file is missing or is not what it should be.
    """
    data = chosen(Data, data)
    if data is Data.DIGITS:
        if folder is not None:
            raise OptionError("digits is embedded and read from no folder; --data-dir is for the other data sets")
        return _digits()
    if folder is None:
        raise OptionError(f"{data} is read from its four published .gz files; --data-dir must name their folder")
    train_images = _read_idx(folder / "train-images-idx3-ubyte.gz", n_axes=3)
    train_labels = _read_idx(folder / "train-labels-idx1-ubyte.gz", n_axes=1)
    test_images = _read_idx(folder / "t10k-images-idx3-ubyte.gz", n_axes=3)
    test_labels = _read_idx(folder / "t10k-labels-idx1-ubyte.gz", n_axes=1)
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if len(images) != len(labels):
            raise DataError(f"{folder}: holds {len(images)} images but {len(labels)} labels for them")
        if len(images) == 0 or labels.max() >= N_CLASSES:
            raise DataError(f"{folder}: has no images, or labels beyond {N_CLASSES - 1}; {data} has ten classes")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DataError(f"{folder}: has training images of another size than its test images")
    return Images(
        data.value,
        _unit(train_images),
        train_labels.astype(np.int64),
        _unit(test_images),
        test_labels.astype(np.int64),
    )


def _digits() -> Images:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 8, 8)
    parts = train_test_split(images, labels.astype(np.int64), test_size=360, random_state=0, stratify=labels)
    train_images, test_images, train_labels, test_labels = parts
    return Images(Data.DIGITS.value, train_images, train_labels, test_images, test_labels)


def _unit(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.astype(np.float32) / np.float32(255)


def _read_idx(path: Path, *, n_axes: int) -> NDArray[np.uint8]:
    """Read a gzipped IDX file of bytes: 0, 0, 8, the number of axes, their sizes (big-endian, 32 bits), the data."""
    try:
        with gzip.open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; the data set's four published .gz files are needed") from error
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: is no whole gzip file: {error}") from error
    start = 4 + 4 * n_axes
    if len(content) < start:
        raise DataError(f"{path}: is no IDX file of {n_axes}-axis bytes, or it is truncated")
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">u4"))
    if (
        content[:4] != bytes([0, 0, 8, n_axes])
        or len(shape) != n_axes
        or len(content) - start != np.prod(shape, dtype=object)
    ):
        raise DataError(f"{path}: is no IDX file of {n_axes}-axis bytes, or it is truncated")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
