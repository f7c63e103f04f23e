"""The word that names a data set in, its images out."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from topoimp.checkpoint import AnyPath
from topoimp.choices import Data
from topoimp.data.cifar import cifar_images
from topoimp.data.hub import hub_images
from topoimp.data.idx import idx_images
from topoimp.data.images import N_CLASSES, Images
from topoimp.data.npz import npz_images
from topoimp.errors import OptionError
from topoimp.sources import source

NPZ = ".npz"

FOLDER_VARIABLE = "TOPOIMP_DATA_DIR"
"""Environment variable that names the folder of the published files."""


def load_images(data: Data | AnyPath, folder: AnyPath | None = None) -> Images:
    """Return a data set.

    Args:
        data: ``digits``, which ships with scikit-learn (1,797 images of 8x8, 360 of them for testing); ``mnist``,
            ``fashion-mnist`` or ``cifar10``, read from their published files; or the path of an .npz file.
        folder: folder of the published files, or of sub-folders named as the data sets. If None, the environment
            variable ``TOPOIMP_DATA_DIR`` names it; without that, the Hugging Face hub is asked.

    Raises:
        OptionError: if no data set has this name, or ``folder`` is given for a data set that needs none.
        DataError: if a file is missing or malformed, or the hub is needed and cannot be reached.
    """
    if str(data).endswith(NPZ):
        if folder is not None:
            raise OptionError(f"{data} is a file; `data_dir` is for the published files of known data sets")
        return _from(npz_images, Path(data))
    if data not in list(Data):  # a path is no word
        known_names = ", ".join(Data)
        raise OptionError(f"there is no data set {str(data)!r}; known are {known_names}, and files that end in {NPZ}")

    known = Data(str(data))
    if known is Data.DIGITS:
        if folder is not None:
            raise OptionError("digits ships with scikit-learn; `data_dir` is for the other data sets")
        return _from(digits_images)
    folder = folder or os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return _from(hub_images, known)
    folder = Path(folder)
    return _from(cifar_images, folder) if known is Data.CIFAR10 else _from(idx_images, known, folder)


def _from(load: Callable[..., Images], *arguments: object) -> Images:
    """Return the images that a function loads, with their source."""
    return replace(load(*arguments), source=source(load, *arguments))


def digits_images() -> Images:
    """Return the 1,797 digits of 8x8 pixels; pixels are sixteenths. The split is always the same, all classes in both.

    Source: scikit-learn's ``load_digits``, the test part of "Optical Recognition of Handwritten Digits" (UCI).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    parts = train_test_split(images, labels.astype(np.int64), test_size=360, random_state=0, stratify=labels)
    train_images, test_images, train_labels, test_labels = parts
    return Images(Data.DIGITS.value, train_images, train_labels, test_images, test_labels, N_CLASSES)
