"""Calls on any ``concurrent.futures.Executor``, which a caller in Python may give."""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass

from topoimp.engine.child import Call
from topoimp.engine.handshake import Sealed
from topoimp.engine.pool import Done, Failed, Post
from topoimp.errors import EngineError
from topoimp.kernels.threads import available_threads


class ExecutorPool:
    """A pool over an executor; its processes are those of the caller, who decides when they end."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def n_places(self) -> int:
        """The number of cores here: an executor does not say how many calls it does at the same time."""
        return available_threads()

    def submit(self, number: int, call: Call[object], post: Post) -> Future[object]:
        """Begin a call when the executor has room."""
        future = self._executor.submit(done_unsupervised, Sealed.of(call))
        future.add_done_callback(_posting(number, post))
        return future

    def end(self, handles: Sequence[Future[object]]) -> None:
        """Cancel calls that have not begun; an executor has no way to end others, whose results are dropped."""
        for future in handles:
            future.cancel()


def _posting(number: int, post: Post) -> Callable[[Future[object]], None]:
    def ended(future: Future[object]) -> None:
        try:
            post(Done(number, future.result()))
        except CancelledError:
            post(Failed(number, EngineError("the executor cancelled a task")))
        except BaseException as error:  # raised again by the one who wants the result
            post(Failed(number, error))

    return ended


@dataclass(frozen=True)
class _Unsupervised:
    """Nobody asks for progress, and every result is wanted."""

    @property
    def threads(self) -> int:
        return available_threads()

    def is_wanted(self) -> bool:
        return True

    def step(self, n_done: int, n_steps: int) -> None:
        pass


def done_unsupervised(sealed: Sealed[object]) -> object:
    """Do a sealed call in the process of an executor."""
    return sealed.done(_Unsupervised())
