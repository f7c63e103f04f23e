"""Running independent tasks side by side, each in a process of its own: tasks in, their results in order out.

A process ends with the one that started it, at once, however that ends. A scheduler for several machines takes the
place of ``run_tasks``.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from topoimp.errors import TopoimpError

if TYPE_CHECKING:  # a process that starts imports nothing that takes long before it can end with its parent
    from topoimp.kernels.threads import OnStep

Task = TypeVar("Task")
Result = TypeVar("Result")

GRACE = 1.5
"""Seconds that a process has to clean up after SIGTERM before it is killed; a trainer that it runs has fewer."""

_SPAWN = multiprocessing.get_context("spawn")


def run_tasks(
    work: "Callable[[Task, OnStep], Result]", tasks: Sequence[Task], *, jobs: int, on_step: "OnStep | None" = None
) -> list[Result]:
    """Return the results of a function on several tasks, in order, ``jobs`` of them computed at the same time.

    A single task, or one at a time, runs in this process. A task that fails ends the others.

    Args:
        work: a function of a module; takes a task, and a function to call with the steps done and their number.
        tasks: the arguments of ``work``; they and its results can be pickled.
        jobs: number of processes at the same time, at least 1.
        on_step: called with the steps done of all tasks, and their number.

    Raises:
        TopoimpError: the error of the first task that failed.
        ChildProcessError: if a process ended without a result; it has printed its traceback.
    """
    progress = _Progress(len(tasks), on_step)
    if min(jobs, len(tasks)) <= 1:
        return [work(task, progress.of(number)) for number, task in enumerate(tasks)]

    results: dict[int, Result] = {}
    waiting = iter(enumerate(tasks))
    running: list[_Replicate] = []
    try:
        while len(results) < len(tasks):
            # Start as many processes as are allowed; a process gets its task once it runs.
            for number, task in islice(waiting, jobs - len(running)):
                with _clean_start():
                    running.append(_Replicate.start(number))
                with running[-1].connected() as connection:
                    connection.send((work, task))

            # Each message is a step, an error or a result.
            ready = wait([replicate.connection for replicate in running])
            for replicate in [each for each in running if each.connection in ready]:
                with replicate.connected() as connection:
                    kind, content = connection.recv()
                if kind == "step":
                    progress.of(replicate.number)(*content)
                elif kind == "failed":
                    raise content
                else:
                    results[replicate.number] = content
                    running.remove(replicate)
    finally:
        _end([replicate.process for replicate in running])
    return [results[number] for number in range(len(tasks))]


class _Progress:
    """Adds up the steps of all tasks; a task calls ``of(number)`` with the steps it has done and their number."""

    def __init__(self, n_tasks: int, on_step: "OnStep | None") -> None:
        self._n_done = [0] * n_tasks
        self._n_steps = [0] * n_tasks
        self._on_step = on_step

    def of(self, number: int) -> "OnStep":
        def step(n_done: int, n_steps: int) -> None:
            self._n_done[number], self._n_steps[number] = n_done, n_steps
            if self._on_step is not None:
                known = [n for n in self._n_steps if n]  # tasks that have not begun are taken to be like these
                self._on_step(sum(self._n_done), sum(known) * len(self._n_steps) // len(known))

        return step


@dataclass(frozen=True)
class _Replicate:
    """A process that works on a task, and the connection to it."""

    number: int
    process: SpawnProcess
    connection: "Connection[Any, Any]"  # messages are tuples; the first item names their type

    @staticmethod
    def start(number: int) -> "_Replicate":
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_work, args=(theirs, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        return _Replicate(number, process, ours)

    @contextmanager
    def connected(self) -> Iterator["Connection[Any, Any]"]:
        """Return the connection; raise a ChildProcessError if the process ends within the context."""
        try:
            yield self.connection
        except (EOFError, ConnectionError) as error:
            self.process.join()
            status = self.process.exitcode
            raise ChildProcessError(f"a process that ran a replicate ended with status {status}") from error


def _end(processes: Sequence[SpawnProcess]) -> None:
    """End processes at the same time: by SIGTERM, so that they clean up, then by SIGKILL."""
    deadline = monotonic() + GRACE
    try:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(max(deadline - monotonic(), 0))
    finally:  # also if a second interruption comes
        for process in processes:
            process.kill()
            process.join()


@contextmanager
def _clean_start() -> Iterator[None]:
    """Hide Ctrl-C and the user's script from a process that starts within the context.

    Ctrl-C is held back; a process inherits that. The script would be run again, as multiprocessing imports it anew.
    """
    main = sys.modules["__main__"]
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)


def _work(connection: "Connection[Any, Any]", parent: int) -> None:
    """Receive a function and a task, report its progress, and send back its result: the life of a process."""
    end_with_parent(parent)
    os.dup2(2, 1)  # stdout belongs to the report
    # A terminal sends Ctrl-C to all processes of a group; the parent alone answers it. A handler that does nothing is
    # not inherited by trainers, which an ignored signal would be.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    try:
        work, task = connection.recv()
    except (EOFError, KeyboardInterrupt):  # the parent ended before it sent a task, or ends this process
        sys.exit(1)
    try:
        result = "done", work(task, lambda *step: connection.send(("step", step)))
    except TopoimpError as error:
        result = "failed", error
    except KeyboardInterrupt:
        sys.exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing is left to clean up
    connection.send(result)


_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends: by the kernel on Linux, by a thread elsewhere."""
    if not sys.platform.startswith("linux") or ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        threading.Thread(target=_wait_for_end_of_parent, daemon=True).start()
    if os.getppid() != parent:  # it ended before this could be arranged
        os._exit(1)


def _wait_for_end_of_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
