"""Arrays by name in one .npz file, as numpy reads it; the same bytes for the same arrays."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from topoimp.errors import OutputError


def write_npz(path: Path, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write arrays of distinct names without compression, one at a time: an iterator needs memory for one array only.

    Raises:
        OutputError: if a name holds the character NUL, which ends a name in such a file.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays:
            if "\0" in name:
                raise OutputError(f"{name!r} is no name for an array in an .npz file; it holds NUL, which ends names")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                npy_format.write_array(entry, np.asanyarray(array), allow_pickle=False)
