"""Progress on stderr: a line a minute without a terminal. ``test_app.py`` has the bar on a terminal."""

import pytest

from topoimp_cli import progress as module
from topoimp_cli.progress import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved, in seconds."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(module, "monotonic", lambda: Clock.now)
    return Clock


def test_without_a_terminal_there_is_a_line_a_minute(clock, capsys):
    with progress("pruning a\x1b.safetensors", quiet=False) as on_step:
        for second in range(250):
            clock.now = 1000.0 + second
            on_step(second, 250)

    assert capsys.readouterr() == (
        "",
        "pruning a\\x1b.safetensors: 24 % done, 1 min\n"
        "pruning a\\x1b.safetensors: 48 % done, 2 min\n"
        "pruning a\\x1b.safetensors: 72 % done, 3 min\n"
        "pruning a\\x1b.safetensors: 96 % done, 4 min\n",
    )


def test_steps_that_take_minutes_have_a_line_each(clock, capsys):
    with progress("training", quiet=False) as on_step:
        for step in range(1, 4):
            clock.now += 150
            on_step(step, 3)

    lines = capsys.readouterr().err.splitlines()
    assert lines == ["training: 33 % done, 2 min", "training: 66 % done, 5 min", "training: 100 % done, 7 min"]


def test_less_than_a_minute_has_no_line(clock, capsys):
    with progress("training", quiet=False) as on_step:
        clock.now += 59.9
        on_step(1, 2)

    assert capsys.readouterr().err == ""


def test_nothing_to_do_has_no_line(clock, capsys):
    with progress("training", quiet=False) as on_step:
        clock.now += 90
        on_step(0, 0)

    assert capsys.readouterr().err == ""


def test_quiet_has_no_line(clock, capsys):
    with progress("training", quiet=True) as on_step:
        clock.now += 90
        on_step(1, 2)

    assert capsys.readouterr().err == ""
