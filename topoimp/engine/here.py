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


class Threads:
    """A pool of threads of this process, one for each call."""

    def __init__(self) -> None:
        self._is_abandoned = threading.Event()
        self._threads: list[threading.Thread] = []

    def submit(self, number: int, call: Call[object], post: Post) -> None:
        """Begin a call in a thread of its own."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=self._do, args=(number, call, post)))
        self._threads[-1].start()

    def abandon(self) -> None:
        """End all calls, and wait until their processes are gone."""
        self._is_abandoned.set()
        for thread in self._threads:
            thread.join()

    def _do(self, number: int, call: Call[object], post: Post) -> None:
        try:
            post(Done(number, call(_Supervisor(number, post, self._is_abandoned))))
        except BaseException as error:  # raised again by the one who wants the result
            post(Failed(number, error))


@dataclass(frozen=True)
class _Supervisor:
    """Passes progress on to the process that wants the result, which is this one."""

    number: int
    post: Post
    is_abandoned: threading.Event

    @property
    def threads(self) -> int:
        """All cores."""
        return available_threads()

    def is_wanted(self) -> bool:
        """Whether the pool has not been abandoned."""
        return not self.is_abandoned.is_set()

    def step(self, n_done: int, n_steps: int) -> None:
        """Report progress."""
        self.post(Step(self.number, n_done, n_steps))
