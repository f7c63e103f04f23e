"""Outputs that appear whole or not at all.

Each file is written beside its final place under a temporary name. Once all of them are written and checked, they are
synced and renamed in the order given: the last one is the commit mark, and it is there only if the others are.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from topoimp.errors import OutputError


class Staging:
    """A set of output files on their way: a context within which they are written, then committed.

    Args:
        targets: the final paths, the commit mark last.
        force: replace what is there.

    Raises:
        OutputError: if a target exists and ``force`` is not set, is a folder, is named twice, or cannot be written.
    """

    def __init__(self, targets: Sequence[Path], *, force: bool) -> None:
        self._targets = [Path(target) for target in targets]
        self._force = force

    def __enter__(self) -> "Staging":
        try:
            for target in self._targets:
                self._begin(target)
        except BaseException:  # an interruption too: whoever leaves here never reaches __exit__
            self._clean_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean_up()
        if isinstance(error, OSError):  # a full disk, for one; errors of reading have been named by now
            raise OutputError(f"{self._targets[-1]}: cannot be written: {error.strerror}") from error

    def partial(self, target: Path) -> Path:
        """Give the temporary path under which ``target`` is to be written."""
        return target.with_name(f".{target.name}.partial-{os.getpid()}")

    def commit(self) -> None:
        """Sync every file and move it to its final place, in order."""
        for target in self._targets:
            if self.partial(target).stat().st_size == 0:
                raise ValueError(f"{target}: nothing was written to it")
            _sync(self.partial(target))
        for target in self._targets:
            self.partial(target).replace(target)
        for folder in {target.parent for target in self._targets}:
            _sync(folder)

    def _begin(self, target: Path) -> None:
        try:
            self._check(target)
            self.partial(target).touch()
        except (OSError, RuntimeError) as error:  # a loop of symbolic links is a RuntimeError
            raise OutputError(f"{target}: cannot be written: {getattr(error, 'strerror', None) or error}") from error

    def _check(self, target: Path) -> None:
        places = [place.parent.resolve() / place.name for place in self._targets]
        if places.count(target.parent.resolve() / target.name) > 1:
            raise OutputError(f"{target}: named for two outputs; each needs a name of its own")
        if target.is_dir():
            raise OutputError(f"{target}: is a folder; the output is a file")
        if target.exists() and not target.is_file():
            raise OutputError(f"{target}: is no regular file; the output is one")
        if target.exists() and not self._force:
            raise OutputError(f"{target}: exists already; --force replaces it")

    def _clean_up(self) -> None:
        for target in self._targets:
            with suppress(OSError):  # never made, or its folder is none
                self.partial(target).unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
