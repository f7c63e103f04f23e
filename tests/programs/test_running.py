import signal
import subprocess
import sys

import pytest
from processes import has_ended

from topoimp.programs import running


class StoppedError(Exception):
    """An interruption by a signal."""


def interrupt(_number, _frame):
    raise StoppedError


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_command_starts_leaves_nothing_of_it(monkeypatch, tmp_path, sent):
    started = []

    class Popen(subprocess.Popen):
        """A process during whose start a signal comes."""

        def __init__(self, command, **options):
            super().__init__(command, **options)
            if command[0] == sys.executable:
                started.append(self.pid)
                signal.raise_signal(sent)

    monkeypatch.setattr(running.subprocess, "Popen", Popen)
    handler = signal.signal(sent, interrupt)
    try:
        with (tmp_path / "log").open("wb") as log, pytest.raises(StoppedError):
            running.run_command([sys.executable, "-c", "import time; time.sleep(600)"], stdout=log, stderr=log)

        assert signal.getsignal(sent) is interrupt
    finally:
        signal.signal(sent, handler)

    assert len(started) == 1
    assert has_ended(started[0])


def test_a_command_that_ends_gives_its_status(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        status = running.run_command([sys.executable, "-c", "raise SystemExit(3)"], stdout=log, stderr=log)

    assert status == 3
