"""From the word that a user chooses a data set by to its images."""

import os
from pathlib import Path

from topoimp.choices import Data
from topoimp.data.cifar import cifar_images
from topoimp.data.digits import digits_images
from topoimp.data.hub import hub_images
from topoimp.data.idx import idx_images
from topoimp.data.images import Images
from topoimp.data.npz import npz_images
from topoimp.errors import OptionError

NPZ = ".npz"

FOLDER_VARIABLE = "TOPOIMP_DATA_DIR"
"""What the environment says where the published files of all data sets lie by."""


def load_images(data: Data | str | Path, folder: Path | None = None) -> Images:
    """Give a data set.

    Args:
        data: ``digits`` is embedded in scikit-learn: 1,797 images of 8x8, of which 360 are for testing. ``mnist``,
            ``fashion-mnist`` and ``cifar10`` are read from their published files. Anything that ends in .npz is the
            path of a file with the arrays train_images, train_labels, test_images and test_labels, or x_train,
            y_train, x_test and y_test.
        folder: where published files lie, or sub-folders named as the data sets. If None, the environment's
            ``TOPOIMP_DATA_DIR`` says where, and without that the Hugging Face hub is asked.

    Raises:
        OptionError: if there is no such data set, or it is read from no folder but one is named.
        DataError: if a file is missing or is not what it should be, or the hub is needed and cannot be reached.
    """
    if str(data).endswith(NPZ):
        if folder is not None:
            raise OptionError(f"{data} is a file of its own; --data-dir is for the published files of known data sets")
        return npz_images(Path(data))
    if data not in list(Data):
        raise OptionError(
            f"there is no data set {str(data)!r}; known are {', '.join(Data)}, and files that end in {NPZ}"
        )
    known = Data(str(data))
    if known is Data.DIGITS:
        if folder is not None:
            raise OptionError("digits is embedded and read from no folder; --data-dir is for the other data sets")
        return digits_images()
    folder = folder or (Path(named) if (named := os.environ.get(FOLDER_VARIABLE)) else None)
    if folder is None:
        return hub_images(known)
    return cifar_images(folder) if known is Data.CIFAR10 else idx_images(known, folder)
