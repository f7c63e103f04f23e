"""The 1,797 handwritten digits of 8x8 pixels that scikit-learn ships; 360 of them are for testing."""

import numpy as np

from topoimp.choices import Data
from topoimp.data.images import N_CLASSES, Images


def digits_images() -> Images:
    """Return the digits; pixels are sixteenths. The split is always the same, and both parts have all classes.

    Source: scikit-learn's ``load_digits``, the test part of "Optical Recognition of Handwritten Digits" (UCI).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    parts = train_test_split(images, labels.astype(np.int64), test_size=360, random_state=0, stratify=labels)
    train_images, test_images, train_labels, test_labels = parts
    return Images(Data.DIGITS.value, train_images, train_labels, test_images, test_labels, known_classes=N_CLASSES)
