"""A cluster of Dask over loopback, whose processes tests kill."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from processes import PATIENCE

TESTS = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [TESTS, TESTS.parent]))}


class Machines:
    """A scheduler and workers, each a process of its own that can be killed; a nanny starts a worker again."""

    def __init__(self, folder, stack):
        self.file = folder / "scheduler.json"
        self._stack = stack
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show", "--no-dashboard")

    def _start(self, program, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{program}", "--scheduler-file", self.file, *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env=ENVIRONMENT, cwd=TESTS.parent, start_new_session=True, **quiet)
        self._stack.callback(process.wait)
        self._stack.callback(_kill_group, process.pid)
        return process

    def start_worker(self):
        options = ("--nthreads", "1", "--memory-limit", "0", "--no-dashboard", "--death-timeout", "60")
        return self._start("worker", *options, "--host", "127.0.0.1")


def _kill_group(number):
    with suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)


def wait_for_file(path):
    """Wait until a file is there."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
