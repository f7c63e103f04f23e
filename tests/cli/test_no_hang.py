"""No command waits for ever, on any number of threads: layers go to workers, or are split over all threads."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY

SMALL = {"a": (60, 40), "b": (40, 30), "c": (30, 20), "d": (20, 10)}
SPLIT = {"a": (800, 700), "b": (40, 30)}
"""The first has more weights than are worked on together."""

COMMANDS = """\
barcode model.safetensors --curve curve.csv --bars bars.csv --force
bound model.safetensors --densities 0.5,0.02
prune model.safetensors --rounds 2 --dry-run
prune model.safetensors --rounds 2 --force
prune model.safetensors --rounds 2 --epsilon 0.1 --force
prune model.safetensors --rounds 2 --scope global --force
prune model.safetensors --sparsity 0.5 --method random --force
prune model.safetensors --sparsity 0.98 --method magnitude --force -o other.safetensors
prune model.safetensors --apply-mask other.mask.safetensors --force
compare model.safetensors other.safetensors other.mask.safetensors
compare model.safetensors other.safetensors --null shuffle:3
compare model.safetensors other.safetensors --null shuffle:3:edges
compare model.safetensors other.safetensors --null shuffle:3:block
compare model.safetensors other.safetensors --null shuffle:3:rows
compare model.safetensors other.safetensors --null columns:3
compare model.safetensors other.safetensors --null iid:3
compare model.safetensors other.safetensors --null degrees:3 --null random --null scales:3
"""
"""Every kind of command on files, in an order in which each finds its inputs; in ``other`` whole rows are zero."""

TRAINING = """\
train mlp:64-16-10 --epochs 1 --batch-size 2000 --output run --force
prune run --rounds 1 --force
barcode model.safetensors --check
"""
"""Commands whose layers are few and small."""

PROGRAM = """
import faulthandler, sys
from topoimp.layers import streaming
from topoimp_cli.app import main

if sys.argv[1] == "split":
    streaming.LARGE = 1
for line in sys.stdin.read().strip().splitlines():
    for threads in "321":
        faulthandler.dump_traceback_later(60, exit=True)
        command = [*line.split(), "--threads", threads, "--quiet"]
        print(*command, flush=True)
        sys.stdout, stdout = open("out", "w"), sys.stdout
        status = main(command)
        sys.stdout = stdout
        if status:
            sys.exit(status)
print("all have ended")
"""


@pytest.mark.parametrize(
    ("where", "shapes", "commands"), [("workers", SMALL, COMMANDS + TRAINING), ("split", SPLIT, COMMANDS)]
)
def test_every_command_ends_on_any_number_of_threads(tmp_path, where, shapes, commands):
    from topoimp.checkpoint import write_arrays

    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    write_arrays(tmp_path / "model.safetensors", arrays, {})

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, where],
        input=commands,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )

    assert ended.stdout.endswith("all have ended\n"), ended.stdout.splitlines()[-1:] + ended.stderr.splitlines()[-20:]
