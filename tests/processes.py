"""What tests of commands that are killed need: to wait until a process has written a line, and until it is gone."""

import time
from pathlib import Path

PATIENCE = 500
"""Seconds after which a test fails that waits in vain; fewer than the processes sleep that it waits for."""


def wait_for(path):
    """Wait until a file has a whole line, and give it."""
    begin = time.monotonic()
    while time.monotonic() - begin < PATIENCE:
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return text
        time.sleep(0.005)
    raise AssertionError(f"{path} has no line")


def has_ended(process):
    """Wait for the end of a process that was killed."""
    begin = time.monotonic()
    while time.monotonic() - begin < PATIENCE:
        if not is_running(process):
            return True
        time.sleep(0.005)
    return False


def is_running(process):
    """Whether a process has not ended; a zombie has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends while its entry is read
        return False
