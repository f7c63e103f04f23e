import re
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from topoimp.data import load_images
from topoimp.data.npz import KERAS_NAMES, MOST_CLASSES, NAMES
from topoimp.errors import DataError

BYTES = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)


def arrays(**changes):
    stored = {
        "train_images": BYTES,
        "train_labels": np.array([0, 2]),
        "test_images": BYTES[:1],
        "test_labels": np.array([1]),
    }
    return {**stored, **changes}


def both(images):
    """Equal images for training and testing, with a label each."""
    return arrays(train_images=images, test_images=images, train_labels=np.zeros(2, int), test_labels=np.zeros(2, int))


@pytest.fixture
def write(tmp_path):
    """Write arrays as an .npz file and give its path as a user would type it."""

    def write_file(stored):
        np.savez(tmp_path / "mine.npz", **stored)
        return str(tmp_path / "mine.npz")

    return write_file


def test_the_data_set_is_named_after_the_file_and_counts_its_classes(write):
    images = load_images(write(arrays()))

    assert (images.name, images.image, images.n_classes) == ("mine", (3, 4, 5), 3)


def test_labels_of_the_test_part_count_as_classes_too(write):
    assert load_images(write(arrays(test_labels=np.array([6])))).n_classes == 7


def test_kerass_names_mean_the_same(write):
    ours = load_images(write(arrays())).sha256()
    keras = dict(zip(KERAS_NAMES, arrays().values(), strict=True))

    assert load_images(write(keras)).sha256() == ours


def test_our_names_come_before_kerass_and_other_arrays_are_left_alone(write):
    ours = load_images(write(arrays())).sha256()
    others = {name: np.array(["text"]) for name in (*KERAS_NAMES, "class_names")}

    assert load_images(write({**others, **arrays()})).sha256() == ours


def test_a_compressed_file_gives_the_same(write, tmp_path):
    np.savez_compressed(tmp_path / "packed.npz", **arrays())

    assert load_images(str(tmp_path / "packed.npz")).sha256() == load_images(write(arrays())).sha256()


@pytest.mark.parametrize(
    ("stored", "channels_first"),
    [
        (BYTES[..., 0], BYTES[:, np.newaxis, :, :, 0]),
        (BYTES[..., :1], BYTES[:, np.newaxis, :, :, 0]),
        (BYTES, BYTES.transpose(0, 3, 1, 2)),
        (BYTES.transpose(0, 3, 1, 2), BYTES.transpose(0, 3, 1, 2)),
        (BYTES[:, np.newaxis, :, :, 0], BYTES[:, np.newaxis, :, :, 0]),
        (BYTES[:, :3], BYTES[:, :3].transpose(0, 3, 1, 2)),
        (BYTES[:, :1, :, :1], BYTES[:, :1, :, :1].transpose(0, 3, 1, 2)),
        (BYTES[:, :1, :1, 0], BYTES[:, np.newaxis, :1, :1, 0]),
    ],
    ids=["grey", "grey, last", "last", "first", "grey, first", "3 twice: last", "1 twice: last", "one pixel"],
)
def test_shapes_are_read_as_the_help_says(write, stored, channels_first):
    images = load_images(write(both(stored)))

    assert_array_equal(images.train_images, channels_first.astype(np.float32) / np.float32(255))
    assert images.train_images.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8"])
def test_floats_are_used_as_they_are(write, dtype):
    stored = np.array([-2.5, 0, 0.1, 1, 300], dtype).reshape(1, 1, 5).repeat(2, axis=0)

    images = load_images(write(both(stored)))

    assert images.train_images.dtype == np.dtype("=f4")
    assert_array_equal(images.train_images[:, 0], stored.astype(np.float32))


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "i8", "u8", ">i4"])
def test_labels_may_be_integers_of_any_width(write, dtype):
    images = load_images(write(arrays(train_labels=np.array([5, 0], dtype))))

    assert (images.train_labels.tolist(), images.train_labels.dtype) == ([5, 0], np.int64)


def test_labels_may_be_a_column(write):
    assert load_images(write(arrays(train_labels=np.array([[5], [0]])))).train_labels.tolist() == [5, 0]


def test_labels_end_below_a_million(write):
    assert load_images(write(arrays(test_labels=np.array([MOST_CLASSES - 1])))).n_classes == MOST_CLASSES


