"""Lock files and folders against other processes, and wait for a lock whose owner is ending.

A lock ends with the process that holds it, however that ends. File systems without locks are used without.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

PATIENCE, _PAUSE = 30.0, 0.05
"""Seconds for which a lock is waited for whose owner is ending, and seconds between two tries."""

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors by which a file system says that it has no locks."""


class LockState(Enum):
    """Whether a lock is held by this process, by another, or cannot be had on the file system."""

    HELD = auto()
    TAKEN = auto()
    UNSUPPORTED = auto()


@contextmanager
def locked(path: Path, *, waits: bool = False, flags: int = os.O_RDONLY) -> Iterator[LockState]:
    """Lock a file or folder, opened with ``flags``, within the context; with ``waits`` also after another process."""
    descriptor = os.open(path, flags, 0o666)
    try:
        yield _state_of_lock(descriptor, path, waits=waits)
    finally:
        os.close(descriptor)


def _state_of_lock(descriptor: int, path: Path, *, waits: bool) -> LockState:
    """Lock an open file; ``TAKEN`` also if the path leads to another one by the time that it is locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return LockState.TAKEN
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return LockState.UNSUPPORTED
    return LockState.HELD if os.path.samestat(os.fstat(descriptor), path.stat()) else LockState.TAKEN


@contextmanager
def owned(
    path: Path, *, patience: float = PATIENCE, on_wait: Callable[[int], None] = lambda _process: None
) -> Iterator[LockState]:
    """Lock a file, made if need be, within the context and record this process in it; wait for an owner that is ending.

    An owner is ending once the process that started it has ended, or itself has and the kernel still cleans up. The
    lock of any other owner is ``TAKEN`` at once. Before waiting, ``on_wait`` is called with the owner's process id.

    Raises:
        OSError: if the lock file cannot be written.
    """
    deadline = time.monotonic() + patience
    is_waiting = False
    while True:
        with locked(path, flags=os.O_RDWR | os.O_CREAT) as state:
            if state is not LockState.TAKEN:
                _record_owner(path)
                yield state
                return

        # Another process has it.
        owner, is_ending = _owner_of(path)
        if not is_ending or time.monotonic() > deadline:
            yield LockState.TAKEN
            return
        if not is_waiting:
            on_wait(owner)
            is_waiting = True
        time.sleep(_PAUSE)


def _record_owner(path: Path) -> None:
    """Write this process and, if topoimp started it, its parent: process id and time of start."""
    from multiprocessing import parent_process  # imported here, as most commands take no such lock

    parent = parent_process()
    processes = [os.getpid()] + ([parent.pid] if parent is not None and parent.pid is not None else [])
    path.write_text("".join(f"{process} {_started(process)}\n" for process in processes), encoding="utf-8")


def _owner_of(path: Path) -> tuple[int, bool]:
    """Return the process id of an owner, and whether it or the process that started it has ended."""
    try:
        lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines()]
        processes = [(int(process), started) for process, started in lines]
    except (OSError, ValueError):  # removed, or of an older version
        return 0, False
    is_ending = any(_started(process) != started for process, started in processes)
    return (processes[0][0], is_ending) if processes else (0, False)


def _started(process: int) -> str | None:
    """Return when a process started, in ticks since the machine did where the system tells; None if it has ended."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if state in "ZX" else fields[18]
    except FileNotFoundError:
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # it runs, as another user
        pass
    return "unknown"
