"""Tasks on this machine: a thread for each of those at work, which watches over the process that does it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from topoimp.engine.child import Call, Result, Task
from topoimp.engine.engine import Engine, Progress, Work
from topoimp.engine.pool import Done, Failed, Post, Step
from topoimp.kernels.threads import OnStep, available_threads


def run_tasks(
    work: Work[Task, Result],
    tasks: Sequence[Task],
    *,
    jobs: int,
    on_step: OnStep | None = None,
    keeps_going: bool = False,
) -> list[Result]:
    """Return the results of a function on several tasks, in order, ``jobs`` of them computed at the same time.

    A single task, or one at a time, runs in this process. The rest is as in ``Engine.run``.
    """
    if min(jobs, len(tasks)) <= 1 and not keeps_going:
        progress = Progress(len(tasks), on_step)
        return [work(task, progress.of(number)) for number, task in enumerate(tasks)]
    return Engine(Threads(), jobs).run(work, tasks, on_step=on_step, keeps_going=keeps_going)


@dataclass(frozen=True)
class _Running:
    """A call at work: its thread, and the event by which it learns that its result is no longer wanted."""

    thread: threading.Thread
    is_unwanted: threading.Event


class Threads:
    """A pool of threads of this process, one for each call."""

    @property
    def n_places(self) -> int:
        """The number of cores."""
        return available_threads()

    def submit(self, number: int, call: Call[object], post: Post) -> _Running:
        """Begin a call in a thread of its own."""
        is_unwanted = threading.Event()
        thread = threading.Thread(target=_do, args=(call, _Supervisor(number, post, is_unwanted)))
        thread.start()
        return _Running(thread, is_unwanted)

    def end(self, handles: Sequence[_Running]) -> None:
        """End calls, and wait until their processes are gone."""
        for running in handles:
            running.is_unwanted.set()
        for running in handles:
            running.thread.join()


@dataclass(frozen=True)
class _Supervisor:
    """Passes progress on to the process that wants the result, which is this one."""

    number: int
    post: Post
    is_unwanted: threading.Event

    @property
    def threads(self) -> int:
        """All cores."""
        return available_threads()

    def is_wanted(self) -> bool:
        """Whether the call has not been ended."""
        return not self.is_unwanted.is_set()

    def step(self, n_done: int, n_steps: int) -> None:
        """Report progress."""
        self.post(Step(self.number, n_done, n_steps))


def _do(call: Call[object], supervisor: _Supervisor) -> None:
    try:
        supervisor.post(Done(supervisor.number, call(supervisor)))
    except BaseException as error:  # raised again by the one who wants the result
        supervisor.post(Failed(supervisor.number, error))
