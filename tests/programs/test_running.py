import signal
import subprocess
import sys

import pytest
from conftest import REPOSITORY
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
            if sys.executable in command:
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


@pytest.mark.parametrize(
    ("program", "error"), [("no-such-command", FileNotFoundError), ("./data", PermissionError), ("./none", OSError)]
)
def test_a_program_that_is_not_there_or_cannot_be_run_is_an_error(monkeypatch, tmp_path, program, error):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").write_text("numbers")

    with (tmp_path / "log").open("wb") as log, pytest.raises(error, match=program):
        running.run_command([program], stdout=log, stderr=log)


def test_a_command_gets_its_arguments_as_they_are_and_no_input(tmp_path):
    code = "import sys; print(sys.argv[1:], repr(sys.stdin.read()))"
    arguments = ["a b", "$HOME", "'", "", "-n", "*"]

    with (tmp_path / "log").open("wb") as log:
        running.run_command([sys.executable, "-c", code, *arguments], stdout=log, stderr=log)

    assert (tmp_path / "log").read_text() == f"{arguments} ''\n"


def test_a_command_is_watched_before_it_runs(tmp_path):
    """topoimp may be killed once a command has started, before it can tell anyone of it."""
    code = (
        "import subprocess, sys, os, signal\n"
        "from topoimp.programs import running\n"
        "class Popen(subprocess.Popen):\n"
        "    def __init__(self, command, **options):\n"
        "        super().__init__(command, **options)\n"
        "        if 'sleep 600' in command[-1]:\n"
        "            while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read().endswith('\\n'):\n"
        "                pass\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "running.subprocess.Popen = Popen\n"
        "null = open(os.devnull, 'wb')\n"
        "running.run_command(['sh', '-c', f'echo $$ > {sys.argv[1]}; sleep 600'], stdout=null, stderr=null)\n"
    )

    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "pid")], check=False, cwd=REPOSITORY)

    assert killed.returncode == -signal.SIGKILL
    assert has_ended(int((tmp_path / "pid").read_text()))
