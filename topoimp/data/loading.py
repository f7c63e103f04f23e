"""From the word that a user chooses a data set by to its images."""

from pathlib import Path

from topoimp.choices import Data
from topoimp.data.digits import digits_images
from topoimp.data.idx import idx_images
from topoimp.data.images import Images
from topoimp.errors import OptionError


def load_images(data: Data | str, folder: Path | None = None) -> Images:
    """Give a data set.

    Args:
        data: ``digits`` is embedded in scikit-learn: 1,797 images of 8x8, of which 360 are for testing. ``mnist`` and
            ``fashion-mnist`` are read from their published files.
        folder: where published files lie, or sub-folders named as the data sets.

    Raises:
        OptionError: if there is no such data set, or it is read from no folder but one is named.
        DataError: if a file is missing or is not what it should be.
    """
    if data not in list(Data):
        raise OptionError(f"there is no data set {str(data)!r}; known are {', '.join(Data)}")
    known = Data(str(data))
    if known is Data.DIGITS:
        if folder is not None:
            raise OptionError("digits is embedded and read from no folder; --data-dir is for the other data sets")
        return digits_images()
    if folder is None:
        raise OptionError(f"{known} is read from its four published .gz files; --data-dir must name their folder")
    return idx_images(known, folder)
