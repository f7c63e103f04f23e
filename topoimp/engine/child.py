"""A task in a process of its own, which ends at once with the one that started it, however that ends.

The process that starts it sends the task, passes its progress on, and asks while it waits whether the task is still
wanted. A process that a signal ends, as systems do when memory is short, is started again, twice.
"""

import ctypes
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from topoimp.errors import EngineError, TopoimpError

if TYPE_CHECKING:  # a process that starts imports nothing that takes long before it can end with its parent
    from topoimp.kernels.threads import OnStep

Task = TypeVar("Task")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

GRACE = 1.5
"""Seconds that a process has to clean up after SIGTERM before it is killed; a trainer that it runs has fewer."""

TRIES = 3
"""Times that a task is begun whose process is ended by a signal."""

_POLL = 0.1
"""Seconds between two questions whether a task is still wanted."""


class Supervisor(Protocol):
    """What a call knows of the one who wants its result."""

    @property
    def threads(self) -> int:
        """The number of threads that the call may use."""

    def is_wanted(self) -> bool:
        """Whether the result is still wanted."""

    def step(self, n_done: int, n_steps: int) -> None:
        """Report progress."""


class Call(Protocol[Result_co]):
    """Work that a thread does under a supervisor; it can be pickled."""

    def __call__(self, supervisor: Supervisor) -> Result_co:
        """Do the work."""


class UnwantedError(Exception):
    """The result of a call is no longer wanted."""


@dataclass(frozen=True)
class InChild(Generic[Result]):
    """Does a task in a child process: ``payload`` is the pickle of a function and its task.

    The child works in ``folder``. A ChildProcessError is a defect of topoimp: the child has printed its traceback.

    Raises:
        EngineError: if signals end the child again and again, or the folder is not there.
        TopoimpError: the error of the task.
        UnwantedError: if the result is no longer wanted.
    """

    payload: bytes
    folder: Path

    @staticmethod
    def of(work: "Callable[[Task, OnStep], Result]", task: Task) -> "InChild[Result]":
        """Return the call of a function of a module with a task, in the current folder."""
        return InChild(pickle.dumps((work, task)), Path.cwd())

    def __call__(self, supervisor: Supervisor) -> Result:
        """Do the task, and once more if a signal ends its process."""
        statuses: list[int] = []
        while len(statuses) < TRIES:
            with _child(self.folder) as (process, connection):
                try:
                    result: Result = _result_from(connection, self.payload, supervisor)
                    return result
                except (EOFError, ConnectionError) as error:
                    statuses.append(process.wait())
                    if statuses[-1] >= 0:
                        found = f"a process that ran a task ended with status {statuses[-1]}"
                        raise ChildProcessError(found) from error
        reason = signal.Signals(-statuses[-1]).name
        raise EngineError(
            f"the process of a task was ended {TRIES} times, at last by {reason}; systems do so when memory is short"
        )


def _result_from(connection: "Connection[Any, Any]", payload: bytes, supervisor: Supervisor) -> Any:
    """Send a task, pass its steps on, and return its result."""
    connection.send_bytes(payload)
    while True:
        if not supervisor.is_wanted():
            raise UnwantedError
        if connection.poll(_POLL):
            kind, content = connection.recv()
            if kind == "step":
                supervisor.step(*content)
            elif kind == "failed":
                raise content
            else:
                return content


@contextmanager
def _child(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", "Connection[Any, Any]"]]:
    """Start a process that waits for a task; end it after the context."""
    ours, theirs = socket.socketpair()
    code = f"import sys; sys.path[:] = {sys.path!r}; from topoimp.engine.child import main; main()"
    command = [sys.executable, "-P", "-c", code, str(theirs.fileno()), str(os.getpid())]
    connection: Connection[Any, Any] = Connection(ours.detach())
    try:
        with _signals_held_back():
            process = subprocess.Popen(  # noqa: S603  # this interpreter
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], cwd=folder
            )
    except FileNotFoundError as error:
        connection.close()
        raise EngineError(f"{folder}: there is no such folder, in which the task was to work") from error
    finally:
        theirs.close()
    try:
        yield process, connection
    finally:
        _end(process)
        connection.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process: by SIGTERM, so that it cleans up, then by SIGKILL."""
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Hide Ctrl-C from a process that starts within the context, until it has arranged how to answer it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def main() -> None:
    """Receive a function and a task, report its progress, and send back its result: the life of a child."""
    descriptor, parent = map(int, sys.argv[1:])
    end_with_parent(parent)
    os.dup2(2, 1)  # stdout belongs to the report
    # A terminal sends Ctrl-C to all processes of a group; the parent alone answers it. A handler that does nothing is
    # not inherited by trainers, which an ignored signal would be.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    from topoimp.checkpoint.locking import ends_with

    ends_with(parent)
    connection: Connection[Any, Any] = Connection(descriptor)
    try:
        result = "done", _done(connection)
    except TopoimpError as error:
        result = "failed", error
    except (EOFError, KeyboardInterrupt):  # the parent ended before it sent a task, or ends this process
        sys.exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing is left to clean up
    with suppress(ConnectionError):  # the parent ended
        connection.send(result)


def _done(connection: "Connection[Any, Any]") -> object:
    """Receive a function and a task, and return its result."""
    work, task = pickle.loads(connection.recv_bytes())  # noqa: S301  # from the parent
    result: object = work(task, lambda *step: connection.send(("step", step)))
    return result


_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends: by the kernel on Linux, by a thread elsewhere."""
    if not sys.platform.startswith("linux") or ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        threading.Thread(target=_wait_for_end_of, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before this could be arranged
        os._exit(1)


def _wait_for_end_of(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL)
    os._exit(1)
