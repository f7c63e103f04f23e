"""The word that names a data set in, its images out."""

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
"""Environment variable that names the folder of the published files."""


def load_images(data: Data | str | Path, folder: Path | None = None) -> Images:
    """Return a data set.

    Args:
        data: ``digits``, which ships with scikit-learn (1,797 images of 8x8, 360 of them for testing); ``mnist``,
            ``fashion-mnist`` or ``cifar10``, read from their published files; or the path of an .npz file with the
            arrays train_images, train_labels, test_images and test_labels, or x_train, y_train, x_test and y_test.
        folder: folder of the published files, or of sub-folders named as the data sets. If None, the environment
            variable ``TOPOIMP_DATA_DIR`` names it; without that, the Hugging Face hub is asked.

    Raises:
        OptionError: if no data set has this name, or ``folder`` is given for a data set that needs none.
        DataError: if a file is missing or malformed, or the hub is needed and cannot be reached.
    """
    if str(data).endswith(NPZ):
        if folder is not None:
            raise OptionError(f"{data} is a file; `data_dir` is for the published files of known data sets")
        return npz_images(Path(data))
    if data not in list(Data):
        raise OptionError(
            f"there is no data set {str(data)!r}; known are {', '.join(Data)}, and files that end in {NPZ}"
        )
    known = Data(str(data))
    if known is Data.DIGITS:
        if folder is not None:
            raise OptionError("digits ships with scikit-learn; `data_dir` is for the other data sets")
        return digits_images()
    folder = folder or (Path(named) if (named := os.environ.get(FOLDER_VARIABLE)) else None)
    if folder is None:
        return hub_images(known)
    return cifar_images(folder) if known is Data.CIFAR10 else idx_images(known, folder)
