"""Write outputs atomically: all of them appear whole, or none.

Each file or folder is written beside its final place, as ``NAME.partial-HOST-PROCESS-MACHINE-1a2b3c4d``. Once all are
written and checked, they are synced and renamed in the given order: the last one is the commit mark, which exists only
if the others do. The process that writes a partial output holds a lock on it. A killed process leaves unlocked ones.
The next run that writes the same output removes those of its own machine. It removes those of another machine only if
the file system is known to share its locks and they have been as they are for an hour: others may be at work there.
"""

import ctypes
import os
import re
import secrets
import shutil
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path

from topoimp.checkpoint.locking import LockState, locked
from topoimp.checkpoint.machines import host_name, shares_locks, this_machine
from topoimp.errors import OutputError
from topoimp.stores import Address, as_place

_RENAME_EXCHANGE, _RENAME_SWAP, _AT_FDCWD = 2, 2, -100
"""Arguments of renameat2 (Linux) and renamex_np (macOS): exchange two paths, relative to the current folder."""


class Staging:
    """A set of outputs: a context in which they are written under temporary names, then committed.

    Args:
        targets: the final paths, the commit mark last.
        force: replace existing outputs.
        folders: the targets that are folders.
        needed: by target, the bytes that it will take, if known.
        makes_folders: make the folders that targets are to lie in; those that stay empty are removed again.

    Raises:
        OutputError: if a target exists without ``force``, is no file or folder as it should be, is named twice, or
            cannot be written; or if a disk has too little room.
    """

    def __init__(
        self,
        targets: Sequence[Path],
        *,
        force: bool,
        folders: Collection[Path] = (),
        needed: Mapping[Path, int] | None = None,
        makes_folders: bool = False,
    ) -> None:
        self._targets = [Path(target) for target in targets]
        self._folders = {Path(folder) for folder in folders}
        self._force = force
        self._needed = dict(needed or {})
        self._makes_folders = makes_folders
        self._made: list[Path] = []
        self._locks = ExitStack()
        self._suffix = f"{PARTIAL}{host_name()}-{os.getpid()}-{this_machine()}-{secrets.token_hex(4)}"
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="topoimp-sync")
        self._syncs: list[Future[None]] = []

    def __enter__(self) -> "Staging":
        _open.add(self)
        try:
            for target in self._targets:
                self._begin(target)
            self._check_space()
        except BaseException:  # an interruption too: __exit__ does not run then
            self._clean_up()
            raise
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        self._clean_up()
        if isinstance(error, OSError):  # such as a full disk; errors of reading are not OSErrors
            raise OutputError(f"{self._targets[-1]}: cannot be written: {error.strerror or error}") from error

    def partial(self, target: Path) -> Path:
        """Return the temporary path under which to write ``target``."""
        return target.with_name(f"{target.name}{self._suffix}")

    def begin_sync(self, target: Path) -> None:
        """Sync a partial output in the background, unless a sync is running; ``commit`` syncs the rest."""
        if not self._syncs or self._syncs[-1].done():
            self._syncs.append(self._pool.submit(_sync_all, self.partial(target)))

    def commit(self) -> None:
        """Sync every output and move it to its final place, in order; runs that commit at the same time take turns."""
        for target in self._targets:
            if self._is_empty(target):
                raise ValueError(f"{target}: nothing was written to it")

        for sync in self._syncs:
            sync.result()
        for target in self._targets:
            _sync_all(self.partial(target))

        # Another run may have made the same outputs meanwhile.
        with locked(self._targets[-1].parent, waits=True):
            for target in self._targets:
                self._check(target)
            for target in self._targets:
                self._move(target)
        for folder in {target.parent for target in self._targets}:
            _sync(folder)

    def _begin(self, target: Path) -> None:
        with writable(target):
            self._check(target)
            if self._makes_folders:
                self._make_folders(target.parent)
            _remove_leftovers(target)
            self._claim(target)

    def _make_folders(self, folder: Path) -> None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            self._made.append(each)

    def _claim(self, target: Path) -> None:
        """Make and lock the partial output, so that no other process removes it as a leftover."""
        partial = self.partial(target)
        state = LockState.TAKEN
        while state is LockState.TAKEN:  # again, if it was removed just before it was locked
            if target in self._folders:
                partial.mkdir(exist_ok=True)
            else:
                partial.touch()
            with suppress(FileNotFoundError):
                state = self._locks.enter_context(locked(partial))

    def _check(self, target: Path) -> None:
        check_is_here(target)
        places = [place.parent.resolve() / place.name for place in self._targets]
        if places.count(target.parent.resolve() / target.name) > 1:
            raise OutputError(f"{target}: named for two outputs; each needs a name of its own")
        if target in self._folders:
            if target.exists() and not target.is_dir():
                raise OutputError(f"{target}: is a file; the output is a folder")
        elif target.is_dir():
            raise OutputError(f"{target}: is a folder; the output is a file")
        elif target.exists() and not target.is_file():
            raise OutputError(f"{target}: is no regular file; the output is one")
        if os.path.lexists(target) and not self._force:
            raise OutputError(f"{target}: exists already; `force` replaces it")

    def _check_space(self) -> None:
        """Check that the disks have room, after leftovers are removed and before anything is computed."""
        needed: Counter[int] = Counter()
        for target, size in self._needed.items():
            disk = target.parent.stat().st_dev
            needed[disk] += size
            free = shutil.disk_usage(target.parent).free
            if needed[disk] > free:
                sizes = f"{needed[disk] / 1e6:,.1f} MB are to be written there, and {free / 1e6:,.1f} MB are free"
                raise OutputError(f"{target}: {sizes}")

    def _is_empty(self, target: Path) -> bool:
        partial = self.partial(target)
        return not any(partial.iterdir()) if target in self._folders else partial.stat().st_size == 0

    def _move(self, target: Path) -> None:
        partial = self.partial(target)
        if target in self._folders and target.exists():
            _exchange(partial, target)  # _clean_up removes the replaced folder
        else:
            partial.replace(target)

    def _clean_up(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)  # a sync can take long, and may go on without its file
        self.remove_partial()
        self._locks.close()
        _open.discard(self)

    def remove_partial(self) -> None:
        """Remove the partial outputs, and the folders that were made for them and stayed empty."""
        for target in self._targets:
            with suppress(OSError):
                remove(self.partial(target))
        for folder in reversed(self._made):
            with suppress(OSError):  # it holds an output
                folder.rmdir()


