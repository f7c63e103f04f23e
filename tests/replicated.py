"""What the tests of replicates have done in other processes."""

import ctypes
import multiprocessing
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

from topoimp.checkpoint.locking import ends_with, owned
from topoimp.engine.child import end_with_parent
from topoimp.errors import TrainingError, VerificationError


def squared(task, on_step):
    on_step(1, 2)
    print("noise")  # noqa: T201  # must not get in between
    on_step(2, 2)
    return task**2, os.getpid()


def failing(task, on_step):  # noqa: ARG001
    if task == 1:
        raise TrainingError("task 1 failed")
    time.sleep(30)


class SlowToArrive:
    """A task that leaves a mark when it is unpickled, and then takes a minute."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return leaving_a_mark, (self.path, None)


def failing_once_marked(task, on_step):  # noqa: ARG001
    deadline = time.monotonic() + 60
    while not Path(task).with_suffix(".begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    raise TrainingError("the first task failed")


def crashing(task, on_step):  # noqa: ARG001
    os._exit(9)


def defective(task, on_step):  # noqa: ARG001
    return task / 0


def doubled(task, on_step):  # noqa: ARG001
    return 2 * task


def leaving_a_mark(task, on_step):  # noqa: ARG001
    """Write the process id to a file, and another file when interrupted."""
    path = Path(task)
    _write_at_once(path.with_suffix(".begun"))
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        path.with_suffix(".cleaned").touch()
        raise


def leaving_a_mark_without_the_kernel(task, on_step):
    """Clear the parent-death signal, and end with the parent as on a system without it."""
    ctypes.CDLL(None).prctl(1, 0)
    with patch("sys.platform", "another"):
        end_with_parent(os.getppid())
    leaving_a_mark(task, on_step)


def staying(task, on_step):  # noqa: ARG001
    _write_at_once(Path(task).with_suffix(".begun"))
    while True:
        with suppress(KeyboardInterrupt):
            time.sleep(60)


def holding(lock, connection):
    """Own a lock until the connection sends or closes, and tell the number of this process."""
    ends_with(os.getppid())
    with owned(lock), suppress(EOFError):
        connection.send(os.getpid())
        connection.recv()


def holding_in_a_child(lock, connection):
    child = multiprocessing.get_context("spawn").Process(target=holding, args=(lock, connection))
    child.start()
    child.join()


def _write_at_once(path):
    partial = path.with_suffix(".partial")
    partial.write_text(str(os.getpid()))
    partial.replace(path)


def killed_before(task, on_step):  # noqa: ARG001
    """Be killed as often as a file says, once less each time."""
    _kill_if_left(Path(task), os.getpid())
    return os.getpid()


def _kill_if_left(path, process):
    """Kill a process, unless a file says that it has been done often enough."""
    n_times = int(path.read_text())
    if n_times:
        path.write_text(str(n_times - 1))
        os.kill(process, signal.SIGKILL)
        time.sleep(60)


def writing_unless_first(task, on_step):  # noqa: ARG001
    path = Path(task)
    if path.name != "third":
        raise TrainingError(f"no file {path.name}")
    path.touch()


def going_on_once_seen(task, on_step):
    """Report a step, and wait until a file is there."""
    on_step(1, 2)
    deadline = time.monotonic() + 60
    while not Path(task).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return Path(task).exists()


def marking_or_failing(task, on_step):  # noqa: ARG001
    """Write the process id, and wait for a minute; or fail once another process has written its own."""
    path = Path(task)
    if path.name != "fails":
        path.with_suffix(".process").write_text(f"{os.getpid()}\n")
        time.sleep(60)
    deadline = time.monotonic() + 60
    while not list(path.parent.glob("*.process")) and time.monotonic() < deadline:
        time.sleep(0.02)
    raise TrainingError("the first task failed")


def killing_its_worker(task, on_step):  # noqa: ARG001
    """Kill the process that started this one as often as a file says, once less each time."""
    _kill_if_left(Path(task), os.getppid())
    return os.getpid()


def failing_at_once(task, on_step):  # noqa: ARG001
    raise TrainingError(f"task {task} failed")


def diverging(supervisor):  # noqa: ARG001
    raise TrainingError("round 3: diverged")


def long_marking(task, on_step):  # noqa: ARG001
    """Write the process id, and wait until a file lets it go."""
    path = Path(task)
    path.with_suffix(".process").write_text(f"{os.getpid()}\n")
    deadline = time.monotonic() + 300
    while not path.with_name("go").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return "done"


def failing_to_write(_shard, _threads, _check):
    """Fail, as a worker that finds its shard to be wrong."""
    raise VerificationError("this shard is not written")


def killing_the_worker_of_the_fourth(path, threads, check):
    """Return the name of a path; kill the worker if it is 3 and no worker was killed before."""
    check()
    assert threads >= 1
    if path.name == "3" and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name
