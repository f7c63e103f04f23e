"""One run at a time on the rounds of a seed: a lock beside their folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from topoimp.checkpoint import LockState, owned
from topoimp.errors import OutputError
from topoimp.rounds.run_folder import PruningFiles


@contextmanager
def sole_run(files: PruningFiles) -> Iterator[None]:
    """Lock the rounds within the context; wait a bounded time for a killed run whose processes are ending.

    Raises:
        OutputError: if another run holds the lock, or the lock file cannot be written.
    """
    with ExitStack() as stack:
        try:
            state = stack.enter_context(owned(files.lock))
        except OSError as error:
            raise OutputError(f"{files.folder}: cannot be written: {error.strerror}") from error
        if state is LockState.TAKEN:
            raise OutputError(f"{files.folder}: another run is at work there")
        yield


def await_ending_run(files: PruningFiles, on_wait: Callable[[str], None]) -> None:
    """Wait as ``sole_run`` does, after a call of ``on_wait`` with the sentence that says so."""

    def on_owner(process: int) -> None:
        on_wait(f"{files.folder}: waiting for a run that is ending (process {process})")

    if files.lock.exists():
        with suppress(OSError), owned(files.lock, on_wait=on_owner):  # sole_run reports an error of the lock
            pass
