import sys
from types import ModuleType

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from topoimp.choices import Data
from topoimp.data import load_images
from topoimp.errors import DataError

GREY = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
COLOURED = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)

NAMED = [
    (Data.MNIST, "ylecun/mnist", "image", GREY, GREY[:, np.newaxis]),
    (Data.FASHION_MNIST, "zalando-datasets/fashion_mnist", "image", GREY, GREY[:, np.newaxis]),
    (Data.CIFAR10, "uoft-cs/cifar10", "img", COLOURED, COLOURED.transpose(0, 3, 1, 2)),
]


class Rows(list):
    """A split as the hub's package gives it: rows that are dictionaries, and the names of the columns."""

    @property
    def column_names(self):
        return list(self[0]) if self else ["image", "label"]


def rows(images, labels=(3, 9), column="image"):
    return Rows({column: image, "label": label} for image, label in zip(images, labels, strict=False))


@pytest.fixture
def hub(monkeypatch):
    """Stand in for the package: a repository's splits by name; anything else cannot be reached."""

    def stand_in(repository, train, test):
        splits = {(repository, "train"): train, (repository, "test"): test}
        module = ModuleType("datasets")
        module.load_dataset = lambda name, *, split: splits[name, split]
        monkeypatch.setitem(sys.modules, "datasets", module)

    return stand_in


@pytest.mark.parametrize(("data", "repository", "column", "stored", "images"), NAMED)
def test_named_data_sets_come_from_their_repositories(hub, data, repository, column, stored, images):
    hub(repository, rows(stored, column=column), rows(stored[:1], column=column))

    found = load_images(data)

    assert (found.name, found.n_classes, found.image) == (data.value, 10, images.shape[1:])
    assert_array_equal(found.train_images, images.astype(np.float32) / np.float32(255))
    assert found.train_images.flags.c_contiguous
    assert (found.train_labels.tolist(), found.test_labels.tolist()) == ([3, 9], [3])


@pytest.mark.parametrize(
    ("data", "files"),
    [
        (Data.MNIST, "the four published .gz files"),
        (Data.FASHION_MNIST, "the four published .gz files"),
        (Data.CIFAR10, "cifar-10-binary.tar.gz or cifar-10-python.tar.gz"),
    ],
)
def test_without_the_package_both_ways_out_are_said(monkeypatch, data, files):
    monkeypatch.setitem(sys.modules, "datasets", None)

    with pytest.raises(
        DataError,
        match=rf"{data}: no folder is named and the package datasets is not installed; `data_dir` with the folder of"
        rf" {files} is needed, or pip install 'topoimp\[hub\]' and a connection",
    ):
        load_images(data)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionError("Couldn't reach it\nwhatever"), "Couldn't reach it"),
        (FileNotFoundError("no such data set"), "no such data set"),
        (ValueError(), "ValueError"),
        (ImportError("Pillow is needed"), "Pillow is needed"),
    ],
)
def test_whatever_the_hub_fails_with_both_ways_out_are_said_in_one_line(monkeypatch, error, reason):
    def load_dataset(_name, *, split):  # noqa: ARG001  # the package's word
        raise error

    module = ModuleType("datasets")
    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)

    with pytest.raises(
        DataError,
        match=rf"^mnist: cannot be loaded from ylecun/mnist on the Hugging Face hub \({reason}\); `data_dir` with the"
        r" folder of the four published .gz files is needed, or pip install 'topoimp\[hub\]' and a connection$",
    ):
        load_images(Data.MNIST)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (rows([]), rows(GREY), "has 0 rows with the columns image, label; rows with image and label are needed"),
        (rows(GREY, column="img"), rows(GREY), "has 2 rows with the columns img, label; rows with image and label are"),
        (rows(GREY), Rows([{"image": GREY[0]}]), "has 1 rows with the columns image; rows with image and label are"),
        (rows([GREY[0], GREY[1, :3]]), rows(GREY), r"image 1 has the shape \(1, 3, 5\), the first \(1, 4, 5\); one is"),
        (rows(GREY / 255), rows(GREY), r"image 0 is of type float64 and shape \(4, 5\); bytes, \(height, width\) or"),
        (rows(GREY), rows([None]), r"image 0 is of type object and shape \(\); bytes, \(height, width\) or \(height,"),
        (rows(GREY), rows(COLOURED), "has training images of another size than its test images"),
        (rows(GREY, labels=(0, 10)), rows(GREY), "has no images, or labels beyond 9; mnist has ten classes"),
        (rows(GREY), rows(GREY, labels=(0, -1)), "has no images, or labels beyond 9; mnist has ten classes"),
    ],
)
def test_what_is_no_longer_the_data_set_is_refused(hub, train, test, message):
    hub("ylecun/mnist", train, test)

    with pytest.raises(DataError, match=f"ylecun/mnist on the Hugging Face hub: {message}"):
        load_images(Data.MNIST)


@pytest.mark.parametrize(("data", "repository", "column", "stored", "images"), NAMED)
def test_the_package_itself_gives_the_same(monkeypatch, data, repository, column, stored, images):
    datasets = pytest.importorskip("datasets", reason="the package datasets is optional: pip install 'topoimp[hub]'")
    pillow = pytest.importorskip("PIL.Image", reason="pillow comes with topoimp[hub]")
    features = datasets.Features({column: datasets.Image(), "label": datasets.ClassLabel(num_classes=10)})
    pictures = [pillow.fromarray(image) for image in stored]
    split = datasets.Dataset.from_dict({column: pictures, "label": [3, 9]}, features=features)
    monkeypatch.setattr(datasets, "load_dataset", lambda name, *, split: {repository: split_of[split]}[name])
    split_of = {"train": split, "test": split.select([1])}

    found = load_images(data)

    assert_array_equal(found.train_images, images.astype(np.float32) / np.float32(255))
    assert_array_equal(found.test_images, found.train_images[1:])
    assert (found.train_labels.tolist(), found.test_labels.tolist()) == ([3, 9], [9])
