"""The progress of long commands on stderr: a bar on a terminal, and a line a minute where no terminal is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Event, Thread
from time import monotonic
from types import TracebackType

from topoimp.reports.readable import plain

from .streams import note

OnStep = Callable[[int, int], None]
"""Called with the number of steps done, and of all steps."""


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[OnStep]:
    """Show the progress of a command within the context, unless ``quiet``; yields the function to call after steps."""
    if quiet:
        yield lambda _done, _total: None
        return
    with ExitStack() as stack:
        yield (_Bar(title, stack) if sys.stderr.isatty() else stack.enter_context(_Lines(title))).update


def parts_of(on_step: OnStep, n_parts: int) -> Iterator[OnStep]:
    """Return, for each part of a command, the function to call after its steps; parts count the same.

    >>> first, second = parts_of(print, 2)
    >>> first(5, 5), second(3, 5)
    1000 2000
    1600 2000
    (None, None)
    """
    shares = [0.0] * n_parts

    def step(part: int, done: int, total: int) -> None:
        shares[part] = done / total
        on_step(round(_PARTS * sum(shares)), _PARTS * n_parts)

    return iter([partial(step, part) for part in range(n_parts)])


_PARTS = 1000
"""Steps that each part counts for."""


class _Lines:
    """A line each minute, as in ``pruning model.safetensors: 40 % done, 3 min``; the share once a step is known.

    A thread prints them, so that a step that takes an hour has 60. It ends with the context.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._steps = (0, 0)
        self._start = monotonic()
        self._is_over = Event()
        self._thread = Thread(target=self._print, name="topoimp progress", daemon=True)

    def __enter__(self) -> "_Lines":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def update(self, done: int, total: int) -> None:
        self._steps = (done, total)

    def _print(self) -> None:
        n_minutes = 0
        while not self._is_over.wait(self._start + (n_minutes + 1) * _MINUTE - monotonic()):
            n_minutes = int((monotonic() - self._start) / _MINUTE)  # a computer that slept has missed some
            done, total = self._steps
            share = f"{100 * done // total} % done, " if total else ""
            note(f"{self._title}: {share}{n_minutes} min", quiet=False)


_MINUTE = 60
"""Seconds between two lines."""


class _Bar:
    """A progress bar that appears after ``_PATIENCE`` seconds."""

    def __init__(self, title: str, stack: ExitStack) -> None:
        self._title = title
        self._stack = stack
        self._start = monotonic()
        self._show: Callable[[int, int], None] | None = None

    def update(self, done: int, total: int) -> None:
        if self._show is None and monotonic() - self._start > _PATIENCE:
            self._show = self._appear()
        if self._show is not None:
            self._show(done, total)

    def _appear(self) -> Callable[[int, int], None]:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import Progress

        bar = self._stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = bar.add_task(escape(plain(self._title)), total=None)
        return lambda done, total: bar.update(task, completed=done, total=total)


_PATIENCE = 0.5
"""Seconds before a progress bar appears."""
