"""Where object code is kept: beside the code it was made of, or, where that cannot be written, with the user's caches.

``NUMBA_CACHE_DIR`` overrides both, as it does for numba itself. Where nothing can be written, nothing is kept.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path


class Place:
    """The file that keeps one piece of object code, wherever it is.

    Args:
        source: the file with the function it is made of.
        name: of the function.
        made_for: all that code of the same function may differ by.
    """

    def __init__(self, source: Path, name: str, made_for: str) -> None:
        # Part of the name is what may be there side by side. What only goes out of date is part of the seal instead:
        # it is then overwritten.
        differs_by = f"{source} {made_for} {sys.implementation.cache_tag}"
        self._source = source
        self._file = f"{source.stem}.{name}-{_digest(differs_by.encode()).hex()[:24]}.o"

    def load(self) -> bytes | None:
        """Give the object code, if it is there, whole, and made of the code as it is now."""
        for folder in self._folders():
            with suppress(OSError):
                sealed = (folder / self._file).read_bytes()
                seal, code = sealed[:_SEAL], sealed[_SEAL:]
                if seal == self._seal(code):
                    return code
        return None

    def store(self, code: bytes) -> None:
        """Keep object code in the first folder that can be written, if there is one."""
        for folder in self._folders():
            with suppress(OSError):
                _write(folder / self._file, self._seal(code) + code)
                return

    def _folders(self) -> Iterator[Path]:
        if chosen := os.environ.get("NUMBA_CACHE_DIR"):
            yield Path(chosen) / "topoimp"
            return
        yield self._source.parent / "__pycache__"
        with suppress(RuntimeError):  # there is no home
            yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "topoimp"

    def _seal(self, code: bytes) -> bytes:
        return _digest(_sources(self._source.parent) + code)


_SEAL = hashlib.sha256().digest_size


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@cache
def _sources(folder: Path) -> bytes:
    """Give a digest of all that object code is made of: the functions, what compiles them, and numba."""
    files = [*sorted(folder.glob("*.py")), *sorted(Path(__file__).parent.glob("*.py")), _numba_version()]
    return _digest(b"".join(_digest(file.read_bytes()) for file in files))


def _numba_version() -> Path:
    """Give the file that says which numba is installed; importlib.metadata says it as well, but takes its time."""
    numba = find_spec("numba")
    if numba is None or numba.origin is None:
        raise FileNotFoundError("numba")
    return Path(numba.origin).with_name("_version.py")


def _write(path: Path, data: bytes) -> None:
    """Write a file that others see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}")  # no other process writes the same
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
