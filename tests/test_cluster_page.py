"""docs/cluster.md is true: its array of jobs makes the run folder that one command makes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "cluster.md").read_text(encoding="utf-8")
JOB = next(code for code in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if code.startswith("#!"))
MAGNITUDE = next(line for line in JOB.splitlines(keepends=True) if "magnitude" in line)
SMALLER = {MAGNITUDE: "", "lenet-300-100": "mlp:64-8-10 --epochs 1", "--rounds 20": "--rounds 2"}


@pytest.fixture
def job(tmp_path):
    """The script of the page with one method, a smaller network and fewer rounds."""
    text = JOB
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "sweep.sh"
    path.write_text(text, encoding="utf-8")
    return path


def files_in(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_jobs_of_an_array_make_the_folder_of_one_machine(job, forks, topoimp, tmp_path, monkeypatch):
    programs = [str(forks.programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(programs)}

    tasks = [
        subprocess.Popen(
            ["sh", job],
            cwd=tmp_path,
            env={**environment, "SLURM_ARRAY_TASK_ID": str(number)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    errors = [task.communicate()[1] for task in tasks]

    assert [task.returncode for task in tasks] == [0, 0], errors
    (tmp_path / "alone").mkdir()
    monkeypatch.chdir(tmp_path / "alone")
    commands = [line.replace('"$SLURM_ARRAY_TASK_ID,"', "0,1 --jobs 1") for line in job.read_text().splitlines()]
    for command in commands:
        if command.startswith("topoimp"):
            assert topoimp(*command.split()[1:]).status == 0
    assert files_in(tmp_path / "sweep") == files_in(tmp_path / "alone/sweep")
