from topoimp.choices import Data
from topoimp.data import load_images


def test_digits_are_split_the_same_way_every_time():
    images = load_images(Data.DIGITS)

    assert images.train_images.shape == (1437, 1, 8, 8)
    assert images.test_images.shape == (360, 1, 8, 8)
    assert (images.train_images.min(), images.train_images.max()) == (0.0, 1.0)
    assert set(images.test_labels) == set(range(10))
    assert (images.image, images.n_classes) == ((1, 8, 8), 10)
    assert images.sha256() == "dd82963602a00ec7a5acb3d83ef540e3a20b54d2e70797c745a817e4328ba5e4"