def check_is_here(target: Path) -> None:
    """Raise an OutputError if an output is to lie in a store."""
    if isinstance(as_place(target), Address):
        needed = "outputs are written to this machine, and the store's own tools copy them there"
        raise OutputError(f"{as_place(target)}: is in a store; {needed}")


@contextmanager
def writable(target: Path) -> Iterator[None]:
    """Raise an OutputError that names the target if the system refuses to access it within the context."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # a RuntimeError for a loop of symbolic links
        raise OutputError(f"{target}: cannot be written: {getattr(error, 'strerror', None) or error}") from error


_open: set[Staging] = set()
"""The contexts that this process is in."""


def remove_partial_outputs() -> None:
    """Remove the partial outputs of this process, which is about to end without leaving its contexts."""
    for staging in list(_open):
        staging.remove_partial()


PARTIAL = ".partial-"
"""Between the name of an output and the words for the process that writes it."""

_WRITER = re.compile(rf"{re.escape(PARTIAL)}\w+-[0-9]+-([0-9a-f]{{8}})-[0-9a-f]{{8}}")

_OLD = 3600.0
"""Seconds for which the partial output of another machine has not changed before it is taken for a leftover."""


def _remove_leftovers(target: Path) -> None:
    """Remove the partial outputs of a target that surely no process works on."""
    for leftover in target.parent.glob(f"{escape(target.name)}{PARTIAL}*"):
        with suppress(OSError), locked(leftover) as state:  # removed meanwhile, or no permission
            if state is LockState.HELD and (_is_of_this_machine(leftover) or _is_of_the_past(leftover)):
                remove(leftover)


def _is_of_this_machine(partial: Path) -> bool:
    found = _WRITER.search(partial.name)
    return found is not None and found[1] == this_machine()


def _is_of_the_past(partial: Path) -> bool:
    """Return whether a partial output that this process has locked has no writer on any machine, for an hour."""
    entries = partial.rglob("*") if partial.is_dir() else ()
    changed = max(path.lstat().st_mtime for path in (partial, *entries))
    return shares_locks(partial) and time.time() - changed > _OLD


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with everything in it, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_all(path: Path) -> None:
    """Sync a file, or a folder with everything in it."""
    for entry in path.iterdir() if path.is_dir() else ():
        with suppress(FileNotFoundError):  # a file that its writer has removed meanwhile
            _sync_all(entry)
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(first: Path, second: Path) -> None:
    """Exchange two files or folders of one file system, atomically where the system can: neither path is ever empty.

    Elsewhere, a process killed between the renames leaves ``second`` under the name of ``first`` with ``.old``.
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
