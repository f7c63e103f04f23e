"""The data sets known by name, from the Hugging Face hub: the source where the user names no folder.

The package ``datasets`` fetches and caches them, and prints progress (``HF_DATASETS_DISABLE_PROGRESS_BARS`` turns it
off). Images keep the hub's order: that of the published files, but for CIFAR-10, whose sha256 differs.

Source: huggingface/datasets, datasets/{mnist,fashion_mnist,cifar10}/*.py (how the hub's rows were made).
"""

from typing import Any

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.choices import Data
from topoimp.data.images import Images, Part, named_images, reason_of
from topoimp.errors import DataError

_REPOSITORIES = {
    Data.MNIST: ("ylecun/mnist", "image", "the four published .gz files"),
    Data.FASHION_MNIST: ("zalando-datasets/fashion_mnist", "image", "the four published .gz files"),
    Data.CIFAR10: ("uoft-cs/cifar10", "img", "cifar-10-binary.tar.gz or cifar-10-python.tar.gz"),
}
"""By data set: its repository, the column of the images, and the published files that replace it."""


def hub_images(data: Data) -> Images:
    """Return a data set from the hub, which lacks ``digits``.

    A package that is not installed, a hub out of reach, and a data set that has changed there are DataErrors.
    """
    repository, column, files = _REPOSITORIES[data]
    place = f"{repository} on the Hugging Face hub"
    needed = f"`data_dir` with the folder of {files} is needed"
    way_out = f"{needed}, or pip install 'topoimp[hub]' and a connection"
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise DataError(f"{data}: no folder is named and the package datasets is not installed; {way_out}") from error

    try:
        train = load_dataset(repository, split="train")
        test = load_dataset(repository, split="test")
        return named_images(data, place, _part(train, column, place), _part(test, column, place))
    except DataError:
        raise
    except Exception as error:  # the network, the cache or a decoder can raise anything
        raise DataError(f"{data}: cannot be loaded from {place} ({reason_of(error)}); {way_out}") from error


def _part(rows: Any, column: str, place: str) -> Part:  # a datasets.Dataset; the package is optional
    missing = {column, "label"} - set(rows.column_names)
    if missing or len(rows) == 0:
        found = f"has {len(rows)} rows with the columns {', '.join(rows.column_names)}"
        raise DataError(f"{place}: {found}; rows with {column} and label are needed")

    first = _channels_first(rows[0][column], f"{place}: image 0")
    images = np.empty((len(rows), *first.shape), np.uint8)
    labels = np.empty(len(rows), np.int64)
    for k, row in enumerate(rows):
        image = _channels_first(row[column], f"{place}: image {k}")
        if image.shape != first.shape:
            raise DataError(f"{place}: image {k} has the shape {image.shape}, the first {first.shape}; one is needed")
        images[k] = image
        labels[k] = row["label"]
    return Part(images, labels)


def _channels_first(image: object, place: str) -> ByteArray:
    """Return a decoded image as bytes, (channels, height, width)."""
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        found = f"is of type {array.dtype} and shape {array.shape}"
        raise DataError(f"{place} {found}; bytes, (height, width) or (height, width, 3), are needed")
    return array[np.newaxis] if array.ndim == 2 else array.transpose(2, 0, 1)
