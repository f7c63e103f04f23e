"""Images are pickled as the place that they were loaded from, and loaded again where they are needed."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from travelling import arrived, travelled

from topoimp.data import Images, load_images
from topoimp.errors import DataError


@pytest.fixture
def arrays(tmp_path, monkeypatch):
    """A file of arrays, named as from its folder."""
    monkeypatch.chdir(tmp_path)

    def write(seed=0):
        images = np.random.default_rng(seed).integers(0, 256, (3000, 8, 8)).astype(np.uint8)
        labels = np.arange(3000) % 3
        np.savez("own.npz", x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10])

    write()
    return write


def are_equal(one, other):
    return one.sha256() == other.sha256() and (one.name, one.n_classes) == (other.name, other.n_classes)


@pytest.mark.usefixtures("arrays")
def test_a_pickle_has_the_place_and_the_images_come_back_in_any_folder(tmp_path, monkeypatch):
    images = load_images("own.npz")

    pickled = pickle.dumps(images)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    assert len(pickled) < 1000
    assert are_equal(arrived(pickled), images)
    assert arrived(pickled).source == images.source


def test_other_images_at_the_same_place_are_refused_with_the_machine(arrays, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "node7")
    pickled = pickle.dumps(load_images("own.npz"))
    arrays(seed=1)

    with pytest.raises(DataError, match=r"own.npz: holds other images on node7 \(sha256 \w{12}\.\.\.\) than where the"):
        arrived(pickled)


@pytest.mark.usefixtures("arrays")
def test_images_that_are_gone_are_missed(tmp_path):
    pickled = pickle.dumps(load_images("own.npz"))
    (tmp_path / "own.npz").unlink()

    with pytest.raises(DataError, match=r"own.npz: no such file"):
        arrived(pickled)


def test_a_data_set_with_a_name_comes_back():
    images = load_images("digits")

    assert len(pickle.dumps(images)) < 500
    assert are_equal(travelled(images), images)


@pytest.mark.usefixtures("arrays")
def test_images_in_memory_are_pickled_as_they_are():
    images = replace(load_images("own.npz"), source=None)

    back = travelled(images)

    assert isinstance(back, Images)
    assert are_equal(back, images)
