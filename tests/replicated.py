"""What the tests of replicates have done in other processes."""

import os
import time
from pathlib import Path

from topoimp.errors import TrainingError


def squared(task, on_step):
    on_step(1, 2)
    print("noise")  # noqa: T201  # must not get in between
    on_step(2, 2)
    return task**2, os.getpid()


def failing(task, on_step):  # noqa: ARG001
    if task == 1:
        raise TrainingError("task 1 failed")
    time.sleep(30)


def crashing(task, on_step):  # noqa: ARG001
    os._exit(9)


def defective(task, on_step):  # noqa: ARG001
    return task / 0


def leaving_a_mark(task, on_step):  # noqa: ARG001
    path = Path(task)
    path.with_suffix(".begun").touch()
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        path.with_suffix(".cleaned").touch()
        raise
