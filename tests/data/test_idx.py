import gzip
import re

import numpy as np
import pytest
from conftest import SHARED
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from topoimp.choices import Data
from topoimp.data import load_images
from topoimp.errors import DataError

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def write_files(folder):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    arrays = (rng.integers(0, 256, (5, 4, 3)), np.arange(5), rng.integers(0, 256, (2, 4, 3)), np.arange(2))
    for name, array in zip(NAMES, arrays, strict=True):
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    return folder


def unpack(folder, name):
    packed = folder / f"{name}.gz"
    (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "files")


def test_published_files_are_read(folder):
    images = load_images(Data.MNIST, folder)

    raw = np.random.default_rng(0).integers(0, 256, (5, 4, 3))
    assert (images.name, images.image, images.n_classes) == ("mnist", (1, 4, 3), 10)
    assert_array_equal(images.train_images, (raw.astype(np.float32) / np.float32(255))[:, np.newaxis])
    assert images.train_labels.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("data", "name"), [(Data.MNIST, "MNIST"), (Data.FASHION_MNIST, "FashionMNIST")])
def test_the_root_of_torchvision_gives_the_same(tmp_path, data, name):
    for other in ("MNIST", "FashionMNIST"):
        (tmp_path / other).mkdir()
    raw = write_files(tmp_path / name / "raw")

    assert load_images(data, tmp_path).sha256() == load_images(data, raw).sha256()


def test_files_beside_the_folder_of_torchvision_come_first(folder):
    (folder / "MNIST/raw").mkdir(parents=True)

    assert load_images(Data.MNIST, folder).image == (1, 4, 3)


def test_a_torchvision_folder_without_files_is_named(tmp_path):
    (tmp_path / "MNIST/raw").mkdir(parents=True)

    with pytest.raises(DataError, match=re.escape(f"{tmp_path}/MNIST/raw/{NAMES[0]}.gz: no such file")):
        load_images(Data.MNIST, tmp_path)


def test_unpacked_files_give_the_same(folder):
    packed = load_images(Data.MNIST, folder).sha256()

    for name in NAMES:
        unpack(folder, name)

    assert load_images(Data.MNIST, folder).sha256() == packed


def test_some_files_may_be_unpacked_and_others_not(folder):
    packed = load_images(Data.MNIST, folder).sha256()

    unpack(folder, NAMES[2])

    assert load_images(Data.MNIST, folder).sha256() == packed


def test_of_a_packed_and_an_unpacked_file_the_packed_one_is_read(folder):
    (folder / NAMES[1]).write_bytes(idx(np.full(5, 9)))

    assert load_images(Data.MNIST, folder).train_labels.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("data", [Data.MNIST, Data.FASHION_MNIST])
def test_one_folder_can_hold_all_data_sets(tmp_path, data):
    write_files(tmp_path / data.value)

    assert load_images(data, tmp_path).name == data.value


def test_the_files_themselves_come_before_a_sub_folder(folder):
    (folder / "mnist").mkdir()

    assert len(load_images(Data.MNIST, folder).train_labels) == 5


def test_a_file_named_as_the_data_set_is_no_sub_folder(tmp_path):
    (tmp_path / "mnist").touch()

    with pytest.raises(DataError, match=re.escape(f"{tmp_path / NAMES[0]}.gz: no such file")):
        load_images(Data.MNIST, tmp_path)


@pytest.mark.parametrize(
    ("data", "mean", "sha256"),
    [
        (Data.MNIST, 0.1306604763, "55c41ac0f5a8c45648c69c8349247c8db8573ea50fafdc37b5123844f825fae0"),
        (Data.FASHION_MNIST, 0.2860405970, "a64cc0dca83e19f43d6f56e7ab55c0e1841b583125883db27e3b8198b9b9c8ed"),
    ],
)
def test_the_real_files_have_their_published_means(data, mean, sha256):
    folder = SHARED / "datasets"
    if not (folder / data).is_dir():
        pytest.skip("the published files of MNIST and Fashion-MNIST are not beside the project")

    images = load_images(data, folder)

    assert images.train_images.shape == (60_000, 1, 28, 28)
    assert images.test_images.shape == (10_000, 1, 28, 28)
    assert images.train_images.mean(dtype=np.float64) == pytest.approx(mean, abs=1e-8)
    assert images.sha256() == sha256


def replace(folder, name, content):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "t10k-labels-idx1-ubyte.gz").unlink(),
            "t10k-labels-idx1-ubyte.gz: no such file; the data set's four published files are needed, as .gz or",
        ),
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
        (
            lambda folder: [
                unpack(folder, "train-labels-idx1-ubyte"),
                replace(folder, "train-labels-idx1-ubyte", b"no"),
            ],
            r"train-labels-idx1-ubyte: is no IDX file of 1-axis bytes, or it is truncated",
        ),
        (
            lambda folder: [(folder / "train-labels-idx1-ubyte.gz").unlink(), (folder / NAMES[1]).mkdir()],
            "train-labels-idx1-ubyte: cannot be read: Is a directory",
        ),
    ],
)
def test_damaged_files_are_refused(folder, damage, message):
    damage(folder)

    with pytest.raises(DataError, match=message):
        load_images(Data.MNIST, folder)


@given(place=st.integers(0, 60), bit=st.integers(0, 7))
def test_no_flipped_bit_in_a_packed_file_gives_other_images(tmp_path_factory, place, bit):
    folder = write_files(tmp_path_factory.mktemp("flipped"))
    content = bytearray((folder / f"{NAMES[0]}.gz").read_bytes())
    content[place] ^= 1 << bit
    (folder / f"{NAMES[0]}.gz").write_bytes(content)

    assert sha256_or_refusal(folder) in (load_images(Data.MNIST, write_files(folder)).sha256(), "refused")


def sha256_or_refusal(folder):
    try:
        return load_images(Data.MNIST, folder).sha256()
    except DataError:
        return "refused"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing: cannot be read as a folder of data: No such file or directory"),
        ("file", "file: cannot be read as a folder of data: Not a directory"),
    ],
)
def test_what_is_no_folder_is_said(tmp_path, name, message):
    (tmp_path / "file").touch()

    with pytest.raises(DataError, match=message):
        load_images(Data.MNIST, tmp_path / name)
