"""The strength of each input at the start of its paths, for the method ``paths``: a word, a file or an array."""

from dataclasses import dataclass, field
from hashlib import sha256
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.choices import PathInputs
from topoimp.errors import OptionError


@dataclass(frozen=True)
class InputStrengths:
    """Strengths of the inputs that a user gives; two are equal if all strengths are.

    Args:
        value: a word for them, which their numbers decide.
        strengths: for each input, finite and at least 0.
        origin: their file, for messages.
    """

    value: str
    strengths: FloatArray = field(compare=False, repr=False)
    origin: str = field(compare=False)

    def check_fits(self, n_inputs: int) -> None:
        """Raise an OptionError if a network has another number of inputs."""
        if len(self.strengths) != n_inputs:
            raise OptionError(f"{self.origin} has {len(self.strengths)} strengths; the network has {n_inputs} inputs")


InputsOption: TypeAlias = PathInputs | InputStrengths | FloatArray | PathLike[str] | str
"""Strengths as users name them: ``ones``, ``data``, a .npy file, or an array."""


def path_inputs(inputs: InputsOption) -> PathInputs | InputStrengths:
    """Return the word ``ones`` or ``data``, or the strengths of a .npy file or an array of any shape, by flat index.

    Raises:
        OptionError: if it is none of these, or a strength is negative or not finite.

    >>> path_inputs("data")
    <PathInputs.DATA: 'data'>
    >>> path_inputs(np.ones(3)) == path_inputs(np.ones((3, 1), np.float32))
    True
    """
    if isinstance(inputs, InputStrengths | PathInputs):
        return inputs
    if isinstance(inputs, str) and inputs in list(PathInputs):
        return PathInputs(inputs)
    is_path = isinstance(inputs, str | PathLike)
    origin = fspath(inputs) if isinstance(inputs, str | PathLike) else "`inputs`"
    return _strengths(_read(Path(origin)) if is_path else np.asarray(inputs), origin)


def _read(path: Path) -> Any:  # Any: an array of any type
    """Return the array of a .npy file."""
    needed = "it must be ones, data, or a .npy file with the strength of each input"
    if not path.is_file():
        raise OptionError(f"`inputs` is {path}, and there is no such file; {needed}")
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise OptionError(f"`inputs` is {path}, which is no array of numbers; {needed}") from error


def _strengths(array: Any, origin: str) -> InputStrengths:  # Any: an array of any type
    if array.dtype.kind not in "iuf" or not array.size:
        raise OptionError(f"{origin} has {array.size} values of type {array.dtype}; it must have numbers")
    strengths = np.array(array, dtype="<f8").reshape(-1)
    wrong = np.flatnonzero(~(np.isfinite(strengths) & (strengths >= 0)))
    if len(wrong):
        number, value = wrong[0], strengths[wrong[0]]
        raise OptionError(f"{origin}: the strength of input {number} is {value}; it must be finite and at least 0")
    return InputStrengths(f"inputs-{sha256(strengths.tobytes()).hexdigest()[:12]}", strengths, origin)
