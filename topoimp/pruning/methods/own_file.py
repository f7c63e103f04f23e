"""A function in a Python file, named as ``FILE.py:FUNCTION``.

The file is run as code, with the rights of the user, and only if the user names it. It is read once; its checksum
identifies it, so that rounds never go on with another version of it.
"""

import hashlib
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from topoimp.errors import MethodError, OptionError


@dataclass(frozen=True)
class FileFunction:
    """A function of a Python file; another process that gets it runs the file again."""

    path: Path
    name: str
    sha256: str

    def __call__(self, weights: Mapping[str, NDArray[Any]]) -> Mapping[str, Any]:
        """Return the result of the function.

        Raises:
            MethodError: if the file has changed since it was named.
        """
        scores: Mapping[str, Any] = _function_in(self.path, self.name, self.sha256)(weights)
        return scores


def is_file_function(text: str) -> bool:
    """Return whether a text names a function of a file, not a built-in method."""
    return text.rpartition(":")[0].endswith(".py")


def file_function(text: str) -> FileFunction:
    """Return the function that a text names as ``FILE.py:FUNCTION``; the file is run.

    Raises:
        OptionError: if there is no such file, it cannot be run, or it has no such function.
    """
    file, _, name = text.rpartition(":")
    path = Path(file).absolute()
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise OptionError(f"`method` names the file {file}, which cannot be read: {error.strerror}") from error

    _function_in(path, name, sha256)
    return FileFunction(path, name, sha256)


@lru_cache
def _function_in(path: Path, name: str, sha256: str) -> Any:  # Any: a function of the user
    """Return a function of a file with this checksum."""
    code = path.read_bytes()
    if hashlib.sha256(code).hexdigest() != sha256:
        raise MethodError(f"{path}: changed since it was named as `method`; all rounds need the same function")

    module = ModuleType(f"topoimp_method_{sha256[:12]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickle look it up there
    try:
        exec(compile(code, str(path), "exec"), module.__dict__)  # noqa: S102  # the user named it, to be run
    except Exception as error:
        line = error.lineno if isinstance(error, SyntaxError) else traceback.extract_tb(error.__traceback__)[-1].lineno
        raise OptionError(f"{path}: cannot be run: {type(error).__name__} at line {line}: {error}") from error

    function = getattr(module, name, None)
    if not callable(function):
        raise OptionError(f"{path}: has no function {name!r}; `method` is FILE.py:FUNCTION")
    return function
