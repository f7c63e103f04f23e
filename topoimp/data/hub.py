"""The data sets known by name, from the Hugging Face hub: the source where the user names no folder.

The package ``datasets`` fetches and caches them; a later call needs no connection. It prints progress of its own
(``HF_DATASETS_DISABLE_PROGRESS_BARS`` turns it off). Images keep the hub's order. For MNIST and Fashion-MNIST it is
the order of the published files. For CIFAR-10 it is that of the Python archive, whose batches are not in the order
of their numbers: the same images, but another sha256.

Source: huggingface/datasets, datasets/{mnist,fashion_mnist,cifar10}/*.py (how the hub's rows were made).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.choices import Data
from topoimp.data.images import Images, Part, named_images
from topoimp.errors import DataError


@dataclass(frozen=True)
class _Repository:
    """A data set on the hub: repository, column of the images, and the published files that replace it."""

    name: str
    image: str
    files: str


_REPOSITORIES = {
    Data.MNIST: _Repository("ylecun/mnist", "image", "the four published .gz files"),
    Data.FASHION_MNIST: _Repository("zalando-datasets/fashion_mnist", "image", "the four published .gz files"),
    Data.CIFAR10: _Repository("uoft-cs/cifar10", "img", "cifar-10-binary.tar.gz or cifar-10-python.tar.gz"),
}


def hub_images(data: Data) -> Images:
    """Load a data set from the hub.

    Args:
        data: any but ``digits``.

    Raises:
        DataError: if the package is not installed, the hub cannot be reached, or the data set on it has changed.
    """
    repository = _REPOSITORIES[data]
    place = f"{repository.name} on the Hugging Face hub"
    way_out = (
        f"`data_dir` with the folder of {repository.files} is needed, or pip install 'topoimp[hub]' and a connection"
    )
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise DataError(f"{data}: no folder is named and the package datasets is not installed; {way_out}") from error
    try:
        train = load_dataset(repository.name, split="train")
        test = load_dataset(repository.name, split="test")
        return named_images(data, place, _part(train, repository.image, place), _part(test, repository.image, place))
    except DataError:
        raise
    except Exception as error:  # the network, the cache or a decoder can raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{data}: cannot be loaded from {place} ({reason}); {way_out}") from error


def _part(rows: Any, column: str, place: str) -> Part:  # a datasets.Dataset; the package is optional
    missing = {column, "label"} - set(rows.column_names)
    if missing or len(rows) == 0:
        raise DataError(
            f"{place}: has {len(rows)} rows with the columns {', '.join(rows.column_names)};"
            f" rows with {column} and label are needed"
        )
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
        raise DataError(
            f"{place} is of type {array.dtype} and shape {array.shape}; bytes, (height, width) or (height, width, 3),"
            " are needed"
        )
    return array[np.newaxis] if array.ndim == 2 else array.transpose(2, 0, 1)
