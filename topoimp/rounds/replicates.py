"""Running independent tasks at the same time, each in a process of its own, so that replicates share no state.

What is to be done is a function of a topoimp module, and a task for it; both can be pickled. Its process ends when the
one that started it does, however that ends, and nothing goes on that nobody waits for.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import IO, Generic, TypeVar

from topoimp.errors import TopoimpError

Task = TypeVar("Task")
Result = TypeVar("Result")
OnStep = Callable[[int, int], None]
"""Told how much of something long has been done, and how much there is."""

GRACE = 10.0
"""Seconds that a process is given to clean up once nobody waits for it; a trainer that it runs is given fewer."""


def run_tasks(
    work: Callable[[Task, OnStep], Result], tasks: Sequence[Task], *, jobs: int, on_step: OnStep | None = None
) -> list[Result]:
    """Run a function on several tasks, some at the same time, and give the results in order.

    One task, or one at a time, runs right here. A task that fails ends the others.

    Args:
        work: a module's function; it takes a task, and what is to be told how much of it has been done.
        tasks: what it is to do.
        jobs: how many run at the same time, at least 1.
        on_step: told how much of all tasks has been done.

    Raises:
        TopoimpError: that of the first task that failed.
    """
    progress = _Progress(len(tasks), on_step)
    if min(jobs, len(tasks)) <= 1:
        return [work(task, progress.of(number)) for number, task in enumerate(tasks)]
    with _Processes(work, jobs) as processes:
        return processes.run(tasks, progress)


class _Progress:
    """Adds up how much of each task has been done."""

    def __init__(self, n_tasks: int, on_step: OnStep | None) -> None:
        self._done, self._all = [0] * n_tasks, [0] * n_tasks
        self._on_step = on_step
        self._one_at_a_time = threading.Lock()

    def of(self, number: int) -> OnStep:
        """Give what one task tells."""

        def step(done: int, n_steps: int) -> None:
            with self._one_at_a_time:
                self._done[number], self._all[number] = done, n_steps
                if self._on_step is not None:
                    known = [n for n in self._all if n]  # the others are taken to be like these
                    self._on_step(sum(self._done), sum(known) * len(self._all) // len(known))

        return step


class _Processes(Generic[Task, Result]):
    """A process for each task, a few at a time."""

    def __init__(self, work: Callable[[Task, OnStep], Result], jobs: int) -> None:
        self._work = work
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="topoimp-replicate")
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_over = False

    def __enter__(self) -> "_Processes[Task, Result]":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        for process in list(self._running):
            _take_back(process)  # from all at once, so that they clean up at the same time
        for process in list(self._running):
            _end(process)
        self._pool.shutdown(cancel_futures=True)

    def run(self, tasks: Sequence[Task], progress: _Progress) -> list[Result]:
        """Run all tasks and give their results in order."""
        futures: list[Future[Result]] = [
            self._pool.submit(self._run_one, task, progress.of(number)) for number, task in enumerate(tasks)
        ]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            if (error := future.exception()) is not None:
                raise error
        return [future.result() for future in futures]

    def _run_one(self, task: Task, on_step: OnStep) -> Result:
        command = [sys.executable, "-m", "topoimp.rounds.replicates"]
        # In a session of its own, it does not get a terminal's Ctrl-C, and is told once, by its pipe, wherever it is.
        with subprocess.Popen(  # noqa: S603  # ours
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            self._running.add(process)
            try:
                if self._is_over:
                    raise KeyboardInterrupt
                return self._converse(process, task, on_step)
            finally:
                self._running.discard(process)
                _end(process)

    def _converse(self, process: subprocess.Popen[bytes], task: Task, on_step: OnStep) -> Result:
        assert process.stdin is not None  # noqa: S101  # both are pipes
        assert process.stdout is not None  # noqa: S101
        _send(process.stdin, sys.path)
        _send(process.stdin, (self._work, task))
        while True:
            try:
                kind, content = pickle.load(process.stdout)  # noqa: S301  # written by our own process
            except EOFError as error:
                status = process.wait()
                raise ChildProcessError(f"a process that ran a replicate ended with status {status}") from error
            if kind == "step":
                on_step(*content)
            elif kind == "failed":
                raise content
            else:
                return content  # type: ignore[no-any-return]  # what work gave


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have a process end, by taking back what it listens to."""
    _take_back(process)
    try:
        process.wait(GRACE + 1)
    except subprocess.TimeoutExpired:
        process.kill()


def _take_back(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.close()


def _send(pipe: IO[bytes], content: object) -> None:
    pickle.dump(content, pipe)
    pipe.flush()


def main() -> None:
    """Run the one task that comes in, tell how it goes, and hand back its result."""
    try:
        _run_the_task()
        status = 0
    except KeyboardInterrupt:
        status = 1
    except Exception:
        traceback.print_exc()
        status = 1
    # An orderly end would take its time, and wait for the thread that listens.
    os._exit(status)


def _run_the_task() -> None:
    back, incoming = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(2, 1)  # whatever else prints does not get in between
    try:
        sys.path[:] = pickle.load(incoming)  # noqa: S301  # written by our own process
        work, task = pickle.load(incoming)  # noqa: S301  # the same
    except (EOFError, pickle.UnpicklingError) as error:
        raise KeyboardInterrupt from error  # nobody waits any more
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs things aside has it ignored
    is_over = threading.Event()
    threading.Thread(target=_watch, args=(incoming, is_over), daemon=True).start()

    def on_step(*step: int) -> None:
        with suppress(BrokenPipeError):  # nobody waits any more, which the other thread is about to say
            _send(back, ("step", step))

    try:
        result = ("done", work(task, on_step))
    except TopoimpError as error:
        result = ("failed", error)
    is_over.set()
    with suppress(OSError):
        _send(back, result)


def _watch(incoming: IO[bytes], is_over: threading.Event) -> None:
    """End this process once nobody waits for it: politely at first, so that nothing half-written is left."""
    incoming.read()
    if is_over.is_set():
        return
    os.kill(os.getpid(), signal.SIGINT)  # wakes whatever waits, too
    threading.Event().wait(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
