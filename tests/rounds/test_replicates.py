import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import replicated

from topoimp.errors import TrainingError
from topoimp.rounds.replicates import run_tasks


def test_results_come_in_the_order_of_the_tasks():
    results = run_tasks(replicated.squared, [3, 1, 2], jobs=2)

    assert [square for square, _ in results] == [9, 1, 4]
    assert len({process for _, process in results} | {os.getpid()}) == 4


def test_one_at_a_time_runs_right_here():
    assert run_tasks(replicated.squared, [3, 1], jobs=1) == [(9, os.getpid()), (1, os.getpid())]
    assert run_tasks(replicated.squared, [3], jobs=2) == [(9, os.getpid())]
    assert run_tasks(replicated.squared, [], jobs=2) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_adds_up(jobs):
    told = []

    run_tasks(replicated.squared, [1, 2, 3], jobs=jobs, on_step=lambda done, n_steps: told.append((done, n_steps)))

    assert told[-1] == (6, 6)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(n_steps == 6 for _, n_steps in told)


def test_the_first_failure_ends_the_others():
    begin = time.monotonic()

    with pytest.raises(TrainingError, match="task 1 failed"):
        run_tasks(replicated.failing, [0, 1, 2], jobs=2)

    assert time.monotonic() - begin < 20


def test_a_process_that_crashes_is_noticed():
    with pytest.raises(ChildProcessError, match="a process that ran a replicate ended with status 9"):
        run_tasks(replicated.crashing, [0, 1], jobs=2)


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_cleanly_when_nobody_waits_for_them(tmp_path, ended_by):
    process = _started("leaving_a_mark", tmp_path)
    _wait_for(tmp_path, "begun")

    process.send_signal(ended_by)
    process.communicate()

    _wait_for(tmp_path, "cleaned")


def test_an_interruption_by_the_terminal_is_said_once(tmp_path):
    process = _started("leaving_a_mark", tmp_path)
    _wait_for(tmp_path, "begun")

    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to all processes of the group
    _, said = process.communicate()

    _wait_for(tmp_path, "cleaned")
    assert said.count("KeyboardInterrupt") == 1
    assert "Fatal" not in said


@pytest.mark.parametrize("incoming", [b"", b"\x80\x04", pickle.dumps([]), pickle.dumps([]) + b"\x80\x04\x95"])
def test_a_process_whose_task_never_comes_ends_without_a_word(incoming):
    command = [sys.executable, "-m", "topoimp.rounds.replicates"]

    ended = subprocess.run(command, input=incoming, capture_output=True, check=False)

    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_a_defect_is_shown_where_it_happened(capfd):
    with pytest.raises(ChildProcessError, match="a process that ran a replicate ended with status 1"):
        run_tasks(replicated.defective, [0, 1], jobs=2)

    said = capfd.readouterr().err
    assert "ZeroDivisionError" in said
    assert "Fatal" not in said


def _started(work, folder):
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import replicated; from topoimp.rounds.replicates import run_tasks;"
        "run_tasks(getattr(replicated, sys.argv[3]), [sys.argv[4] + '/a', sys.argv[4] + '/b'], jobs=2)"
    )
    here = Path(__file__).parent
    command = [sys.executable, "-c", code, here, here.parent, work, folder]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _wait_for(folder, what):
    begin = time.monotonic()
    while time.monotonic() - begin < 30 and len(list(folder.glob(f"*.{what}"))) < 2:
        time.sleep(0.05)
    assert len(list(folder.glob(f"*.{what}"))) == 2
