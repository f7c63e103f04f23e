"""Where the files of a data set lie: in the folder that the user names, or in its sub-folder of the data set's name.

So one folder can hold all data sets: ``datasets/mnist``, ``datasets/fashion-mnist``, ``datasets/cifar10``.
"""

from collections.abc import Collection
from pathlib import Path

from topoimp.choices import Data
from topoimp.errors import DataError


def home_of(data: Data, folder: Path, names: Collection[str]) -> Path:
    """Give the folder that a data set is to be read from.

    Args:
        data: the data set.
        folder: as the user names it.
        names: of the files by which the data set is recognised; any of them will do.

    Returns:
        The folder itself if it holds one of the files, or has no sub-folder named as the data set; else the sub-folder.

    Raises:
        DataError: if there is no such folder, or it cannot be read.
    """
    present = names_in(folder)
    below = folder / data.value
    return below if present.isdisjoint(names) and data.value in present and below.is_dir() else folder


def names_in(folder: Path) -> set[str]:
    """Give the names of what lies in a folder.

    Raises:
        DataError: if there is no such folder, or it cannot be read.
    """
    try:
        return {path.name for path in folder.iterdir()}
    except OSError as error:
        raise DataError(f"{folder}: cannot be read as a folder of data: {error.strerror}") from error
