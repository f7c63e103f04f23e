"""Calls on a cluster of Dask.

Dask begins a task again if its worker dies, and forgets it if the client does. It lets running threads go on: each call
asks the state of its task on its worker, and ends its process once it is no longer wanted.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import Any
from uuid import uuid4

import distributed
from distributed.core import Status
from distributed.scheduler import KilledWorker

from topoimp.engine.child import Call
from topoimp.engine.handshake import Sealed
from topoimp.engine.pool import Done, Failed, Post, Step
from topoimp.errors import EngineError
from topoimp.kernels.threads import available_threads

PATIENCE = 60.0
"""Seconds after which calls are given up if all workers are gone."""

_FETCH = 10.0
"""Seconds after which a result is taken to be lost with its worker."""

_AT_ONCE = 64
"""Results that are fetched together at most."""

_EVERY = 0.5
"""Seconds between two reports of progress, or two questions for workers."""


@dataclass(frozen=True)
class _AtWork:
    """A call that has not ended."""

    number: int
    post: Post
    future: "distributed.Future[Any]"


class DaskPool:
    """A pool over a cluster; ``n_expected`` workers may come that are not there yet."""

    def __init__(self, client: distributed.Client, named: str, n_expected: int = 1) -> None:
        self._client = client
        self._named = named
        self._n_expected = n_expected
        self._topic = f"topoimp-{uuid4().hex}"
        self._names = count()
        self._at_work: dict[int, _AtWork] = {}
        client.subscribe_topic(self._topic, self._on_step)

    @property
    def n_places(self) -> int:
        """The threads of all workers, or the workers that are expected if they are more."""
        return max(sum(map(int, self._client.nthreads().values())), self._n_expected)

    def submit(self, number: int, call: Call[object], post: Post) -> "distributed.Future[Any]":
        """Begin a call when a worker has room."""
        name = next(self._names)
        key = f"{self._topic}-{name}"
        future = self._client.submit(_done_there, Sealed.of(call), self._topic, name, key=key, pure=False)
        self._at_work[name] = _AtWork(number, post, future)
        self._listen(name)
        return future

    def end(self, handles: "Sequence[distributed.Future[Any]]") -> None:
        """Have the scheduler forget calls; their workers notice within a moment, and end their processes."""
        if self._client.status == "running":
            self._client.cancel(list(handles), force=True)

    def watch(self) -> None:
        """Give all calls up once no worker has been there for a while; ends with the client."""
        last = time.monotonic()
        while self._client.status in ("running", "connecting"):
            with suppress(OSError, TimeoutError, RuntimeError):  # the client ends, or is about to learn of a lost link
                last = time.monotonic() if self._client.nthreads() else last
            if time.monotonic() - last > PATIENCE:
                error = EngineError(f"{self._named}: there has been no worker for {PATIENCE:.0f} seconds")
                for name in list(self._at_work):
                    self._fail(name, error)
            time.sleep(_EVERY)

    def _listen(self, name: int) -> None:
        """Have the end of a call posted, unless it was given up."""
        call = self._at_work.get(name)
        if call is not None:
            call.future.add_done_callback(partial(self._on_end, name))

    def _fail(self, name: int, error: BaseException) -> None:
        """Post the failure of a call, unless it has just ended."""
        ended = self._at_work.pop(name, None)
        if ended is not None:
            ended.post(Failed(ended.number, error))

    def _on_end(self, name: int, ended: "distributed.Future[Any]") -> None:
        """Post a result or an error, and have the cluster forget both; Dask calls this in one thread."""
        if name not in self._at_work:  # it was given up, or posted with another
            ended.release()
        elif ended.status == "finished":
            self._post_finished(name)
        elif ended.status == "error":
            self._fail(name, self._error_of(ended))
        else:
            self._fail(name, EngineError(f"{self._named}: the scheduler is gone, or gave a task up"))

    def _post_finished(self, name: int) -> None:
        """Post the result of a call, with those of others that have finished meanwhile, as each question takes time."""
        at_work = list(self._at_work.items())
        finished = (other for other, call in at_work if other != name and call.future.status == "finished")
        names = [name, *islice(finished, _AT_ONCE - 1)]
        try:
            results = self._results_of(names)
        except Exception:  # of any of them
            names = [name]
            try:
                results = self._results_of(names)
            except TimeoutError:  # its worker has died, and the task may begin again
                self._listen(name)
                return
            except BaseException as error:  # raised again by the one who wants the result
                self._fail(name, error)
                return
        for each, result in zip(names, results, strict=True):
            ended = self._at_work.pop(each, None)
            if ended is not None:
                ended.post(Done(ended.number, result))
                ended.future.release()

    def _results_of(self, names: Sequence[int]) -> list[object]:
        futures = [self._at_work[name].future for name in names]
        gather = partial(self._client.gather, asynchronous=True)
        results: list[object] = self._client.sync(gather, futures, callback_timeout=_FETCH)
        return results

    def _error_of(self, ended: "distributed.Future[Any]") -> BaseException:
        error = ended.exception(timeout=_FETCH)
        if isinstance(error, KilledWorker):
            place = getattr(error.last_worker, "address", "unknown")
            times = f"{error.allowed_failures + 1} workers died while they did it, the last at {place}"
            return EngineError(f"{self._named}: a task was given up: {times}")
        return error if isinstance(error, BaseException) else EngineError(f"{self._named}: a task failed")

    def _on_step(self, event: tuple[float, tuple[int, int, int]]) -> None:
        name, n_done, n_steps = event[1]
        call = self._at_work.get(name)
        if call is not None:
            call.post(Step(call.number, n_done, n_steps))


def _done_there(sealed: Sealed[object], topic: str, name: int) -> object:
    """Do a sealed call in a worker."""
    worker = distributed.get_worker()
    return sealed.done(_InWorker(worker, str(worker.get_current_task()), topic, name))


@dataclass
class _InWorker:
    """Asks the worker for the state of the task, and reports progress to those who listen to the topic."""

    worker: distributed.Worker
    task: str
    topic: str
    name: int
    told: float = 0.0

    @property
    def threads(self) -> int:
        """The cores of the worker's machine that are not for its other threads."""
        return max(available_threads() // self.worker.state.nthreads, 1)

    def is_wanted(self) -> bool:
        """Whether the worker goes on, and the task has not been cancelled."""
        state = self.worker.state.tasks.get(self.task)
        is_at_work = self.worker.status in (Status.running, Status.paused)
        return is_at_work and state is not None and state.state in ("executing", "long-running")

    def step(self, n_done: int, n_steps: int) -> None:
        """Report progress, not too often."""
        if time.monotonic() - self.told >= _EVERY:
            self.told = time.monotonic()
            self.worker.log_event(self.topic, (self.name, n_done, n_steps))
