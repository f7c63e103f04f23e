"""Seeds on a real SLURM of two nodes: as an array of jobs, and by jobs that topoimp submits."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import slurm
from conftest import REPOSITORY

from topoimp.commands.prune_run import prune_run
from topoimp.commands.train import train_run
from topoimp.pruning.options import PruningOptions

pytestmark = pytest.mark.soak

TOPOIMP = Path(sys.executable).with_name("topoimp")
ARRAY = f"""#!/bin/sh
#SBATCH --array=0-3
#SBATCH --cpus-per-task=1
#SBATCH --requeue
set -e
export PYTHONPATH={REPOSITORY}
{TOPOIMP} train mlp:64-16-10 --epochs 2 --output sweep --seeds "$SLURM_ARRAY_TASK_ID,"
{TOPOIMP} prune sweep --rounds 2 --seeds "$SLURM_ARRAY_TASK_ID,"
"""
SETTINGS = f"scheduler: slurm\njobs: 2\ncores: 1\nmemory: 2GB\ninterface: eth0\npython: {sys.executable}\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if slurm.missing() is not None:
        pytest.skip(slurm.missing())
    with ExitStack() as stack:
        yield slurm.Slurm(tmp_path_factory.mktemp("slurm"), stack)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The files of the same seeds on one machine."""
    folder = tmp_path_factory.mktemp("alone") / "sweep"
    train_run("mlp:64-16-10", output=folder, epochs=2, seeds=range(4), jobs=1)
    prune_run(folder, PruningOptions(rounds=2), jobs=1)
    return files_in(folder)


def files_in(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_an_array_of_jobs_makes_the_folder_of_one_machine(cluster, alone, tmp_path):
    (tmp_path / "sweep.sh").write_text(ARRAY)

    submitted = cluster.run("sbatch", "sweep.sh", folder=tmp_path)
    cluster.wait_until(lambda: cluster.n_jobs() == 0)

    assert submitted.returncode == 0, submitted.stderr
    assert files_in(tmp_path / "sweep") == alone


def test_an_array_that_is_cancelled_and_submitted_again_makes_it_too(cluster, alone, tmp_path):
    (tmp_path / "sweep.sh").write_text(ARRAY)
    number = cluster.run("sbatch", "--parsable", "sweep.sh", folder=tmp_path).stdout.strip()
    cluster.wait_until(lambda: list(tmp_path.glob("sweep/seed-*/model.safetensors")))

    cluster.run("scancel", number)
    cluster.wait_until(lambda: cluster.n_jobs() == 0)
    cluster.run("sbatch", "sweep.sh", folder=tmp_path)
    cluster.wait_until(lambda: cluster.n_jobs() == 0)

    assert files_in(tmp_path / "sweep") == alone


def test_jobs_that_topoimp_submits_make_it_too(cluster, alone, tmp_path):
    (tmp_path / "s.yaml").write_text(SETTINGS)
    commands = (
        ["train", "mlp:64-16-10", "--epochs", "2", "--output", "sweep", "--seeds", "4"],
        ["prune", "sweep", "--rounds", "2"],
    )

    for words in commands:
        ended = cluster.run(TOPOIMP, *words, "--cluster", "s.yaml", "--quiet", folder=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
        cluster.wait_until(lambda: cluster.n_jobs() == 0)

    assert files_in(tmp_path / "sweep") == alone
    assert not list(tmp_path.glob(".topoimp-*"))


def test_jobs_are_cancelled_with_the_command(cluster, tmp_path):
    (tmp_path / "s.yaml").write_text(SETTINGS)
    words = ["train", "lenet-300-100", "--epochs", "500", "--output", "sweep", "--seeds", "2", "--cluster", "s.yaml"]
    command = cluster.inside("ctl", TOPOIMP, *words, "--quiet")
    process = subprocess.Popen(command, env=cluster.environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    cluster.wait_until(lambda: list(tmp_path.glob("sweep/seed-*")))

    os.kill(process.pid, signal.SIGTERM)
    process.wait()

    cluster.wait_until(lambda: cluster.n_jobs() == 0)
    assert not list(tmp_path.glob("sweep/seed-*/*.safetensors"))
