import gzip
import re

import numpy as np
import pytest
from conftest import SHARED

from topoimp.choices import Data
from topoimp.data import load_images
from topoimp.errors import DataError, OptionError


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    contents = {
        "train-images-idx3-ubyte.gz": rng.integers(0, 256, (5, 4, 3)),
        "train-labels-idx1-ubyte.gz": np.arange(5),
        "t10k-images-idx3-ubyte.gz": rng.integers(0, 256, (2, 4, 3)),
        "t10k-labels-idx1-ubyte.gz": np.arange(2),
    }
    for name, array in contents.items():
        (tmp_path / name).write_bytes(gzip.compress(idx(array)))
    return tmp_path


def test_digits_are_split_the_same_way_every_time():
    images = load_images(Data.DIGITS)

    assert images.train_images.shape == (1437, 8, 8)
    assert images.test_images.shape == (360, 8, 8)
    assert (images.train_images.min(), images.train_images.max()) == (0.0, 1.0)
    assert set(images.test_labels) == set(range(10))
    assert images.sha256() == "dd82963602a00ec7a5acb3d83ef540e3a20b54d2e70797c745a817e4328ba5e4"


def test_published_files_are_read(folder):
    images = load_images(Data.MNIST, folder)

    raw = np.random.default_rng(0).integers(0, 256, (5, 4, 3))
    assert images.image == (4, 3)
    np.testing.assert_array_equal(images.train_images, raw.astype(np.float32) / np.float32(255))
    assert images.train_labels.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("data", "mean"), [(Data.MNIST, 0.1306604763), (Data.FASHION_MNIST, 0.2860405970)])
def test_the_real_files_have_their_published_means(data, mean):
    folder = SHARED / "datasets" / data
    if not folder.is_dir():
        pytest.skip("the published files of MNIST and Fashion-MNIST are not beside the project")

    images = load_images(data, folder)

    assert images.train_images.shape == (60_000, 28, 28)
    assert images.test_images.shape == (10_000, 28, 28)
    assert images.train_images.mean(dtype=np.float64) == pytest.approx(mean, abs=1e-8)


def test_data_that_are_embedded_need_none(tmp_path):
    with pytest.raises(OptionError, match="digits is embedded and read from no folder"):
        load_images(Data.DIGITS, tmp_path)


def test_data_that_are_not_embedded_need_a_folder():
    with pytest.raises(
        OptionError, match=r"mnist is read from its four published .gz files; --data-dir must name their folder"
    ):
        load_images(Data.MNIST)


def replace(folder, name, content):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "t10k-labels-idx1-ubyte.gz").unlink(), "t10k-labels-idx1-ubyte.gz: no such file"),
        (lambda folder: replace(folder, "train-images-idx3-ubyte.gz", b"no"), "train-images.* is no whole gzip file"),
        (
            lambda folder: replace(folder, "train-images-idx3-ubyte.gz", gzip.compress(idx(np.zeros((5, 4, 3))))[:-9]),
            "train-images.* is no whole gzip file",
        ),
        (
            lambda folder: replace(folder, "train-images-idx3-ubyte.gz", gzip.compress(idx(np.zeros((5, 4, 3)))[:-1])),
            re.escape("is no IDX file of 3-axis bytes, or it is truncated"),
        ),
        (
            lambda folder: replace(folder, "train-labels-idx1-ubyte.gz", gzip.compress(b"")),
            re.escape("is no IDX file of 1-axis bytes, or it is truncated"),
        ),
        (
            lambda folder: replace(folder, "train-labels-idx1-ubyte.gz", gzip.compress(idx(np.zeros(4)))),
            "holds 5 images but 4 labels for them",
        ),
        (
            lambda folder: replace(folder, "train-labels-idx1-ubyte.gz", gzip.compress(idx(np.full(5, 10)))),
            "has no images, or labels beyond 9; mnist has ten classes",
        ),
        (
            lambda folder: [
                replace(folder, "t10k-images-idx3-ubyte.gz", gzip.compress(idx(np.zeros((0, 4, 3))))),
                replace(folder, "t10k-labels-idx1-ubyte.gz", gzip.compress(idx(np.zeros(0)))),
            ],
            "has no images, or labels beyond 9",
        ),
        (
            lambda folder: replace(folder, "t10k-images-idx3-ubyte.gz", gzip.compress(idx(np.zeros((2, 3, 4))))),
            "has training images of another size than its test images",
        ),
        (
            lambda folder: replace(folder, "train-labels-idx1-ubyte.gz", gzip.compress(idx(np.zeros(4))[:6])),
            "is no IDX file of 1-axis bytes, or it is truncated",
        ),
    ],
)
def test_damaged_files_are_refused(folder, damage, message):
    damage(folder)

    with pytest.raises(DataError, match=message):
        load_images(Data.MNIST, folder)
