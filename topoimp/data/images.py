"""What every data set becomes: images with their classes, in one part for training and one for testing.

Images are held as a network takes them, channel by channel, as numbers from 0 (black) to 1. A label is the number of a
class; classes count from 0, whether or not each of them occurs.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import ByteArray
from topoimp.choices import Data
from topoimp.errors import DataError

N_CLASSES = 10
"""All data sets that are known by name have ten classes."""


@dataclass(frozen=True)
class Images:
    """Images with their classes, for training and for testing.

    Args:
        name: of the data set, or of the file without its suffix.
        train_images: shape (n, channels, height, width), float32, in [0, 1]; floats of an .npz file as they are there.
        train_labels: shape (n,), int64, from 0.
        test_images: as above.
        test_labels: as above.
        known_classes: how many there are, if that is known of the data set; None leaves it to the labels.
    """

    name: str
    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    known_classes: int | None = None

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @property
    def n_classes(self) -> int:
        """Ten for the data sets known by name, for others one more than the largest label of both parts."""
        if self.known_classes is not None:
            return self.known_classes
        return 1 + int(max(self.train_labels.max(), self.test_labels.max()))

    def sha256(self) -> str:
        """Give a checksum of all images and labels in their order, whichever files they came from."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Part:
    """The training part or the test part of a data set, as its files hold it.

    Args:
        images: shape (n, channels, height, width), uint8.
        labels: shape (n,), integers from 0.
    """

    images: ByteArray
    labels: NDArray[np.integer]


def named_images(data: Data, place: object, train: Part, test: Part) -> Images:
    """Give a data set that is known by name, once its parts are read.

    Args:
        data: the data set.
        place: where the parts come from, as messages are to name it.
        train: the part for training.
        test: the part for testing.

    Raises:
        DataError: if images and labels are not equally many, there are none, a label is no class, or sizes differ.
    """
    for part in (train, test):
        if len(part.images) != len(part.labels):
            raise DataError(f"{place}: holds {len(part.images)} images but {len(part.labels)} labels for them")
        if part.images.size == 0 or not 0 <= part.labels.min() <= part.labels.max() < N_CLASSES:
            raise DataError(f"{place}: has no images, or labels beyond {N_CLASSES - 1}; {data} has ten classes")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(f"{place}: has training images of another size than its test images")
    return Images(
        data.value,
        from_bytes(train.images),
        train.labels.astype(np.int64),
        from_bytes(test.images),
        test.labels.astype(np.int64),
        known_classes=N_CLASSES,
    )


def from_bytes(images: ByteArray) -> NDArray[np.float32]:
    """Give pixels of 0 to 255 as numbers from 0 to 1, in C order.

    >>> from_bytes(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    # Cast in the division: a copy as float32 before it would need the memory of the result once more.
    return np.divide(images, np.float32(255), dtype=np.float32, order="C")
