"""The programs of forking.py as tests start them: with their output kept, or by a name for shells."""

import os
import shlex
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import forking
from forking import TOPOIMP, Forked

PREPARATION = """
import contextlib, io, os, tempfile, threading
from pathlib import Path
import numpy as np
from topoimp.checkpoint import write_arrays
from topoimp_cli.app import main

home = Path.cwd()
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    os.chdir(folder)
    write_arrays(Path("a.safetensors"), {"w": np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)}, {})
    for command in (
        "barcode a.safetensors",
        "bound a.safetensors --densities 0.5",
        "prune a.safetensors --rounds 2",
        "compare a.safetensors a.pruned.safetensors",
        "compare a.safetensors a.pruned.safetensors --null shuffle:2",
    ):
        assert main([*command.split(), "--quiet", "--threads", "1"]) == 0
    os.chdir(home)
assert threading.active_count() == 1  # or a fork could find a lock held by a thread that it does not have
"""
"""One command of each kind, so that each forked process has all modules and kernels."""


class Captured(Forked):
    """A program whose stdout and stderr are kept."""

    def __init__(self, address, code, arguments, folder=None):
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115  # closed at the end
        with Path(os.devnull).open() as nothing:
            streams = [each.fileno() for each in (nothing, self._out, self._err)]
            super().__init__(address, code, arguments, streams, folder)

    def written(self):
        """Return what the process has written to stdout so far."""
        return os.pread(self._out.fileno(), 1 << 20, 0).decode()

    def communicate(self, timeout=None):
        """Wait for the end, and give stdout and stderr."""
        self.wait(timeout)
        texts = [os.pread(each.fileno(), 1 << 20, 0).decode() for each in (self._out, self._err)]
        self._out.close()
        self._err.close()
        return tuple(texts)


class Forks:
    """Starts programs in forked processes."""

    def __init__(self, folder):
        self.address = folder / "socket"
        self.programs = folder / "bin"
        """A folder for PATH; its ``topoimp`` runs in a forked process, on the streams of its caller."""

        self.programs.mkdir()
        program = self.programs / "topoimp"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(self.command())} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def command(self, code=TOPOIMP):
        """Give the words of a command that runs code in a forked process, on the streams of its caller."""
        return [sys.executable, "-I", "-S", forking.__file__, str(self.address), code]

    def start(self, *arguments, code=TOPOIMP, folder=None):
        """Start a program that has no input and keeps its output."""
        return Captured(self.address, code, arguments, folder)


@contextmanager
def running_forks():
    """Start the process that forks, and end it with the context."""
    with tempfile.TemporaryDirectory() as folder:  # its name is short, as that of a socket must be
        forks = Forks(Path(folder))
        server = f"import forking; forking.serve({str(forks.address)!r}, {PREPARATION!r})"
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path}
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", server], stdin=pipe, stdout=pipe, env=environment) as process:
            assert process.stdout.readline() == b"ready\n"
            yield forks
            process.stdin.close()
