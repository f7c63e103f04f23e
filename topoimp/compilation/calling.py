"""How compiled functions are called: what numba's machine code takes and gives.

It gives a status and takes a pointer to the results, a pointer to what describes an exception, and the arguments. An
array becomes two owners (of whom it has none here), its size, the size of an item, a pointer, its shape and its
strides, whatever its items are; an integer stays what it is, and is the one kind of number that is passed alone.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, get_args

import numpy as np

Kind: TypeAlias = tuple[np.dtype[Any], int]
"""What code is compiled for: the type of an argument, and how many dimensions it has; 0 is a single number."""

INTEGER: Kind = (np.dtype(np.int64), 0)
"""What Python's integers are passed as, and what results are."""

_ALLOWED = "iub"
_POINTER = ctypes.c_void_p


def kinds_and_values(arguments: Sequence[Any]) -> tuple[tuple[Kind, ...], list[Any]]:
    """Give the kinds of some arguments, and what is passed for them. Whether an array is read-only is no difference.

    An integer is passed as 64 bits: what is beyond them is lost.

    Raises:
        TypeError: if an array is not contiguous, row by row.
    """
    kinds: list[Kind] = []
    values: list[Any] = []
    for argument in arguments:
        if isinstance(argument, int):
            kinds.append(INTEGER)
            values.append(argument)
            continue
        n_dimensions = argument.ndim
        kinds.append((argument.dtype, n_dimensions))
        if n_dimensions == 0:
            values.append(int(argument))
            continue
        flags = argument.flags
        if not (flags.c_contiguous and flags.aligned):
            raise TypeError("a compiled function takes contiguous arrays")
        values += (None, None, argument.size, argument.itemsize, address(argument), *argument.shape, *argument.strides)
    return tuple(kinds), values


def address(array: np.ndarray) -> int | None:
    """Give where an array's items are: what ``array.ctypes.data`` says, which takes longer than all else of a call.

    numpy keeps it right behind what every object of Python begins with; extensions are compiled to find it there.
    """
    return _POINTER.from_address(id(array) + object.__basicsize__).value


def check_kinds(kinds: Sequence[Kind]) -> None:
    """Refuse what is passed in another way than integers, and items that are not known to work.

    Raises:
        TypeError: if a kind is neither integers, nor truth values, nor an array of float64, in the machine's own order
            of bytes.
    """
    for dtype, n_dimensions in kinds:
        is_known = dtype.kind in _ALLOWED or (n_dimensions > 0 and dtype == np.float64)
        if not is_known or not dtype.isnative:
            what = "arrays of integers, truth values and float64" if n_dimensions else "integers and truth values"
            raise TypeError(f"a compiled function takes {what}, not {dtype}")


def c_types(kinds: Sequence[Kind]) -> Iterator[Any]:
    """Give the types of everything that machine code takes."""
    yield from (ctypes.c_void_p, ctypes.c_void_p)
    for dtype, n_dimensions in kinds:
        if n_dimensions == 0:
            yield np.ctypeslib.as_ctypes_type(dtype)
        else:
            yield from (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
            yield from [ctypes.c_int64] * (2 * n_dimensions)


def n_results(function: Callable[..., Any]) -> int:
    """Give how many integers a function returns, from its annotation: none, one, or a tuple of them."""
    annotation = function.__annotations__["return"]
    return 0 if annotation is None else len(get_args(annotation)) or 1
