import pytest

from topoimp.choices import Data
from topoimp.data import load_images
from topoimp.data.shapes import DATA_SHAPES, DataShape, data_shape
from topoimp.errors import OptionError


def test_digits_have_the_shape_of_the_images_that_are_read():
    images = load_images("digits")

    assert data_shape("digits") == DataShape(images.image, images.n_classes)


def test_every_data_set_that_can_be_read_by_name_has_a_shape():
    assert set(Data) <= set(DATA_SHAPES)


@pytest.mark.parametrize(
    ("data", "image", "n_classes"),
    [
        ("mnist", (1, 28, 28), 10),
        ("fashion-mnist", (1, 28, 28), 10),
        ("cifar10", (3, 32, 32), 10),
        ("cifar100", (3, 32, 32), 100),
        ("tiny-imagenet", (3, 64, 64), 200),
    ],
)
def test_published_shapes(data, image, n_classes):
    assert data_shape(data) == DataShape(image, n_classes)


def test_a_data_set_without_a_known_shape_is_refused():
    with pytest.raises(
        OptionError, match=r"the shape of the data set 'images\.npz' is not known; known are digits, mnist"
    ):
        data_shape("images.npz")
