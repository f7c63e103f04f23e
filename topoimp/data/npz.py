"""A data set of the user's own: an .npz file with four arrays, named as here or as Keras names them.

Images are bytes, which are divided by 255, or floats, which are not scaled: (n, height, width) if grey, else with 1 or
3 channels as the last axis, or as the second where that is not ambiguous. Pickled arrays are refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topoimp.data.images import Images, from_bytes, reason_of
from topoimp.errors import DataError

NAMES = ("train_images", "train_labels", "test_images", "test_labels")
KERAS_NAMES = ("x_train", "y_train", "x_test", "y_test")

MOST_CLASSES = 1_000_000
"""Limit of the labels: more classes need a larger network than ``train`` makes."""

_CHANNELS = (1, 3)

_LISTED = f"{', '.join(NAMES[:3])} and {NAMES[3]} (or {', '.join(KERAS_NAMES[:3])} and {KERAS_NAMES[3]})"


@dataclass(frozen=True)
class _Stored:
    """An array of the file, of any type and shape; messages call it ``place``."""

    name: str
    place: str
    array: NDArray[Any]


def npz_images(path: Path) -> Images:
    """Return the data set in an .npz file, named after the file; raise a DataError if it is not whole."""
    stored = _stored(path)
    train_images, train_labels = _part(*stored[:2])
    test_images, test_labels = _part(*stored[2:])
    if train_images.shape[1:] != test_images.shape[1:]:
        sizes = [" x ".join(map(str, images.shape[1:])) for images in (test_images, train_images)]
        found = f"has images of {sizes[0]}, but those of {stored[0].name!r} have {sizes[1]}"
        raise DataError(f"{stored[2].place} {found}; one size is needed")
    return Images(path.stem, train_images, train_labels, test_images, test_labels)


def _stored(path: Path) -> list[_Stored]:
    """Read the four arrays, in the order of ``NAMES``."""
    try:
        with path.open("rb") as file:  # numpy does not close a file that it cannot read
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: is a single array; an .npz file with {_LISTED} is needed")
            return _chosen(loaded, path)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; an .npz file with {_LISTED} is needed") from error
    except Exception as error:  # a damaged file can raise anything
        raise DataError(f"{path}: is no .npz file that can be read ({_reason(error)})") from error


def _chosen(archive: np.lib.npyio.NpzFile, path: Path) -> list[_Stored]:
    for names in (NAMES, KERAS_NAMES):
        if set(names) <= set(archive.files):
            return [_Stored(name, f"{path}: array {name!r}", _array(archive, name, path)) for name in names]
    raise DataError(f"{path}: holds {', '.join(archive.files) or 'no arrays'}; {_LISTED} are needed")


def _array(archive: Mapping[str, Any], name: str, path: Path) -> NDArray[Any]:
    try:
        array = archive[name]
    except Exception as error:  # a damaged member can raise anything
        raise DataError(f"{path}: array {name!r} cannot be read ({_reason(error)})") from error
    if not isinstance(array, np.ndarray):  # numpy returns other members as bytes
        raise DataError(f"{path}: array {name!r} is no array in numpy's format")
    return array


def _reason(error: Exception) -> str:
    # numpy's own message says how to load pickled objects unsafely
    return "pickled objects are not loaded" if "allow_pickle" in str(error) else reason_of(error)


def _part(images: _Stored, labels: _Stored) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    pixels, classes = _pixels(images), _classes(labels)
    if len(pixels) != len(classes):
        found = f"holds {len(classes)} labels, but {images.name!r} {len(pixels)} images"
        raise DataError(f"{labels.place} {found}; one each is needed")
    return pixels, classes


def _pixels(images: _Stored) -> NDArray[np.float32]:
    array = _channels_first(images)
    if array.dtype == np.uint8:
        return from_bytes(array)
    if array.dtype.kind != "f":
        raise DataError(f"{images.place} is of type {array.dtype}; uint8 (0 to 255) or floats are needed")
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        pixels = np.array(array, np.float32, order="C")
    is_whole = np.isfinite(pixels).all(axis=(1, 2, 3))
    if not is_whole.all():
        found = f"holds NaN, or numbers that are not finite as float32, the first in image {int(is_whole.argmin())}"
        raise DataError(f"{images.place} {found}; images need finite numbers")
    return pixels


def _channels_first(images: _Stored) -> NDArray[Any]:
    """Return images as (n, channels, height, width); an ambiguous shape has its channels last."""
    array = images.array
    if 0 not in array.shape:
        if array.ndim == 3:
            return array[:, np.newaxis]
        if array.ndim == 4 and array.shape[3] in _CHANNELS:
            return array.transpose(0, 3, 1, 2)
        if array.ndim == 4 and array.shape[1] in _CHANNELS:
            return array
    raise DataError(
        f"{images.place} has the shape {array.shape}; (n, height, width), (n, height, width, channels) or"
        " (n, channels, height, width) is needed, with 1 or 3 channels and nothing empty"
    )


def _classes(labels: _Stored) -> NDArray[np.int64]:
    array = labels.array
    if array.ndim not in (1, 2) or array.shape[1:] not in ((), (1,)) or len(array) == 0:
        raise DataError(f"{labels.place} has the shape {array.shape}; (n,) or (n, 1) is needed, and n above 0")
    if array.dtype.kind not in "iu":
        raise DataError(f"{labels.place} is of type {array.dtype}; integers are needed")
    if array.min() < 0 or array.max() >= MOST_CLASSES:
        found = f"holds labels from {array.min()} to {array.max()}"
        raise DataError(f"{labels.place} {found}; classes from 0, and fewer than {MOST_CLASSES:,}, are needed")
    return array.reshape(-1).astype(np.int64)
