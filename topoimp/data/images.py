"""Images with their classes, for training and for testing: the form that every data set is read into.

Images are stored channel by channel, as numbers from 0 (black) to 1. A label is the number of a class, from 0; a class
may have no image. One folder can hold the files of all data sets: ``datasets/mnist``, ``datasets/cifar10``.
"""

import hashlib
import platform
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import ByteArray
from topoimp.choices import Data
from topoimp.errors import DataError
from topoimp.sources import Source

N_CLASSES = 10
"""Classes of each data set that is known by name."""


@dataclass(frozen=True)
class Images:
    """Images with their classes, for training and, in the same form, for testing.

    Args:
        name: name of the data set, or of the file without its suffix.
        train_images: shape (n, channels, height, width), float32, in [0, 1]; floats of an .npz file are not scaled.
        train_labels: shape (n,), int64, from 0.
        known_classes: number of classes of a data set that is known by name; None to count them from the labels.
        source: where they were loaded from. With one, the images are pickled as their source and checksum, and loaded
            again by the process that needs them; None for images made in memory, which are pickled as they are.
    """

    name: str
    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    known_classes: int | None = None
    source: "Source[Images] | None" = field(default=None, compare=False)

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @property
    def n_classes(self) -> int:
        """The known number of classes, or one more than the largest label of both parts."""
        if self.known_classes is not None:
            return self.known_classes
        return 1 + int(max(self.train_labels.max(), self.test_labels.max()))

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Return what to pickle: where the images are, not the images, which can have hundreds of megabytes."""
        if self.source is None:
            return super().__reduce_ex__(protocol)
        return _loaded_again, (self.source, self.sha256())

    def sha256(self) -> str:
        """Return a checksum of all images and labels in their order; the file format does not change it."""
        return self._sha256

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@lru_cache(maxsize=1)
def _loaded_again(source: Source[Images], sha256: str) -> Images:
    """Return the images of a source, in another process or on another machine; they must be the same."""
    images = replace(source.made(), source=source)
    if images.sha256() != sha256:
        found = f"holds other images on {platform.node()} (sha256 {images.sha256()[:12]}...) than where the work began"
        raise DataError(f"{source}: {found} ({sha256[:12]}...)")
    return images


@dataclass(frozen=True)
class Part:
    """The training part or the test part of a data set, as stored: images (n, channels, height, width), labels (n,)."""

    images: ByteArray
    labels: NDArray[np.integer]


def named_images(data: Data, place: object, train: Part, test: Part) -> Images:
    """Return a data set that is known by name, from its two parts, which messages place in ``place``.

    Raises:
        DataError: if a part has unequal numbers of images and labels, or none, a label is no class, or sizes differ.
    """
    for part in (train, test):
        if len(part.images) != len(part.labels):
            raise DataError(f"{place}: holds {len(part.images)} images but {len(part.labels)} labels for them")
        if part.images.size == 0 or not 0 <= part.labels.min() <= part.labels.max() < N_CLASSES:
            raise DataError(f"{place}: has no images, or labels beyond {N_CLASSES - 1}; {data} has ten classes")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(f"{place}: has training images of another size than its test images")

    train_labels, test_labels = (part.labels.astype(np.int64) for part in (train, test))
    return Images(data.value, from_bytes(train.images), train_labels, from_bytes(test.images), test_labels, N_CLASSES)


def from_bytes(images: ByteArray) -> NDArray[np.float32]:
    """Return pixels of 0 to 255 as numbers from 0 to 1, in C order.

    >>> from_bytes(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    # The division casts: a float32 copy before it would double the memory.
    return np.divide(images, np.float32(255), dtype=np.float32, order="C")


def reason_of(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its class if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def home_of(data: Data, folder: Path, names: Collection[str]) -> Path:
    """Return the folder that holds the files of a data set: the sub-folder with its name, or the folder itself.

    It is the folder itself if that holds a file with one of the ``names``, or has no such sub-folder. A folder that
    cannot be read is a DataError.
    """
    present = names_in(folder)
    below = folder / data.value
    return below if present.isdisjoint(names) and data.value in present and below.is_dir() else folder


def names_in(folder: Path) -> set[str]:
    """Return the names of the files and folders in a folder, or raise a DataError."""
    try:
        return {path.name for path in folder.iterdir()}
    except OSError as error:
        raise DataError(f"{folder}: cannot be read as a folder of data: {error.strerror}") from error
