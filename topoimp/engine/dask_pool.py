"""Calls on a cluster of Dask; the one file that imports it.

Dask begins a task again if its worker dies, and forgets it if the client does. It lets running threads go on: each call
asks the state of its task on its worker, and ends its process once it is no longer wanted.
"""

import logging
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import dask
import distributed
from distributed.core import Status
from distributed.scheduler import KilledWorker
from distributed.security import Security

from topoimp.engine.child import Call
from topoimp.engine.handshake import Sealed, check_versions, versions_here
from topoimp.engine.pool import Done, Failed, Post, Step
from topoimp.errors import EngineError
from topoimp.kernels.threads import available_threads

PATIENCE = 60.0
"""Seconds for which a first worker is waited for."""

_CONNECT = 10.0
"""Seconds for which a scheduler is waited for."""

_EVERY = 0.5
"""Seconds between two reports of progress, or two questions for workers."""

_CONFIGURATION = {
    "distributed.admin.tick.limit": "1h",  # a long pass holds the interpreter's lock, and is no defect
}


_WITHOUT_LIMITS = [
    f"export DASK_DISTRIBUTED__WORKER__MEMORY__{limit}=False" for limit in ("TARGET", "SPILL", "PAUSE", "TERMINATE")
]
"""Lines of a job's script: Dask counts mapped files as memory, and would pause or end a worker for them."""


