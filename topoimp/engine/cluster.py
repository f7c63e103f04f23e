"""The machines that do the work: the text of the argument ``cluster``, or an executor, and the engine over them.

``tcp://HOST:PORT`` and ``tls://HOST:PORT`` are the scheduler of a running Dask cluster, a path that ends in .json the
file in which a scheduler has written its address. ``local:N`` starts N processes on this machine. ``slurm``, ``pbs``,
``lsf`` and ``sge`` start jobs by dask-jobqueue, set up in its own configuration files; a path that ends in .yaml or
.yml is a file with such settings. Dask is the extra ``cluster``.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from topoimp.engine.engine import Engine, Work
from topoimp.engine.executors import ExecutorPool
from topoimp.engine.here import run_tasks
from topoimp.engine.pool import Pool
from topoimp.errors import EngineError, OptionError
from topoimp.kernels.threads import OnStep

Task = TypeVar("Task")
Result = TypeVar("Result")

Cluster: TypeAlias = str | Executor | Engine
"""The text of a cluster, an executor, or the engine over an open one."""

VARIABLE = "TOPOIMP_CLUSTER"
"""Environment variable that names the cluster where no argument does."""

QUEUES = ("slurm", "pbs", "lsf", "sge")

_SETTINGS = frozenset(
    {
        *("account", "cores", "interface", "job_directives_skip", "job_extra_directives", "job_script_prologue"),
        *("local_directory", "log_directory", "memory", "processes", "project", "python", "queue"),
        *("shared_temp_directory", "walltime", "worker_extra_args"),
    }
)
"""The settings of dask-jobqueue that a file may have, beside ``scheduler`` and ``jobs``."""

_FORMS = "tcp://HOST:PORT, tls://HOST:PORT, a scheduler's .json, local:N, slurm, pbs, lsf, sge, or a .yaml file"


@dataclass(frozen=True)
class SideBySide:
    """How tasks are done side by side.

    Args:
        jobs: the most at the same time, from 1; None for the usual number, or on a cluster as many as it has room for.
        cluster: the machines; this one if None, and the environment variable ``TOPOIMP_CLUSTER`` names none.
        keep_going: finish the other tasks if one fails.

    Raises:
        OptionError: if ``jobs`` is below 1, or the text of a cluster has no meaning.
    """

    jobs: int | None = None
    cluster: Cluster | None = None
    keep_going: bool = False

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise OptionError(f"the number of jobs is {self.jobs}; it must be at least 1")
        cluster = self.machines
        if isinstance(cluster, str):
            _check(cluster)

    @property
    def machines(self) -> Cluster | None:
        """The cluster, or that of the environment."""
        return named_or_usual(self.cluster)

    def notes(self) -> list[str]:
        """Return what users are to know about the cluster."""
        return notes_on_cluster(self.cluster)

    def run(
        self,
        work: Work[Task, Result],
        tasks: Sequence[Task],
        *,
        usual_jobs: int,
        on_step: OnStep | None = None,
    ) -> list[Result]:
        """Return the results of a function on several tasks, in order; ``usual_jobs`` is the usual number here.

        Raises:
            EngineError: if the cluster cannot be used, or gave a task up.
            TopoimpError: the error of a task.
            ChildProcessError: if a process ended without a result; it has printed its traceback.
        """
        if self.machines is None:
            jobs = self.jobs or usual_jobs
            return run_tasks(work, tasks, jobs=jobs, on_step=on_step, keeps_going=self.keep_going)
        if not tasks:
            return []
        with opened(self.machines, n_jobs=self.jobs or len(tasks)) as engine:
            engine = replace(engine, at_once=self.jobs)
            return engine.run(work, tasks, on_step=on_step, keeps_going=self.keep_going)


def named_or_usual(cluster: Cluster | None) -> Cluster | None:
    """Return a cluster, or that of the environment if it is None; None if there is neither."""
    return cluster if cluster is not None else os.environ.get(VARIABLE) or None


def notes_on_cluster(cluster: Cluster | None) -> list[str]:
    """Return what users are to know about a cluster."""
    cluster = named_or_usual(cluster)
    if isinstance(cluster, str) and cluster.startswith("tcp://") and not _is_loopback(cluster):
        return [f"{cluster} is open to all who can reach it: they can run any code there; tls:// is not"]
    return []


@contextmanager
def opened(cluster: Cluster, *, n_jobs: int = 1) -> Iterator[Engine]:
    """Return the engine over a cluster; one that was opened before stays open.

    A queueing system starts ``n_jobs`` jobs, unless its settings name another number.

    Raises:
        OptionError: if the text has no meaning.
        EngineError: if the cluster cannot be used.
    """
    if isinstance(cluster, Engine):
        yield cluster
    elif isinstance(cluster, Executor):
        yield Engine(ExecutorPool(cluster))
    else:
        _check(cluster)
        with _pool(cluster, n_jobs) as pool:
            yield Engine(pool)


@contextmanager
def workers_on(cluster: Cluster | None) -> Iterator[Engine | None]:
    """Return the engine that looks at layers: over the cluster, or that of the environment; None if there is neither.

    Raises:
        OptionError: if the text of the cluster has no meaning.
        EngineError: if the cluster cannot be used.
    """
    cluster = named_or_usual(cluster)
    if cluster is None:
        yield None
        return
    with opened(cluster) as engine:
        yield engine


def _check(text: str) -> None:
    """Raise an OptionError if a text is no cluster."""
    is_address = re.fullmatch(r"(?:tcp|tls)://\S+:[0-9]+", text) is not None
    if is_address or text in QUEUES or text.endswith((".json", ".yaml", ".yml")):
        return
    number = re.fullmatch(r"local:([0-9]{1,4})", text, re.ASCII)
    if number is None or int(number[1]) < 1:
        raise OptionError(f"the cluster is {text!r}; it must be {_FORMS}")


def _pool(text: str, n_jobs: int) -> AbstractContextManager[Pool]:
    """Return the pool of a cluster, a context."""
    try:
        from topoimp.engine import dask_clusters
    except ImportError as error:
        raise EngineError(f"a cluster needs Dask ({error}): pip install 'topoimp[cluster]'") from error

    if text in QUEUES:
        return dask_clusters.in_queue(text, n_jobs, {})
    if text.endswith(".json"):
        if not Path(text).is_file():
            raise EngineError(f"{text}: there is no such file of a scheduler")
        return dask_clusters.connected(scheduler_file=text)
    if text.endswith((".yaml", ".yml")):
        system, own, settings = read_settings(Path(text))
        return dask_clusters.in_queue(system, own or n_jobs, settings)
    if text.startswith("local:"):
        return dask_clusters.on_this_machine(int(text.removeprefix("local:")))
    return dask_clusters.connected(text)


def read_settings(path: Path) -> tuple[str, int | None, Mapping[str, Any]]:
    """Return the queueing system that a file names, the number of its jobs, if any, and the settings of each.

    Raises:
        OptionError: if the file cannot be read, or has another setting than is known.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise OptionError(f"{path}: cannot be read as settings of a cluster: {reason}") from error
    if not isinstance(content, dict) or content.get("scheduler") not in QUEUES:
        raise OptionError(f"{path}: names no scheduler; it needs one of {', '.join(QUEUES)}, as in 'scheduler: slurm'")
    jobs = content.get("jobs")
    if jobs is not None and (type(jobs) is not int or jobs < 1):
        raise OptionError(f"{path}: jobs is {jobs!r}; it must be a number, at least 1")
    settings = {name: value for name, value in content.items() if name not in ("scheduler", "jobs")}
    unknown = sorted(map(str, set(settings) - _SETTINGS))
    if unknown:
        raise OptionError(f"{path}: has a setting {unknown[0]!r}; known are {', '.join(sorted(_SETTINGS))}")
    return content["scheduler"], jobs, settings


def _is_loopback(address: str) -> bool:
    host = address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
