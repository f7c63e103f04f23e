"""The folder of a data set's files: the folder that the user names, or its sub-folder with the name of the data set.

One folder can hold all data sets: ``datasets/mnist``, ``datasets/fashion-mnist``, ``datasets/cifar10``.
"""

from collections.abc import Collection
from pathlib import Path

from topoimp.choices import Data
from topoimp.errors import DataError


def home_of(data: Data, folder: Path, names: Collection[str]) -> Path:
    """Return the folder that holds the files of a data set.

    Args:
        data: the data set.
        folder: the folder that the user names.
        names: file names that identify the data set; one of them is enough.

    Returns:
        the folder itself if it holds one of the files, or has no sub-folder named as the data set; else the sub-folder.

    Raises:
        DataError: if there is no such folder, or it cannot be read.
    """
    present = names_in(folder)
    below = folder / data.value
    return below if present.isdisjoint(names) and data.value in present and below.is_dir() else folder


def names_in(folder: Path) -> set[str]:
    """Return the names of the files and folders in a folder.

    Raises:
        DataError: if there is no such folder, or it cannot be read.
    """
    try:
        return {path.name for path in folder.iterdir()}
    except OSError as error:
        raise DataError(f"{folder}: cannot be read as a folder of data: {error.strerror}") from error
