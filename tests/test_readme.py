"""The README's commands and its Python run, and print what it says they print."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import REPOSITORY, SAMPLES, without_compiling

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def sessions(text):
    r"""Each command of the console blocks, which may go on after ``&&`` or ``\``, with the lines that follow it."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command = re.match(r"(?:[^\n]*(?:&&|\\)\n)*[^\n]*\n", part)[0]
            yield command, part[len(command) :]


@pytest.fixture
def folder(tmp_path):
    """A fresh folder with the samples."""
    for path in SAMPLES.glob("*.safetensors"):
        shutil.copy(path, tmp_path)
    return tmp_path


def squeezed(text):
    """The text without trailing white space, as documents are kept."""
    return [line.rstrip() for line in text.strip().splitlines()]


def test_every_command_prints_what_the_readme_shows_its_pipelines_with_both_outcomes(forks, folder):
    programs = f"{forks.programs}{os.pathsep}{os.environ['PATH']}"
    shown = list(sessions(README))

    assert [re.findall(r"topoimp (\w+)", command) for command, _ in shown] == [
        ["prune"],
        ["prune", "compare"],
        ["prune", "compare"],
    ]
    for command, output in shown:
        done = subprocess.run(  # noqa: S602  # ours
            command,
            shell=True,
            cwd=folder,
            env={**os.environ, "PATH": programs},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        assert squeezed(without_compiling(done.stdout)) == squeezed(output)


def test_the_python_prints_what_the_readme_shows(folder):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (output,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)

    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)

    assert squeezed(done.stdout) == squeezed(output)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


def test_every_file_that_the_readme_points_to_is_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)

    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
