import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from topoimp.choices import Data
from topoimp.data import load_images
from topoimp.errors import OptionError


def test_digits_are_split_the_same_way_every_time():
    images = load_images(Data.DIGITS)

    assert images.train_images.shape == (1437, 1, 8, 8)
    assert images.test_images.shape == (360, 1, 8, 8)
    assert (images.train_images.min(), images.train_images.max()) == (0.0, 1.0)
    assert set(images.test_labels) == set(range(10))
    assert (images.image, images.n_classes) == ((1, 8, 8), 10)
    assert images.sha256() == "dd82963602a00ec7a5acb3d83ef540e3a20b54d2e70797c745a817e4328ba5e4"


@pytest.mark.parametrize("word", [Data.DIGITS, "digits"])
def test_a_data_set_is_named_by_its_word_or_its_member(word):
    assert load_images(word).name == "digits"


def test_a_file_may_be_named_by_its_path_too(tmp_path):
    images, labels = np.zeros((1, 2, 2), np.uint8), np.zeros(1, int)
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    assert load_images(tmp_path / "mine.npz").name == "mine"


@pytest.mark.parametrize("word", ["", "mnits", "MNIST", "cifar-10", "data.npy", "data.NPZ", Path("mnist/")])
def test_other_words_are_told_what_is_known(word):
    with pytest.raises(
        OptionError,
        match=f"there is no data set '{word}'; known are digits, mnist, fashion-mnist, cifar10, and files that end in",
    ):
        load_images(word)


def test_the_digits_need_no_folder(tmp_path):
    with pytest.raises(OptionError, match="digits ships with scikit-learn; `data_dir` is for the other"):
        load_images(Data.DIGITS, tmp_path)


def test_a_file_needs_no_folder(tmp_path):
    with pytest.raises(OptionError, match=r"mine.npz is a file; `data_dir` is for the published files of"):
        load_images("mine.npz", tmp_path)


def test_nothing_heavy_is_imported_before_it_is_needed():
    command = (
        "import sys, topoimp.data; print(sorted({'sklearn', 'datasets', 'torch', 'pandas', 'PIL'} & {*sys.modules}))"
    )
    found = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True).stdout

    assert found == "[]\n"
