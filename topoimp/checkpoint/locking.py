"""Lock files and folders against other processes, and wait for a lock whose owner is ending.

A lock ends with the process that holds it, however that ends. File systems without locks are used without, and on some
a lock holds within one machine alone (``topoimp.checkpoint.machines``).
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from topoimp.checkpoint.machines import host_name, this_machine

PATIENCE, PATIENCE_ELSEWHERE, _PAUSE = 30.0, 120.0, 0.05
"""Seconds for which a lock is waited for whose owner is ending, or is on another machine, and between two tries."""

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors by which a file system says that it has no locks."""


class LockState(Enum):
    """Whether a lock is held by this process, by another, or cannot be had on the file system."""

    HELD = auto()
    TAKEN = auto()
    UNSUPPORTED = auto()


@contextmanager
def locked(path: Path, *, waits: bool = False, makes: bool = False) -> Iterator[LockState]:
    """Lock a file or folder within the context; with ``waits`` also after another process.

    With ``makes`` a file that does not exist is made.
    """
    how = os.O_RDONLY if path.is_dir() else os.O_RDWR  # NFS locks only what may be written
    descriptor = os.open(path, how | (os.O_CREAT if makes else 0), 0o666)
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


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock.

    Args:
        process: its id.
        host: the name of its machine.
        is_elsewhere: it is on another machine, which does not tell whether it is ending.
        is_ending: the process that started it has ended, or itself has and the kernel still cleans up.
    """

    process: int
    host: str
    is_elsewhere: bool
    is_ending: bool

    def __str__(self) -> str:
        """Return how messages name it."""
        return f"process {self.process} on {self.host}" if self.is_elsewhere else f"process {self.process}"


@contextmanager
def owned(
    path: Path,
    *,
    patience: float = PATIENCE,
    patience_elsewhere: float = PATIENCE_ELSEWHERE,
    on_wait: Callable[[Owner], None] = lambda _owner: None,
) -> Iterator[LockState]:
    """Lock a file, made if need be, within the context and record this process in it; wait for an owner that is ending.

    An owner on another machine may be ending, and is waited for too: a cluster starts a job again elsewhere while the
    first machine still cleans up. The lock of any other owner is ``TAKEN`` at once. Before waiting, ``on_wait`` is
    called with the owner.

    Raises:
        OSError: if the lock file cannot be written.
    """
    begin = time.monotonic()
    is_waiting = False
    while True:
        with locked(path, makes=True) as state:
            if state is not LockState.TAKEN:
                _record_owner(path)
                yield state
                return

        # Another process has it.
        owner = owner_of(path)
        limit = 0.0 if owner is None else patience_elsewhere if owner.is_elsewhere else patience
        if owner is None or not (owner.is_ending or owner.is_elsewhere) or time.monotonic() > begin + limit:
            yield LockState.TAKEN
            return
        if not is_waiting:
            on_wait(owner)
            is_waiting = True
        time.sleep(_PAUSE)


_ends_with: list[int] = []
"""The process with which this one ends, if there is one."""


def ends_with(parent: int) -> None:
    """Note that this process ends with the one that started it: once that has ended, its locks are waited for."""
    _ends_with[:] = [parent]


def _record_owner(path: Path) -> None:
    """Write the machine, then this process and, if it ends with another, that one: process id and time of start."""
    processes = [os.getpid(), *_ends_with]
    lines = [f"{this_machine()} {host_name()}", *(f"{process} {_started(process)}" for process in processes)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def owner_of(path: Path) -> Owner | None:
    """Return the process that a lock file names; None if it names none."""
    try:
        lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines()]
        (machine, host), *processes = lines
        started = {int(process): start for process, start in processes}
    except (OSError, ValueError):  # removed, or of an older version
        return None
    if not started:
        return None
    is_elsewhere = machine != this_machine()
    is_ending = not is_elsewhere and any(_started(process) != start for process, start in started.items())
    return Owner(next(iter(started)), host, is_elsewhere, is_ending)


def _started(process: int) -> str | None:
    """Return when a process started, in ticks since the machine did where the system tells; None if it has ended."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if state in "ZX" else fields[18]
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends while its entry is read
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # it runs, as another user
        pass
    return "unknown"
