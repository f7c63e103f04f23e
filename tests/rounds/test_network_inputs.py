"""The deviations of a network's inputs, against those of the images that training sees."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from topoimp.data import Images
from topoimp.rounds.network_inputs import input_deviations
from topoimp.training.batches import standardised


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    pixels = rng.random((30, 3, 4, 5), np.float32) * np.float32([1, 5, 20])[:, None, None]
    pixels[:, 1, 2, 3] = 0.5  # the same in all images
    labels = np.arange(30) % 3
    return Images("random", pixels, labels, pixels, labels)


def test_a_pixel_has_its_deviation_over_the_standardised_images(images):
    seen, _ = standardised(images)

    found = input_deviations(images, 60)

    assert_allclose(found, seen.std(axis=0, dtype=np.float64).reshape(-1), rtol=1e-5)
    assert found[20 + 2 * 5 + 3] == 0


def test_a_channel_has_deviation_1_and_0_if_it_is_constant(images):
    images.train_images[:, 2] = 7

    assert input_deviations(images, 3).tolist() == [1, 1, 0]
