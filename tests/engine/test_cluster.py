"""Tasks and layers on a cluster of Dask: processes on this machine, over loopback."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack

import dask_jobqueue
import distributed
import pytest
import replicated
from machines import ENVIRONMENT, TESTS, Machines, wait_for_file
from processes import PATIENCE, has_ended, wait_for

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.prune_run import prune_run
from topoimp.commands.train import train_run
from topoimp.engine import cluster, dask_clusters, dask_pool, handshake
from topoimp.engine.cluster import SideBySide
from topoimp.errors import EngineError, OptionError, TrainingError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.pruning.options import PruningOptions
from topoimp.topology.forest import spanning_forests

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def machines(tmp_path):
    with ExitStack() as stack:
        yield Machines(tmp_path, stack)


def run(file, work, tasks, **options):
    return SideBySide(cluster=str(file), **options).run(work, tasks, usual_jobs=1)


def files_in(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_results_come_in_order_from_processes_of_the_workers(two_workers):
    results = run(two_workers, replicated.squared, [3, 1, 2])

    assert [square for square, _ in results] == [9, 1, 4]
    assert len({process for _, process in results} | {os.getpid()}) == 4


def test_progress_is_passed_on_while_a_task_works(two_workers, tmp_path):
    told = []

    def on_step(n_done, n_steps):
        told.append((n_done, n_steps))
        (tmp_path / "seen").touch()

    side_by_side = SideBySide(cluster=two_workers)
    (seen,) = side_by_side.run(replicated.going_on_once_seen, [str(tmp_path / "seen")], usual_jobs=1, on_step=on_step)

    assert seen
    assert told == [(1, 2)]


def test_seeds_on_a_cluster_have_the_bits_of_this_machine(two_workers, tmp_path):
    for name, machines, jobs in (("here", None, 1), ("there", two_workers, None)):
        out = tmp_path / name
        train_run("mlp:64-8-10", output=out, epochs=1, seeds=[0, 1], jobs=jobs, cluster=machines)
        prune_run(out, PruningOptions(rounds=1), jobs=jobs, cluster=machines)

    assert files_in(tmp_path / "there") == files_in(tmp_path / "here")
    assert len(files_in(tmp_path / "here")) > 15


def test_layers_on_a_cluster_have_the_forests_of_this_machine(two_workers):
    path = TESTS.parent / "sample_checkpoints" / "lenet-300-100-mnist.safetensors"
    stream = LayerStream(select_layers(open_checkpoint(path), LayerPatterns()), 1)

    with cluster.opened(two_workers) as engine:
        there = spanning_forests(LayerStream(stream.layers, 1, workers=engine))

    for name, forest in spanning_forests(stream).items():
        assert there[name].indices.tolist() == forest.indices.tolist()


@pytest.mark.soak
def test_eight_seeds_have_the_bits_of_this_machine_though_a_worker_is_killed_twice(two_workers, tmp_path):
    out = tmp_path / "there"
    with ThreadPoolExecutor(1) as pool:
        for begin in (
            lambda on: train_run("mlp:64-16-10", epochs=3, seeds=range(8), output=on, cluster=two_workers),
            lambda on: prune_run(on, PruningOptions(rounds=3), cluster=two_workers),
        ):
            before = n_written(out)
            running = pool.submit(begin, out)
            for more in (4, 10):
                kill_a_worker_after(out, before + more, running, two_workers)
            running.result()

    train_run("mlp:64-16-10", epochs=3, seeds=range(8), output=tmp_path / "here", jobs=1)
    prune_run(tmp_path / "here", PruningOptions(rounds=3), jobs=1)
    assert files_in(out) == files_in(tmp_path / "here")


def n_written(folder):
    return sum(1 for _ in folder.rglob("*.safetensors"))


def kill_a_worker_after(folder, n_files, running, file):
    """Kill a worker once a run has written some files."""
    deadline = time.monotonic() + PATIENCE
    while n_written(folder) < n_files and not running.done() and time.monotonic() < deadline:
        time.sleep(0.05)
    with distributed.Client(scheduler_file=file, set_as_default=False) as client:
        number = next(iter(client.run(os.getpid).values()))
    os.kill(number, signal.SIGKILL)


def test_a_relative_folder_is_that_of_the_command(two_workers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    run(two_workers, replicated.writing_unless_first, ["third"])

    assert [path.name for path in tmp_path.iterdir()] == ["third"]


def test_the_error_of_a_task_is_raised_and_others_are_ended(two_workers, tmp_path):
    with pytest.raises(TrainingError, match="the first task failed"):
        run(two_workers, replicated.marking_or_failing, [str(tmp_path / "fails"), str(tmp_path / "other")])

    assert has_ended(int(wait_for(tmp_path / "other.process")))


def test_a_task_whose_worker_is_killed_is_done_by_another(two_workers, tmp_path):
    (tmp_path / "kills").write_text("2")

    (process,) = run(two_workers, replicated.killing_its_worker, [str(tmp_path / "kills")])

    assert process != os.getpid()
    assert (tmp_path / "kills").read_text() == "0"


def test_a_task_whose_worker_is_killed_again_and_again_is_an_error(two_workers, tmp_path):
    (tmp_path / "kills").write_text("9")

    with pytest.raises(EngineError, match=r"a task was given up: 4 workers died while they did it, the last at tcp://"):
        run(two_workers, replicated.killing_its_worker, [str(tmp_path / "kills")])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_if_the_client_is_ended(two_workers, tmp_path, sent):
    code = (
        "import sys; import replicated; from topoimp.engine.cluster import SideBySide;"
        "SideBySide(cluster=sys.argv[1]).run(replicated.marking_or_failing, sys.argv[2:], usual_jobs=1)"
    )
    command = [sys.executable, "-c", code, two_workers, tmp_path / "one", tmp_path / "two"]
    client = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    numbers = [int(wait_for(tmp_path / f"{name}.process")) for name in ("one", "two")]

    client.send_signal(sent)
    client.wait()

    assert all(map(has_ended, numbers))
    assert run(two_workers, replicated.doubled, [2]) == [4]


def test_no_process_is_left_if_the_scheduler_is_killed(machines, tmp_path):
    machines.start_worker()
    wait_for_file(machines.file)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, machines.file, replicated.marking_or_failing, [str(tmp_path / "one")])
        number = int(wait_for(tmp_path / "one.process"))

        machines.scheduler.kill()

        assert has_ended(number)
        with pytest.raises(EngineError, match="the scheduler is gone, or gave a task up"):
            running.result()


def test_a_cluster_whose_workers_have_all_gone_is_given_up(machines, tmp_path, monkeypatch):
    worker = machines.start_worker()
    wait_for_file(machines.file)
    monkeypatch.setattr(dask_pool, "PATIENCE", 60)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, machines.file, replicated.marking_or_failing, [str(tmp_path / "one")])
        wait_for(tmp_path / "one.process")

        monkeypatch.setattr(dask_pool, "PATIENCE", 0.5)
        os.killpg(worker.pid, signal.SIGKILL)  # with its nanny

        with pytest.raises(EngineError, match=r"scheduler.json: there has been no worker for 0 seconds"):
            running.result()


def test_results_that_cannot_be_fetched_together_are_fetched_one_by_one_and_again(two_workers, monkeypatch):
    fetch, failed = dask_pool.DaskPool._results_of, []

    def fetch_one(pool, names):
        if len(names) > 1:
            raise OSError("a worker is gone")
        if len(failed) < 3:
            failed.append(names)
            raise TimeoutError
        return fetch(pool, names)

    monkeypatch.setattr(dask_pool.DaskPool, "_results_of", fetch_one)

    assert run(two_workers, replicated.doubled, list(range(8))) == [2 * number for number in range(8)]
    assert len(failed) == 3


def test_a_scheduler_without_workers_is_given_up(machines, monkeypatch):
    wait_for_file(machines.file)
    monkeypatch.setattr(dask_clusters, "_FIRST_WORKER", 0.2)

    with pytest.raises(EngineError, match=r"scheduler.json: no worker came within 0 seconds"):
        run(machines.file, replicated.doubled, [1])


def test_an_address_without_a_scheduler_is_said(monkeypatch):
    monkeypatch.setattr(dask_clusters, "_CONNECT", 0.2)

    with pytest.raises(EngineError, match=r"tcp://127.0.0.1:9: no scheduler answers there: "):
        run("tcp://127.0.0.1:9", replicated.doubled, [1])


def test_a_file_of_a_scheduler_must_be_there(tmp_path):
    with pytest.raises(EngineError, match=r"none.json: there is no such file of a scheduler"):
        run(tmp_path / "none.json", replicated.doubled, [1])


def test_workers_of_another_version_are_refused_before_any_work(two_workers, monkeypatch, tmp_path):
    other = {**handshake.versions_here(), "topoimp": "9.9"}
    monkeypatch.setattr(dask_clusters, "versions_here", lambda: other)

    with pytest.raises(EngineError, match=r"has topoimp \S+, and the machine where the work began 9.9; all that work"):
        run(two_workers, replicated.writing_unless_first, [str(tmp_path / "third")])

    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_comes_later_compares_versions_too():
    versions = {**handshake.versions_here(), "sources of topoimp": "0123"}

    with pytest.raises(EngineError, match=r"has sources of topoimp \w{12}, and the machine where the work began 0123"):
        handshake.Sealed(versions, "here", b"is not opened").done(None)


def test_the_error_of_another_machine_names_it(monkeypatch):
    sealed = handshake.Sealed.of(replicated.diverging)
    monkeypatch.setattr("platform.node", lambda: "node7")

    with pytest.raises(TrainingError, match=r"^round 3: diverged \(on node7\)$"):
        sealed.done(None)


def test_processes_of_an_own_cluster_end_with_it():
    results = SideBySide(cluster="local:2").run(replicated.squared, [1, 2, 3], usual_jobs=1)

    assert [square for square, _ in results] == [1, 4, 9]


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_does_the_work(kind):
    with kind(2, mp_context=SPAWN) if kind is ProcessPoolExecutor else kind(2) as executor:
        results = SideBySide(cluster=executor).run(replicated.squared, [3, 1, 2], usual_jobs=1)
        with pytest.raises(TrainingError, match="task 1 failed"):
            SideBySide(cluster=executor).run(replicated.failing_at_once, [1], usual_jobs=1)

    assert [square for square, _ in results] == [9, 1, 4]
    assert len({process for _, process in results} | {os.getpid()}) == 4


@pytest.mark.parametrize("text", ["", "tcp:/x", "tcp://host", "local", "local:0", "local:-1", "SLURM", "k8s"])
def test_other_texts_are_told_what_is_known(text, monkeypatch):
    with pytest.raises(OptionError, match=rf"the cluster is '{text}'; it must be tcp://HOST:PORT, tls://HOST:PORT, a "):
        SideBySide(cluster=text)
    if text:
        monkeypatch.setenv("TOPOIMP_CLUSTER", text)
        with pytest.raises(OptionError, match=f"the cluster is '{text}'"):
            SideBySide()


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        *((f"tcp://{host}:1", False) for host in ("127.0.0.1", "localhost", "[::1]")),
        ("tls://10.0.0.1:1", False),
        *((f"tcp://{host}:8786", True) for host in ("10.0.0.1", "head")),
    ],
)
def test_an_open_address_is_said_to_be_open(address, is_open):
    assert SideBySide(cluster=address).notes() == (
        [f"{address} is open to all who can reach it: they can run any code there; tls:// is not"] if is_open else []
    )


def test_a_file_has_the_settings_of_a_queueing_system(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("scheduler: slurm\njobs: 4\ncores: 2\nmemory: 8GB\n")

    assert cluster.read_settings(path) == ("slurm", 4, {"cores": 2, "memory": "8GB"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cores: 2", r"names no scheduler; it needs one of slurm, pbs, lsf, sge, as in 'scheduler: slurm'"),
        ("scheduler: evil.Cluster", "names no scheduler"),
        ("scheduler: slurm\njobs: 0", "jobs is 0; it must be a number, at least 1"),
        ("scheduler: slurm\nsecurity: x", "has a setting 'security'; known are account, cores"),
        ("!!python/object/apply:os.getcwd []", "cannot be read as settings of a cluster"),
        ("- a\n- b", "names no scheduler"),
        ("{", "cannot be read as settings of a cluster"),
    ],
)
def test_settings_that_are_none_are_said(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)

    with pytest.raises(OptionError, match=rf"c.yaml: {message}"):
        cluster.read_settings(tmp_path / "c.yaml")


def test_a_file_of_settings_that_is_not_there_is_said(tmp_path):
    with pytest.raises(
        OptionError, match=r"c.yaml: cannot be read as settings of a cluster: No such file or directory$"
    ):
        cluster.read_settings(tmp_path / "c.yaml")


def test_jobs_of_a_queueing_system_are_started_as_the_file_says(tmp_path, monkeypatch):
    """The queue is replaced by processes of this machine."""
    asked = {}

    class Queue(distributed.LocalCluster):
        def __init__(self, **settings):
            asked.update(settings)
            security, protocol = settings["security"], settings["protocol"]
            options = {"processes": True, "dashboard_address": "127.0.0.1:0", "threads_per_worker": 1}
            super().__init__(n_workers=0, host="127.0.0.1", security=security, protocol=protocol, **options)

        def close(self, timeout=None):
            asked["jobs"] = len(self.worker_spec)
            return super().close(timeout)

    monkeypatch.setattr(dask_jobqueue, "SLURMCluster", Queue)
    (tmp_path / "c.yaml").write_text(
        "scheduler: slurm\njobs: 2\ncores: 1\nmemory: 1GB\nqueue: short\njob_script_prologue: [module load python]\n"
    )

    assert run(tmp_path / "c.yaml", replicated.doubled, [1, 2, 3]) == [2, 4, 6]
    assert (asked["jobs"], asked["queue"], asked["protocol"]) == (2, "short", "tls://")
    assert asked["job_script_prologue"][0] == "module load python"
    assert "export DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE=False" in asked["job_script_prologue"]


def test_a_queueing_system_that_takes_no_jobs_says_why(tmp_path):
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    (tmp_path / "c.yaml").write_text("scheduler: slurm\ncores: 1\nmemory: 1GB\ninterface: lo\n")
    arguments = ["train", "mlp:64-8-10", "--epochs", "1", "--cluster", "c.yaml", "--output", "run"]
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    ended = subprocess.run(
        [sys.executable, "-m", "topoimp", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr == "error: slurm: its jobs cannot be started: sbatch: error: invalid partition\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml", "sbatch"]


def test_a_queueing_system_without_its_settings_is_said():
    with pytest.raises(EngineError, match=r"slurm: the cores of a job are not known; a .yaml file as cluster, or"):
        run("slurm", replicated.doubled, [1])


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "topoimp.engine.dask_clusters", None)
    monkeypatch.delattr("topoimp.engine.dask_clusters")

    with pytest.raises(EngineError, match=r"a cluster needs Dask \(.*\): pip install 'topoimp\[cluster\]'"):
        run("local:1", replicated.doubled, [1])


def test_nothing_of_dask_is_imported_without_a_cluster():
    code = (
        "import sys, topoimp.public, topoimp.commands.train, topoimp.commands.prune_run, topoimp_cli.app;"
        "print(sorted({'dask', 'distributed', 'yaml', 'tornado'} & {*sys.modules}))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
