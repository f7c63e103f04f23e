import numpy as np
import pytest
import torch

from topoimp.data import Images
from topoimp.training.batches import augmented, standardised


@pytest.fixture
def colours():
    rng = np.random.default_rng(0)
    images = rng.random((40, 3, 32, 32), np.float32)
    return Images("colours", images[:30], np.arange(30) % 10, images[30:], np.arange(10) % 10)


def test_augmented_images_are_the_same_shifted_and_mirrored():
    batch = torch.arange(1.0, 3 * 2 * 5 * 6 + 1).reshape(3, 2, 5, 6)

    moved = augmented(batch, np.random.default_rng(0))

    padded = torch.nn.functional.pad(batch, [4] * 4)
    windows = [padded[:, :, a : a + 5, b : b + 6] for a in range(9) for b in range(9)]
    windows += [window.flip(3) for window in windows]
    for number in range(3):
        assert any(torch.equal(moved[number], window[number]) for window in windows)


def test_standardised_images_have_mean_0_and_deviation_1_in_the_training_set(colours):
    train, test = standardised(colours)

    np.testing.assert_allclose(train.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=(0, 2, 3)), 1, atol=1e-5)
    difference = (colours.test_images[0, 0] - colours.train_images[0, 0]) / colours.train_images[:, 0].std()
    np.testing.assert_allclose(test[0, 0] - train[0, 0], difference, atol=1e-5)