SHAPES = "(n, height, width), (n, height, width, channels) or (n, channels, height, width) is needed, with 1 or 3"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": BYTES[0, 0]}, f"array 'train_images' has the shape (5, 3); {SHAPES}"),
        ({"train_images": BYTES[:, :2, :, :2]}, f"array 'train_images' has the shape (2, 2, 5, 2); {SHAPES}"),
        ({"train_images": BYTES[..., np.newaxis]}, f"array 'train_images' has the shape (2, 4, 5, 3, 1); {SHAPES}"),
        ({"train_images": BYTES[:0]}, f"array 'train_images' has the shape (0, 4, 5, 3); {SHAPES}"),
        ({"test_images": BYTES[:, :0]}, f"array 'test_images' has the shape (2, 0, 5, 3); {SHAPES}"),
        ({"test_images": np.uint8(1)}, f"array 'test_images' has the shape (); {SHAPES}"),
        (
            {"train_images": BYTES.astype(int)},
            "array 'train_images' is of type int64; uint8 (0 to 255) or floats are needed",
        ),
        ({"train_images": BYTES > 3}, "array 'train_images' is of type bool; uint8 (0 to 255) or floats are needed"),
        ({"train_images": BYTES.astype("c8")}, "array 'train_images' is of type complex64; uint8"),
        (
            {"train_images": np.where(BYTES == 60, np.nan, 0.5)},
            "array 'train_images' holds NaN, or numbers that are not finite as float32, the first in image 1; images",
        ),
        ({"test_images": np.full((1, 4, 5, 3), 1e39)}, "array 'test_images' holds NaN, or numbers that are not finite"),
        (
            {"test_images": BYTES[:1, :, :4]},
            "array 'test_images' has images of 3 x 4 x 4, but those of 'train_images' have 3 x 4 x 5; one size",
        ),
        (
            {"train_labels": np.array([1])},
            "array 'train_labels' holds 1 labels, but 'train_images' 2 images; one each is needed",
        ),
        ({"test_labels": np.array([1, 2])}, "array 'test_labels' holds 2 labels, but 'test_images' 1 images"),
        (
            {"train_labels": np.eye(2, dtype=int)},
            "array 'train_labels' has the shape (2, 2); (n,) or (n, 1) is needed, and n above 0",
        ),
        ({"train_labels": np.int64(1)}, "array 'train_labels' has the shape (); (n,) or (n, 1) is needed"),
        ({"train_labels": np.zeros(0, int)}, "array 'train_labels' has the shape (0,); (n,) or (n, 1) is needed"),
        ({"train_labels": np.zeros((2, 1, 1), int)}, "array 'train_labels' has the shape (2, 1, 1); (n,) or (n, 1)"),
        ({"train_labels": np.array([0.0, 1.0])}, "array 'train_labels' is of type float64; integers are needed"),
        ({"train_labels": np.array([True, False])}, "array 'train_labels' is of type bool; integers are needed"),
        (
            {"train_labels": np.array([-1, 1])},
            "array 'train_labels' holds labels from -1 to 1; classes from 0, and fewer than 1,000,000, are needed",
        ),
        ({"train_labels": np.array([0, MOST_CLASSES])}, "array 'train_labels' holds labels from 0 to 1000000; classes"),
        ({"train_labels": np.array([0, 2**64 - 1], "u8")}, "holds labels from 0 to 18446744073709551615; classes"),
        (
            {"train_labels": np.array([{}, 1])},
            "array 'train_labels' cannot be read (pickled objects are not loaded)",
        ),
        (
            {"train_images": np.array([{}, 1])},
            "array 'train_images' cannot be read (pickled objects are not loaded)",
        ),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(write, changes, message):
    path = write(arrays(**changes))

    with pytest.raises(DataError, match=re.escape(f"{path}: ") + ".*" + re.escape(message)):
        load_images(path)


@pytest.mark.parametrize("name", [*NAMES, "all"])
def test_missing_arrays_are_told_what_is_there_and_what_is_needed(write, name):
    stored = {key: array for key, array in arrays().items() if name not in ("all", key)}
    found = ", ".join(stored) or "no arrays"

    with pytest.raises(
        DataError,
        match=re.escape(
            f"mine.npz: holds {found}; train_images, train_labels, test_images and test_labels"
            " (or x_train, y_train, x_test and y_test) are needed"
        ),
    ):
        load_images(write(stored))


def test_arrays_named_half_in_one_way_and_half_in_the_other_are_refused(write):
    stored = dict(zip((*NAMES[:2], *KERAS_NAMES[2:]), arrays().values(), strict=True))

    with pytest.raises(DataError, match="holds train_images, train_labels, x_test, y_test; train_images, train_labels"):
        load_images(write(stored))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is no .npz file that can be read \(No data left in file\)"),
        (b"text", r"is no .npz file that can be read \(pickled objects are not loaded\)"),
        (b"PK\x03\x04", r"is no .npz file that can be read \(File is not a zip file\)"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "mine.npz").write_bytes(content)

    with pytest.raises(DataError, match=f"mine.npz: {message}"):
        load_images(str(tmp_path / "mine.npz"))


def test_a_single_array_is_refused(tmp_path):
    with (tmp_path / "mine.npz").open("wb") as file:
        np.save(file, BYTES)

    with pytest.raises(DataError, match=r"mine.npz: is a single array; an .npz file with train_images, .* is needed"):
        load_images(str(tmp_path / "mine.npz"))


def test_a_member_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        for name in NAMES:
            archive.writestr(name, "text")

    with pytest.raises(DataError, match=r"mine.npz: array 'train_images' is no array in numpy's format"):
        load_images(str(tmp_path / "mine.npz"))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DataError, match=r"mine.npz: no such file; an .npz file with train_images"):
        load_images(str(tmp_path / "mine.npz"))


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "mine.npz").mkdir()

    with pytest.raises(DataError, match=r"mine.npz: is no .npz file that can be read \(.*Is a directory"):
        load_images(str(tmp_path / "mine.npz"))


@given(place=st.integers(0, 1500), bit=st.integers(0, 7))
def test_a_damaged_file_is_refused_or_read_and_never_anything_else(tmp_path_factory, place, bit):
    path = tmp_path_factory.mktemp("flipped") / "mine.npz"
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)

    assert read_or_refused(path) in ("read", "refused")


def read_or_refused(path):
    try:
        load_images(str(path))
    except DataError:
        return "refused"
    return "read"
