"""Run a notebook in the folder that it lies in: python notebook_runner.py NOTEBOOK DONE.

A program of its own, as the warnings of Jupyter's packages are none of topoimp's.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

LIMIT = 300
"""Seconds that a cell, or the start of Python, may take: many times what it takes on a busy machine."""

if __name__ == "__main__":
    source, done = map(Path, sys.argv[1:])
    notebook = nbformat.read(source, as_version=4)
    resources = {"metadata": {"path": str(source.parent)}}
    client = NotebookClient(notebook, timeout=LIMIT, startup_timeout=LIMIT, kernel_name="python3", resources=resources)
    client.execute()
    nbformat.write(notebook, done)
