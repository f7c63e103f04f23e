"""The notebooks of the documents run, and show what they say they show."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "docs/notebooks").glob("*.ipynb"))

LIMIT = 900
"""Seconds that a notebook may take: many times what it takes on a busy machine."""


def outputs_of(path, done):
    """Run a notebook, and return the data of its outputs."""
    runner = Path(__file__).with_name("notebook_runner.py")
    subprocess.run([sys.executable, runner, path, done], check=True, capture_output=True, timeout=LIMIT)
    cells = json.loads(done.read_text(encoding="utf-8"))["cells"]
    return [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]


def test_the_first_look_shows_reports_and_a_figure(tmp_path):
    outputs = outputs_of(REPOSITORY / "docs/notebooks/first-look.ipynb", tmp_path / "done.ipynb")

    assert sum("fc1.weight" in "".join(data.get("text/html", "")) for data in outputs) == 3
    assert sum("image/png" in data for data in outputs) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]

    assert [cell["outputs"] for cell in cells if cell.get("outputs")] == []
