"""Clusters of Dask that are reached, started on this machine, or made of jobs of a queueing system.

No other file but ``topoimp.engine.dask_pool`` imports Dask.
"""

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
import distributed
from distributed.security import Security

from topoimp.engine.dask_pool import DaskPool
from topoimp.engine.handshake import check_versions, versions_here
from topoimp.errors import EngineError

_CONNECT = 10.0
"""Seconds for which a scheduler is waited for."""

_FIRST_WORKER = 60.0
"""Seconds for which a first worker is waited for, unless jobs wait in a queue."""

_CONFIGURATION = {
    "distributed.admin.tick.limit": "1h",  # a long pass holds the interpreter's lock, and is no defect
}

_WITHOUT_LIMITS = [
    f"export DASK_DISTRIBUTED__WORKER__MEMORY__{limit}=False" for limit in ("TARGET", "SPILL", "PAUSE", "TERMINATE")
]
"""Lines of a job's script: Dask counts mapped files as memory, and would pause or end a worker for them."""


@contextmanager
def connected(address: str | None = None, *, scheduler_file: str | None = None) -> Iterator[DaskPool]:
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
def on_this_machine(n_workers: int) -> Iterator[DaskPool]:
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
def in_queue(system: str, n_jobs: int, settings: Mapping[str, Any]) -> Iterator[DaskPool]:
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
        yield _ready(client, system, n_queued=len(cluster.worker_spec))


def _ready(client: distributed.Client, named: str, *, n_queued: int = 0) -> DaskPool:
    """Wait for a worker, and compare versions with all workers that are there; later ones compare by themselves.

    Workers in a queue are waited for without an end.
    """
    try:
        client.wait_for_workers(1, timeout=None if n_queued else _FIRST_WORKER)
    except TimeoutError as error:
        raise EngineError(f"{named}: no worker came within {_FIRST_WORKER:.0f} seconds") from error
    found = client.run(_problem_there, versions_here(), on_error="return")
    for worker, problem in found.items():
        if isinstance(problem, Exception):
            raise EngineError(f"{worker}: cannot run topoimp: {_first_line(problem)}") from problem
        if problem is not None:
            raise EngineError(f"{named}: {problem}")
    pool = DaskPool(client, named, max(n_queued, 1))
    if not n_queued:
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
    """Return the message of the queueing system's command, or the first line of another error."""
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
