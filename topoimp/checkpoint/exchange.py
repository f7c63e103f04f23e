"""Exchanging two folders in one step, which the standard library has no call for.

Linux (renameat2) and macOS (renamex_np) can do it atomically: at no moment is there nothing at either place.
"""

import ctypes
import os
import sys
from pathlib import Path

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_RENAME_SWAP = 2


def exchange(first: Path, second: Path) -> None:
    """Exchange what lies at two paths of one file system.

    Where the system or the file system cannot do it in one step, it is done in three renames: a process that is killed
    in between leaves what was at ``second`` beside it, under the name of ``first`` and ``.old``.

    Raises:
        OSError: if it cannot be done.
    """
    if not _exchange_at_once(os.fsencode(first), os.fsencode(second)):
        aside = first.with_name(f"{first.name}.old")
        second.rename(aside)
        first.rename(second)
        aside.rename(first)


def _exchange_at_once(first: bytes, second: bytes) -> bool:
    """Give whether the system could; whatever its reason not to be able, the renames find out what it is."""
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        return hasattr(library, "renamex_np") and library.renamex_np(first, second, _RENAME_SWAP) == 0
    return (
        hasattr(library, "renameat2")
        and library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE)) == 0
    )
