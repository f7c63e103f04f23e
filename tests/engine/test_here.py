import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import replicated
from processes import is_running

from topoimp.engine.here import run_tasks
from topoimp.errors import EngineError, TrainingError


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


def test_a_process_that_is_ended_while_its_task_arrives_says_nothing(tmp_path, capfd):
    path = str(tmp_path / "second")

    with pytest.raises(TrainingError, match="the first task failed"):
        run_tasks(replicated.failing_once_marked, [path, replicated.SlowToArrive(path)], jobs=2)

    assert "Traceback" not in capfd.readouterr().err


def test_a_process_that_crashes_is_noticed():
    with pytest.raises(ChildProcessError, match="a process that ran a task ended with status 9"):
        run_tasks(replicated.crashing, [0, 1], jobs=2)


def two_files(folder, n_times):
    """Tasks whose processes are killed before they do them, the first as often as said."""
    for name, number in (("first", n_times), ("second", 0)):
        (folder / name).write_text(str(number))
    return [str(folder / name) for name in ("first", "second")]


def test_a_task_whose_process_is_killed_is_begun_again_twice(tmp_path):
    first, second = run_tasks(replicated.killed_before, two_files(tmp_path, 2), jobs=2)

    assert len({first, second, os.getpid()}) == 3


def test_a_task_whose_process_is_killed_again_and_again_is_an_error(tmp_path):
    with pytest.raises(EngineError, match=r"the process of a task was ended 3 times, at last by SIGKILL; systems do"):
        run_tasks(replicated.killed_before, two_files(tmp_path, 3), jobs=2)


def test_other_tasks_go_on_if_they_are_to(tmp_path):
    files = [str(tmp_path / name) for name in ("first", "second", "third")]

    with pytest.raises(TrainingError, match=r"no file first \(2 of 3 failed; this is the first\)"):
        run_tasks(replicated.writing_unless_first, files, jobs=1, keeps_going=True)

    assert [path.name for path in tmp_path.iterdir()] == ["third"]


def test_processes_end_at_once_when_the_one_that_started_them_is_killed(tmp_path):
    process = _started("leaving_a_mark", tmp_path)
    numbers = [int(path.read_text()) for path in _wait_for(tmp_path, "begun")]

    process.kill()
    process.communicate()

    _wait_for_end_of(numbers)
    assert not list(tmp_path.glob("*.cleaned"))


def test_where_the_kernel_does_not_end_a_process_with_its_parent_a_thread_does(tmp_path):
    process = _started("leaving_a_mark_without_the_kernel", tmp_path)
    numbers = [int(path.read_text()) for path in _wait_for(tmp_path, "begun")]

    process.kill()
    process.communicate()

    _wait_for_end_of(numbers)


@pytest.mark.parametrize("send", [os.killpg, os.kill])
def test_an_interruption_is_said_once_and_processes_clean_up(tmp_path, send):
    process = _started("leaving_a_mark", tmp_path)
    numbers = [int(path.read_text()) for path in _wait_for(tmp_path, "begun")]

    send(process.pid, signal.SIGINT)  # to all processes of the group, as a terminal does, or to the first alone
    _, stderr = process.communicate()

    assert not any(map(is_running, numbers))
    assert len(list(tmp_path.glob("*.cleaned"))) == 2
    assert stderr.count("KeyboardInterrupt") == 1
    assert "Fatal" not in stderr


def test_a_process_that_does_not_end_when_it_is_told_to_is_killed(tmp_path):
    process = _started("staying", tmp_path)
    numbers = [int(path.read_text()) for path in _wait_for(tmp_path, "begun")]

    process.send_signal(signal.SIGINT)
    process.communicate()

    assert not any(map(is_running, numbers))


def test_a_script_is_not_run_again_by_the_processes_it_starts(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; import replicated; from topoimp.engine.here import run_tasks\n"
        "print(run_tasks(replicated.doubled, [1, 2], jobs=2))\n"
    )

    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=_environment())

    assert ended.stdout == "[2, 4]\n"


def test_a_defect_is_shown_where_it_happened(capfd):
    with pytest.raises(ChildProcessError, match="a process that ran a task ended with status 1"):
        run_tasks(replicated.defective, [0, 1], jobs=2)

    said = capfd.readouterr().err
    assert "ZeroDivisionError" in said
    assert "Fatal" not in said


def _environment():
    folder = Path(__file__).parent.parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [folder, folder.parent]))}


def _started(work, folder):
    code = (
        "import sys; import replicated; from topoimp.engine.here import run_tasks;"
        "run_tasks(getattr(replicated, sys.argv[1]), [sys.argv[2] + '/a', sys.argv[2] + '/b'], jobs=2)"
    )
    command = [sys.executable, "-c", code, work, folder]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, env=_environment())


def _wait_for(folder, suffix):
    """Wait until both tasks have left their mark, and return the files."""
    deadline = time.monotonic() + 60
    while len(found := list(folder.glob(f"*.{suffix}"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(found) == 2
    return found


def _wait_for_end_of(numbers):
    deadline = time.monotonic() + 10
    while any(map(is_running, numbers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_running, numbers))
