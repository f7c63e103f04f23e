"""The data sets known by name, from the Hugging Face hub: what is loaded where the user names no folder.

The package ``datasets`` fetches them, keeps them in its own cache and needs no connection the next time. Its progress
bars are its own too (``HF_DATASETS_DISABLE_PROGRESS_BARS``). Rows come in the order of the hub. That of MNIST and
Fashion-MNIST was made by reading the published files from front to back. That of CIFAR-10 was made by reading the
Python archive, whose batches are not in the order of their numbers: the same images, but another sha256.

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
    """Where the hub has a data set.

    Args:
        name: of the repository.
        image: the column with the images; ``label`` has the labels.
        files: what the user could name a folder of instead.
    """

    name: str
    image: str
    files: str


_REPOSITORIES = {
    Data.MNIST: _Repository("ylecun/mnist", "image", "the four published .gz files"),
    Data.FASHION_MNIST: _Repository("zalando-datasets/fashion_mnist", "image", "the four published .gz files"),
    Data.CIFAR10: _Repository("uoft-cs/cifar10", "img", "cifar-10-binary.tar.gz or cifar-10-python.tar.gz"),
}


def hub_images(data: Data) -> Images:
    """Give a data set from the hub.

    Args:
        data: any but ``digits``, which is embedded.

    Raises:
        DataError: if the package is not installed, the hub cannot be reached, or holds something else by now.
    """
    repository = _REPOSITORIES[data]
    place = f"{repository.name} on the Hugging Face hub"
    way_out = (
        f"--data-dir with the folder of {repository.files} is needed, or pip install 'topoimp[hub]' and a connection"
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
    except Exception as error:  # whatever the network, the cache or a decoder makes the package stumble over
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{data}: cannot be loaded from {place} ({reason}); {way_out}") from error


def _part(rows: Any, column: str, place: str) -> Part:  # a datasets.Dataset, whose package need not be there
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
    """Give a decoded image as bytes, (channels, height, width)."""
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        raise DataError(
            f"{place} is of type {array.dtype} and shape {array.shape}; bytes, (height, width) or (height, width, 3),"
            " are needed"
        )
    return array[np.newaxis] if array.ndim == 2 else array.transpose(2, 0, 1)
