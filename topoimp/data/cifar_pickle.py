"""A batch of the Python version of CIFAR-10: a pickled dictionary, read without running any code stored in it.

Python 2 pickled it: byte strings, a list of labels and one numpy array. A pickle calls the functions that it names; the
array names three of numpy. Here they stand for objects that only record their arguments, from which the array is built,
and any other name is refused.

Source: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html ("Python / Matlab versions").
"""

import io
import pickle
import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import ByteArray
from topoimp.data.images import N_CLASSES, reason_of
from topoimp.errors import DataError

_RECONSTRUCT = ("numpy.core.multiarray", "_reconstruct")
_NDARRAY = ("numpy", "ndarray")
_DTYPE = ("numpy", "dtype")


@dataclass
class _Recorded:
    """Stands for a name in a pickle; records the arguments of a call, and the state, and does nothing else."""

    name: tuple[str, str]
    arguments: tuple[object, ...] = ()
    state: Any = None  # of any type; each use checks it

    def __call__(self, *arguments: object) -> "_Recorded":
        return _Recorded(self.name, arguments)

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    """Builds plain containers and ``_Recorded`` instances; no file can change a class."""

    def find_class(self, module: str, name: str) -> Any:  # as pickle declares it
        if (module, name) in (_RECONSTRUCT, _NDARRAY, _DTYPE):
            return _Recorded((module, name))
        raise pickle.UnpicklingError(f"names {module}.{name}, which no file of CIFAR-10 does")


def unpickled_batch(content: bytes, place: str) -> tuple[ByteArray, NDArray[np.int64]]:
    """Return the images of a batch as rows, uint8, shape (n, pixels), read-only, and their labels, shape (n,).

    Content that is no such pickle is a DataError; its message calls it ``place``.
    """
    try:
        _check_numbering(content)
        batch = _Reader(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged file can raise anything
        raise DataError(f"{place}: is no pickled batch of CIFAR-10 that can be read ({reason_of(error)})") from error
    if not isinstance(batch, dict) or not {b"data", b"labels"} <= batch.keys():
        raise DataError(f"{place}: holds no dictionary with data and labels; a pickled batch of CIFAR-10 is needed")
    labels = batch[b"labels"]
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < N_CLASSES for label in labels):
        raise DataError(f"{place}: has labels that are no list of numbers from 0 to {N_CLASSES - 1}")
    return _byte_rows(batch[b"data"], place), np.array(labels, np.int64)


def _check_numbering(content: bytes) -> None:
    """Refuse object numbers beyond the file size: pickle allocates room up to the largest number."""
    for opcode, number, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and number and number > len(content):
            raise pickle.UnpicklingError(f"numbers an object {number}")


def _byte_rows(stored: object, place: str) -> ByteArray:
    """Return the array that a pickle describes; its state is version, shape, type, Fortran order or not, bytes."""
    match stored:
        case _Recorded(
            name=name,
            state=(1, (int(rows), int(columns)), _Recorded(name=kind, arguments=(b"u1", *_)), fortran, bytes(raw)),
        ) if name == _RECONSTRUCT and kind == _DTYPE and min(rows, columns) >= 0 and rows * columns == len(raw):
            return np.frombuffer(raw, np.uint8).reshape((rows, columns), order="F" if fortran else "C")
    raise DataError(f"{place}: has data that are no array of bytes with two axes")
