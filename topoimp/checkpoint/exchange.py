"""Exchanging two folders atomically, by renameat2 (Linux) or renamex_np (macOS): neither path is ever empty."""

import ctypes
import os
import sys
from pathlib import Path

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_RENAME_SWAP = 2


def exchange(first: Path, second: Path) -> None:
    """Exchange two files or folders of one file system.

    Where no atomic exchange exists, three renames do it: a process that is killed between them leaves the content of
    ``second`` beside it, under the name of ``first`` with ``.old``.

    Raises:
        OSError: if a rename fails.
    """
    if not _exchange_at_once(os.fsencode(first), os.fsencode(second)):
        aside = first.with_name(f"{first.name}.old")
        second.rename(aside)
        first.rename(second)
        aside.rename(first)


def _exchange_at_once(first: bytes, second: bytes) -> bool:
    """Return whether the system exchanged them; if not, the renames meet the reason."""
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        return hasattr(library, "renamex_np") and library.renamex_np(first, second, _RENAME_SWAP) == 0
    return (
        hasattr(library, "renameat2")
        and library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE)) == 0
    )
