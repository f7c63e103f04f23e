"""Progress on stderr: a line a minute without a terminal. ``test_app.py`` has the bar on a terminal."""

import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from topoimp.commands.prune_run import prune_run
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer
from topoimp_cli import progress as module
from topoimp_cli.progress import parts_of, progress

IN_TIME = 30
"""Seconds after which a thread that should be asleep is taken to be lost."""


class Clock:
    """A clock that stands until it is moved, and events that wait by it."""

    def __init__(self):
        self.now = 1000.0
        self.changed = threading.Condition()
        self.alarm = None

    def move(self, seconds):
        """Move the clock; return once the thread that this wakes is asleep again, with its work done."""
        with self.changed:
            assert self.changed.wait_for(self.is_asleep, IN_TIME)
            self.now += seconds
            self.changed.notify_all()
            assert self.changed.wait_for(self.is_asleep, IN_TIME)

    def is_asleep(self):
        return self.alarm is not None and self.alarm > self.now

    def event(self):
        return ClockedEvent(self)


class ClockedEvent:
    """``threading.Event`` by another clock."""

    def __init__(self, clock):
        self.clock = clock
        self.is_set = False

    def set(self):
        with self.clock.changed:
            self.is_set = True
            self.clock.changed.notify_all()

    def wait(self, seconds):
        clock = self.clock
        with clock.changed:
            clock.alarm = clock.now + seconds
            clock.changed.notify_all()
            clock.changed.wait_for(lambda: self.is_set or clock.now >= clock.alarm)
            return self.is_set


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", lambda: clock.now)
    monkeypatch.setattr(module, "Event", clock.event)
    return clock


def test_without_a_terminal_there_is_a_line_a_minute(clock, capsys):
    with progress("pruning a\x1b.safetensors", quiet=False) as on_step:
        for second in range(1, 250):
            on_step(second, 250)
            clock.move(1)

    assert capsys.readouterr() == (
        "",
        "pruning a\\x1b.safetensors: 24 % done, 1 min\n"
        "pruning a\\x1b.safetensors: 48 % done, 2 min\n"
        "pruning a\\x1b.safetensors: 72 % done, 3 min\n"
        "pruning a\\x1b.safetensors: 96 % done, 4 min\n",
    )


def test_a_step_that_takes_minutes_has_a_line_for_each(clock, capsys):
    with progress("training", quiet=False) as on_step:
        for _ in range(3):
            clock.move(60)
        on_step(1, 2)
        clock.move(60)

    lines = capsys.readouterr().err.splitlines()
    assert lines == ["training: 1 min", "training: 2 min", "training: 3 min", "training: 50 % done, 4 min"]


def test_minutes_in_which_the_computer_slept_have_no_line(clock, capsys):
    with progress("training", quiet=False) as on_step:
        on_step(1, 3)
        clock.move(150)
        on_step(2, 3)
        clock.move(29)
        clock.move(1)

    assert capsys.readouterr().err.splitlines() == ["training: 33 % done, 2 min", "training: 66 % done, 3 min"]


def test_less_than_a_minute_has_no_line(clock, capsys):
    with progress("training", quiet=False) as on_step:
        clock.move(59.9)
        on_step(1, 2)

    assert capsys.readouterr().err == ""


def test_nothing_to_do_has_no_share(clock, capsys):
    with progress("training", quiet=False) as on_step:
        on_step(0, 0)
        clock.move(90)

    assert capsys.readouterr().err == "training: 1 min\n"


def test_quiet_has_no_line_and_no_thread(clock, capsys):
    before = threading.enumerate()

    with progress("training", quiet=True) as on_step:
        on_step(1, 2)
        clock.now += 90
        assert threading.enumerate() == before

    assert clock.alarm is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt, SystemExit])
def test_no_thread_is_left_behind(clock, capsys, error):
    before = threading.enumerate()

    with _caught(error), progress("training", quiet=False):
        assert len(threading.enumerate()) == len(before) + 1
        clock.move(60)
        if error is not None:
            raise error

    assert threading.enumerate() == before
    assert capsys.readouterr().err == "training: 1 min\n"


@contextmanager
def _caught(error):
    if error is None:
        yield
    else:
        with pytest.raises(error):
            yield


def test_a_reader_of_stderr_that_is_gone_changes_nothing(clock, monkeypatch):
    class Gone:
        def isatty(self):
            return False

        def write(self, text):
            raise BrokenPipeError(text)

    monkeypatch.setattr("sys.stderr", Gone())

    with progress("training", quiet=False) as on_step:
        clock.move(60)
        on_step(1, 2)
        clock.move(60)

    assert clock.now == 1120


def test_parts_share_the_whole():
    steps = []
    first, second = parts_of(lambda done, total: steps.append((done, total)), 2)

    first(1, 3)
    first(3, 3)
    second(1, 2)
    second(2, 2)

    assert steps == [(333, 2000), (1000, 2000), (1500, 2000), (2000, 2000)]


@dataclass
class Looks:
    """The number of contexts of progress, how many of them are open, and whether one was at each pass over layers."""

    n_contexts: int = 0
    n_open: int = 0
    within: list[bool] = field(default_factory=list)


@pytest.fixture
def looks(monkeypatch):
    looks = Looks()
    each = LayerStream._each_here  # every look comes through it

    @contextmanager
    def recorded(_title, *, quiet):
        looks.n_contexts += 1
        looks.n_open += not quiet
        yield lambda _done, _total: None
        looks.n_open -= not quiet

    def look(stream, *arguments):
        looks.within.append(looks.n_open > 0)
        return each(stream, *arguments)

    for file in ("barcode", "bound", "compare", "prune_output", "train"):
        monkeypatch.setattr(f"topoimp_cli.{file}.progress", recorded)
    monkeypatch.setattr(LayerStream, "_each_here", look)
    return looks


@pytest.mark.parametrize(
    "words",
    [
        "barcode LENET INIT",
        "bound LENET INIT --densities 0.1 --null shuffle:2",
        "compare LENET INIT INIT --null shuffle:2",
        "compare ROUNDS --over-seeds",
        "prune LENET --rounds 1",
        "prune LENET --rounds 1 --dry-run",
        "prune LENET --apply-mask INIT",
        "prune RUN --rounds 1 --dry-run",
        "prune RUN --rounds 1 --jobs 1",
        "train mlp:64-9-10 --epochs 1 --watch beta0 -o NEW",
    ],
)
def test_all_work_on_layers_is_within_one_context_of_progress(
    topoimp, looks, lenet, lenet_init, run, rounds, tmp_path, words
):
    places = {"LENET": lenet, "INIT": lenet_init, "RUN": run, "ROUNDS": rounds, "NEW": tmp_path / "new"}

    outcome = topoimp(*(places.get(word, word) for word in words.split()))

    assert outcome.status == 0
    assert looks.n_contexts == 1
    assert looks.within
    assert all(looks.within)


@pytest.fixture(scope="module")
def rounds(trained, tmp_path_factory):
    """A run folder with a round of pruning."""
    run = shutil.copytree(trained, tmp_path_factory.mktemp("rounds") / "run")
    trainer = parse_trainer("sh -c 'cp $0 $2' {init} {mask} {out} {seed}", n_seeds=2)
    prune_run(run, PruningOptions(rounds=1), trainer=trainer)
    return run


def test_shapes_alone_have_progress_too(topoimp, looks):
    assert topoimp("bound", "--shape", "30x20", "--densities", "0.1").status == 0
    assert looks.n_contexts == 1