@contextmanager
def connected(address: str | None = None, *, scheduler_file: str | None = None) -> Iterator["DaskPool"]:
    """Return the pool of a running cluster, by the address of its scheduler or the file that has it.

    Raises:
        EngineError: if no scheduler answers, no worker comes, or a worker has other versions.
    """
    named = address or str(scheduler_file)
    with _quiet(), ExitStack() as stack:
        try:
            client = distributed.Client(
                address, scheduler_file=scheduler_file, timeout=_CONNECT, set_as_default=False, name="topoimp"
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineError(f"{named}: no scheduler answers there: {_first_line(error)}") from error
        stack.callback(client.close, timeout=2)
        yield _ready(client, named)


@contextmanager
def on_this_machine(n_workers: int) -> Iterator["DaskPool"]:
    """Return the pool of a cluster of processes on this machine, which ends with the context; it speaks TLS."""
    with _quiet(), dask.config.set(_CONFIGURATION), ExitStack() as stack:
        security = Security.temporary()
        cluster = distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=security,
            memory_limit=0,  # mapped files count as memory, and are not
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
        stack.callback(cluster.close, timeout=2)
        client = distributed.Client(cluster, security=security, timeout=_CONNECT, set_as_default=False)
        stack.callback(client.close, timeout=2)
        yield _ready(client, f"local:{n_workers}")


@contextmanager
def in_queue(system: str, n_jobs: int, settings: Mapping[str, Any]) -> Iterator["DaskPool"]:
    """Return the pool of jobs that a queueing system starts; they end with the context, and speak TLS.

    ``settings`` are those of dask-jobqueue, beside its own configuration files.
    """
    import dask_jobqueue

    for name in ("cores", "memory"):
        if settings.get(name) is None and dask.config.get(f"jobqueue.{system}.{name}", None) is None:
            known = "a .yaml file as cluster, or jobqueue.yaml of Dask's configuration, says it"
            raise EngineError(f"{system}: the {name} of a job are not known; {known}")
    kinds = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster", "sge": "SGECluster"}
    with _quiet(), dask.config.set(_CONFIGURATION), ExitStack() as stack:
        security = Security.temporary()
        keys = stack.enter_context(TemporaryDirectory(prefix=".topoimp-keys-", dir="."))  # which all nodes can read
        folder = settings.get("shared_temp_directory", str(Path(keys).absolute()))
        options = {**settings, "security": security, "protocol": "tls://", "shared_temp_directory": folder}
        options["job_script_prologue"] = [*settings.get("job_script_prologue", ()), *_WITHOUT_LIMITS]
        n_processes = settings.get("processes") or dask.config.get(f"jobqueue.{system}.processes", None) or 1
        try:
            cluster = getattr(dask_jobqueue, kinds[system])(**options)
            stack.callback(_close, cluster)
            while len(cluster.worker_spec) < n_jobs * n_processes:
                cluster.worker_spec.update(cluster.new_worker_spec())
            cluster.sync(_submitted, cluster)  # ``scale`` would submit them too, and drop an error
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            raise EngineError(f"{system}: its jobs cannot be started: {_reason(error)}") from error
        client = distributed.Client(cluster, security=security, timeout=_CONNECT, set_as_default=False)
        stack.callback(client.close, timeout=2)
        yield _ready(client, system, is_queued=True)


def _ready(client: distributed.Client, named: str, *, is_queued: bool = False) -> "DaskPool":
    """Wait for a worker, and compare versions with all workers that are there; later ones compare by themselves."""
    try:
        client.wait_for_workers(1, timeout=None if is_queued else PATIENCE)
    except TimeoutError as error:
        raise EngineError(f"{named}: no worker came within {PATIENCE:.0f} seconds") from error
    found = client.run(_problem_there, versions_here(), on_error="return")
    for worker, problem in found.items():
        if isinstance(problem, Exception):
            raise EngineError(f"{worker}: cannot run topoimp: {_first_line(problem)}") from problem
        if problem is not None:
            raise EngineError(f"{named}: {problem}")
    pool = DaskPool(client, named)
    if not is_queued:
        threading.Thread(target=pool.watch, name="topoimp-cluster", daemon=True).start()
    return pool


def _problem_there(versions: Mapping[str, str]) -> str | None:
    """Return why a worker cannot be used; None if it can."""
    try:
        check_versions(versions)
    except EngineError as error:
        return str(error)
    return None


def _close(cluster: Any) -> None:
    """Cancel the jobs, and end the scheduler."""
    with suppress(AssertionError):  # about jobs that could not be submitted
        cluster.close(timeout=10)


async def _submitted(cluster: Any) -> None:
    await cluster


def _reason(error: Exception) -> str:
    """Return what a command of the queueing system said, or the first line of another error."""
    lines = str(error).rpartition("stderr:")[2].split("\n")
    return next((line.strip() for line in lines if line.strip()), type(error).__name__)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Have Dask say nothing on its own; what matters becomes an error."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("distributed", "tornado")]
    loggers = [logging.getLogger(name) for name in (*names, "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(dask|distributed|dask_jobqueue|tornado)(\.|$)")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


class DaskPool:
    """A pool over a cluster."""

    def __init__(self, client: distributed.Client, named: str) -> None:
        self._client = client
        self._named = named
        self._topic = f"topoimp-{uuid4().hex}"
        self._names = count()
        self._at_work: dict[int, tuple[int, Post]] = {}
        client.subscribe_topic(self._topic, self._on_step)

    def submit(self, number: int, call: Call[object], post: Post) -> "distributed.Future[Any]":
        """Begin a call when a worker has room."""
        name = next(self._names)
        self._at_work[name] = number, post
        key = f"{self._topic}-{name}"
        future = self._client.submit(_done_there, Sealed.of(call), self._topic, name, key=key, pure=False)
        future.add_done_callback(partial(self._on_end, name))
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

    def _fail(self, name: int, error: EngineError) -> None:
        """Post the failure of a call, unless it has just ended."""
        ended = self._at_work.pop(name, None)
        if ended is not None:
            number, post = ended
            post(Failed(number, error))

    def _on_end(self, name: int, ended: "distributed.Future[Any]") -> None:
        """Post a result or an error, and have the cluster forget both."""
        at_work = self._at_work.pop(name, None)
        if at_work is None:  # it was given up
            return
        number, post = at_work
        try:
            if ended.status == "finished":
                post(Done(number, ended.result(timeout=_CONNECT)))
            elif ended.status == "error":
                post(Failed(number, self._error_of(ended)))
            else:
                post(Failed(number, EngineError(f"{self._named}: the scheduler is gone, or gave a task up")))
        except BaseException as error:  # raised again by the one who wants the result
            post(Failed(number, error))
        ended.release()

    def _error_of(self, ended: "distributed.Future[Any]") -> BaseException:
        error = ended.exception(timeout=_CONNECT)
        if isinstance(error, KilledWorker):
            place = getattr(error.last_worker, "address", "unknown")
            times = f"{error.allowed_failures + 1} workers died while they did it, the last at {place}"
            return EngineError(f"{self._named}: a task was given up: {times}")
        return error if isinstance(error, BaseException) else EngineError(f"{self._named}: a task failed")

    def _on_step(self, event: tuple[float, tuple[int, int, int]]) -> None:
        name, n_done, n_steps = event[1]
        if name in self._at_work:
            number, post = self._at_work[name]
            post(Step(number, n_done, n_steps))


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
