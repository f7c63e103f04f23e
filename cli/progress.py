"""The progress of long commands on stderr: a bar on a terminal, and a line a minute where no terminal is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

from .streams import note, plain


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of a command, unless ``quiet``; yields a function of (steps done, steps in all)."""
    if quiet:
        yield lambda _done, _total: None
        return
    with ExitStack() as stack:
        yield (_Bar(title, stack) if sys.stderr.isatty() else _Lines(title)).update


class _Lines:
    """A line each minute, as in ``pruning model.safetensors: 40 % done, 3 min``."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._start = monotonic()
        self._n_minutes = 0

    def update(self, done: int, total: int) -> None:
        n_minutes = int((monotonic() - self._start) / _MINUTE)
        if n_minutes > self._n_minutes and total:
            self._n_minutes = n_minutes
            note(f"{self._title}: {100 * done // total} % done, {n_minutes} min", quiet=False)


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
