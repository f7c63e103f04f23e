import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal

from topoimp.choices import Data
from topoimp.data.images import Images, Part, from_bytes, named_images
from topoimp.errors import DataError


def part(n=2, labels=None, image=(1, 2, 3)):
    return Part(np.zeros((n, *image), np.uint8), np.array([0] * n if labels is None else labels, np.uint8))


def images(train_labels, test_labels, known_classes=None):
    train, test = np.array(train_labels), np.array(test_labels)
    pixels = [np.zeros((len(labels), 3, 4, 5), np.float32) for labels in (train, test)]
    return Images("mine", pixels[0], train, pixels[1], test, known_classes=known_classes)


@given(arrays(np.uint8, array_shapes(max_dims=4)))
def test_bytes_become_their_255th_rounded_once(stored):
    pixels = from_bytes(stored)

    assert pixels.dtype == np.float32
    assert_array_equal(pixels, (stored.astype(np.float64) / 255).astype(np.float32))


def test_pixels_lie_in_c_order_whatever_the_order_of_the_bytes():
    stored = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(2, 0, 1)

    assert from_bytes(stored).flags.c_contiguous


def test_the_bytes_themselves_are_left_alone():
    stored = np.array([0, 255], np.uint8)

    from_bytes(stored)

    assert stored.tolist() == [0, 255]


def test_an_image_has_channels_height_and_width():
    assert images([0], [0]).image == (3, 4, 5)


@pytest.mark.parametrize(
    ("train", "test", "known", "n_classes"),
    [([0], [0], None, 1), ([0, 6], [1], None, 7), ([0], [3], None, 4), ([0, 6], [1], 10, 10)],
)
def test_classes_are_known_or_counted_by_the_largest_label_of_both_parts(train, test, known, n_classes):
    assert images(train, test, known).n_classes == n_classes


def test_the_checksum_is_of_pixels_and_labels_in_their_order():
    data = images([1, 2], [3])
    content = b"".join(
        array.tobytes() for array in (data.train_images, data.train_labels, data.test_images, data.test_labels)
    )

    assert data.sha256() == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("field", ["train_labels", "test_labels"])
def test_the_checksum_sees_another_label(field):
    changes = {"train_labels": [1, 2], "test_labels": [3]}

    assert images(**changes).sha256() != images(**{**changes, field: [*changes[field], 0]}).sha256()


def test_named_data_sets_have_ten_classes_whatever_occurs():
    data = named_images(Data.MNIST, "here", part(), part())

    assert (data.name, data.n_classes) == ("mnist", 10)
    assert (data.train_labels.dtype, data.test_labels.dtype) == (np.int64, np.int64)


def test_labels_reach_to_nine():
    assert named_images(Data.MNIST, "here", part(labels=[0, 9]), part()).train_labels.tolist() == [0, 9]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (part(labels=[0]), part(), "here: holds 2 images but 1 labels for them"),
        (part(), part(labels=[0, 0, 0]), "here: holds 2 images but 3 labels for them"),
        (part(0), part(), "here: has no images, or labels beyond 9; mnist has ten classes"),
        (part(image=(1, 0, 3)), part(), "here: has no images, or labels beyond 9"),
        (part(), part(labels=[0, 10]), "here: has no images, or labels beyond 9; mnist has ten classes"),
        (part(), part(image=(1, 3, 2)), "here: has training images of another size than its test images"),
        (part(), part(image=(3, 2, 3)), "here: has training images of another size than its test images"),
    ],
)
def test_parts_that_do_not_fit_are_refused(train, test, message):
    with pytest.raises(DataError, match=message):
        named_images(Data.MNIST, "here", train, test)
