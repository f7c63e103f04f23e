"""How Ctrl-C and SIGTERM end a command: within two seconds, with nothing half-written.

The main thread is interrupted, leaves its contexts, which remove partial outputs, and ends the process. It cannot do so
while it runs a compiled pass or waits for threads that do. A watchdog thread then removes the partial outputs and ends
the process in its place.
"""

import os
import signal
import sys
import threading
import time
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_SIGNALLED = 128
"""Exit status of a process that a signal ended, less the signal's number."""

PATIENCE = 1.75
"""Seconds from a signal to the watchdog's end of the process; replicates have fewer to clean up."""


def end_on_signals() -> None:
    """Have SIGINT and SIGTERM raise SystemExit in the main thread, and start the watchdog."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)  # Python asks for this
    signal.set_wakeup_fd(write_end)
    threading.Thread(target=_watch, args=(read_end,), daemon=True).start()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # a script's background job ignores Ctrl-C
            signal.signal(number, _interrupt)


def ignore_signals() -> None:
    """Ignore SIGINT and SIGTERM from now on."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    ignore_signals()  # a second signal would interrupt the cleaning up
    sys.exit(_SIGNALLED + number)


def _watch(read_end: int) -> None:
    """Wait for a signal, then for the main thread's end of the process, and end it if that does not come."""
    number = 0
    while number not in SIGNALS:  # the pipe tells of all signals that Python handles
        (number,) = os.read(read_end, 1)
    time.sleep(PATIENCE)
    try:
        staging = sys.modules.get("topoimp.checkpoint.staging")
        if staging is not None:  # else nothing has been written
            staging.remove_partial_outputs()
    finally:
        os._exit(_SIGNALLED + number)
