"""Tasks or layers in, their results out, whatever does the work: a pool of processes here, or a cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

from topoimp.engine.child import Call, InChild
from topoimp.engine.pieces import InWorker, LookAtPiece, pieces_of
from topoimp.engine.pool import Done, Event, Failed, Pool, Step
from topoimp.errors import TopoimpError
from topoimp.kernels.threads import OnStep
from topoimp.layers.records import Layers

Task = TypeVar("Task")
Result = TypeVar("Result")

Work = Callable[[Task, OnStep], Result]
"""A function of a module; it takes a task, and a function to call with the steps done and their number."""


@dataclass(frozen=True)
class Engine:
    """Does tasks, each in a process of its own, and looks at layers, on a pool.

    ``at_once`` limits the tasks that are done at the same time; None lets the pool decide.
    """

    pool: Pool
    at_once: int | None = None

    def run(
        self,
        work: Work[Task, Result],
        tasks: Sequence[Task],
        *,
        on_step: OnStep | None = None,
        keeps_going: bool = False,
    ) -> list[Result]:
        """Return the results of a function on several tasks, in order.

        A task that fails ends the others; with ``keeps_going`` they end first. Tasks and results can be pickled.

        Raises:
            TopoimpError: the error of the first task that failed.
            ChildProcessError: if a process ended without a result; it has printed its traceback.
        """
        progress = Progress(len(tasks), on_step)
        results: dict[int, Result] = {}
        errors: list[BaseException] = []
        for event in self._events([InChild.of(work, task) for task in tasks], self.at_once):
            if isinstance(event, Step):
                progress.of(event.number)(event.n_done, event.n_steps)
            elif isinstance(event, Failed):
                if not keeps_going or not isinstance(event.error, TopoimpError):
                    raise event.error
                errors.append(event.error)
            else:
                results[event.number] = event.result  # type: ignore[assignment]  # of this work
        if errors:
            raise _together(errors, len(tasks))
        return [results[number] for number in range(len(tasks))]

    def each(
        self,
        layers: Layers,
        look: Callable[..., Result],
        arguments: Mapping[str, object] | None,
        on_layer: Callable[[], None],
    ) -> dict[str, Result]:
        """Return the results of a function on each layer, by name, in any order (``layers.streaming.Workers``)."""
        pieces = pieces_of(layers, self.pool.n_places)
        calls = [LookAtPiece.of(layers.only(names), look, arguments) for names in pieces]
        results: dict[str, Result] = {}
        for event in self._events(calls, None):
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Done):
                results.update(event.result)  # type: ignore[call-overload]  # of this look
                for _ in pieces[event.number]:
                    on_layer()
        return results

    def do(
        self,
        work: Callable[[Task, int, Callable[[], None]], Result],
        tasks: Sequence[Task],
        on_done: Callable[[int], None],
    ) -> list[Result]:
        """Return the results of a function on several tasks, in order (``layers.streaming.Workers``)."""
        results: dict[int, Result] = {}
        for event in self._events([InWorker.of(work, task) for task in tasks], self.at_once):
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Done):
                results[event.number] = event.result  # type: ignore[assignment]  # of this work
                on_done(event.number)
        return [results[number] for number in range(len(tasks))]

    def _events(self, calls: Sequence[Call[object]], at_once: int | None) -> Iterator[Event]:
        """Begin calls, and yield what happens until all have ended."""
        events: SimpleQueue[Event] = SimpleQueue()
        waiting = list(enumerate(calls))[::-1]
        running: dict[int, object] = {}
        try:
            while waiting or running:
                while waiting and (at_once is None or len(running) < at_once):
                    number, call = waiting.pop()
                    running[number] = self.pool.submit(number, call, events.put)
                event = events.get()
                if not isinstance(event, Step):
                    del running[event.number]
                yield event
        finally:
            if running:
                self.pool.end(list(running.values()))


def _together(errors: Sequence[BaseException], n_tasks: int) -> BaseException:
    """Return the first of several errors; its message says how many there were."""
    first = errors[0]
    others = f" ({len(errors)} of {n_tasks} failed; this is the first)" if len(errors) > 1 else ""
    return type(first)(f"{first}{others}")


class Progress:
    """Adds up the steps of all tasks; a task calls ``of(number)`` with the steps it has done and their number."""

    def __init__(self, n_tasks: int, on_step: OnStep | None) -> None:
        self._n_done = [0] * n_tasks
        self._n_steps = [0] * n_tasks
        self._on_step = on_step

    def of(self, number: int) -> OnStep:
        """Return the function that a task calls."""

        def step(n_done: int, n_steps: int) -> None:
            self._n_done[number], self._n_steps[number] = n_done, n_steps
            if self._on_step is not None:
                known = [n for n in self._n_steps if n]  # tasks that have not begun are taken to be like these
                self._on_step(sum(self._n_done), sum(known) * len(self._n_steps) // len(known))

        return step
