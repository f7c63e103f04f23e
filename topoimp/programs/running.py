"""Run a command of the user in a process group of its own, which ends with the command, however that ends.

The command ends by itself, at a time limit, at an interruption, or because topoimp is killed. In each case the whole
group is killed. Only processes that leave the group are out of reach.
"""

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for a command; fewer than a replicate has to clean up."""


def run_command(
    command: Sequence[str], *, stdout: IO[bytes], stderr: IO[bytes], timeout: float | None = None
) -> int | None:
    """Run a command without a shell and return its exit status; no process of its group remains.

    Args:
        command: the program and its arguments. Its standard input is empty.
        stdout: file for its standard output.
        stderr: file for its standard error; may be that of ``stdout``.
        timeout: seconds that it may take; no limit if None.

    Returns:
        the exit status, negative for the number of the signal that ended it; None if it ran into the time limit.

    Raises:
        OSError: if it cannot be started.
    """
    _check_can_start(command[0])
    process: subprocess.Popen[bytes] | None = None
    with _watchdog() as watched:
        try:
            with _signals_held_back():  # or a command that has just started could be left behind
                process = subprocess.Popen(  # noqa: S603  # the user's own command
                    ["/bin/sh", "-c", _ANNOUNCED, *command],
                    stdin=watched,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                )
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process is not None:
                _end(process)


_ANNOUNCED = 'echo $$ >&0 && exec "$0" "$@" </dev/null'
"""A shell's program that starts a command, once it has written its number into the pipe of the watchdog, which it has
as standard input: topoimp may be killed at any moment, and the command must not run unwatched for one of them."""


def _check_can_start(program: str) -> None:
    """Raise the OSError of a program that is not there or cannot be run."""
    if shutil.which(program) is None:
        number = errno.EACCES if Path(program).is_file() else errno.ENOENT
        raise OSError(number, os.strerror(number), program)


def ending(status: int) -> str:
    """Return how a command ended that failed, in words.

    >>> ending(3), ending(-9)
    ('ended with status 3', 'was ended by SIGKILL')
    """
    return f"ended with status {status}" if status > 0 else f"was ended by {_signal_name(-status)}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all processes of its group."""
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(GRACE)
    except (subprocess.TimeoutExpired, ProcessLookupError):
        pass  # the rest is killed now
    finally:  # also if a second interruption comes while waiting
        with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for an empty group
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM, and send them on at the end of the context.

    Python handles signals in the main thread alone, so that in another one nothing is to be done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received: list[int] = []
    held = {number: signal.signal(number, lambda sent, _: received.append(sent)) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for sent in received:
            signal.raise_signal(sent)


@contextmanager
def _watchdog() -> Iterator[IO[bytes]]:
    """Start a watchdog that kills a process group if topoimp dies; yield the pipe that the group's number goes into.

    It wakes when the pipe closes. At the end of the context it ends without doing anything.
    """
    code = f"read group && {{ read _; kill -s TERM -- -$group; sleep {GRACE:g}; kill -s KILL -- -$group; }}"
    null = subprocess.DEVNULL
    with subprocess.Popen(  # noqa: S603  # the code is ours
        ["/bin/sh", "-c", code], stdin=subprocess.PIPE, stdout=null, stderr=null, start_new_session=True, bufsize=0
    ) as watchdog:
        try:
            assert watchdog.stdin is not None  # noqa: S101  # it is a pipe
            yield watchdog.stdin
        finally:
            watchdog.kill()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"
