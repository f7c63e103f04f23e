"""How the passes are compiled: once a machine, then loaded from numba's cache.

The cache lies beside the code, or, where that cannot be written, in the user's cache folder (or ``NUMBA_CACHE_DIR``).
Where there is no such place, every process compiles for itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numba as nb
from numba.core import event

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """Have a function compiled when it is first called; it releases the interpreter's lock."""
    try:
        return cast("Kernel", nb.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # there is nowhere to keep the result
        return cast("Kernel", nb.njit(nogil=True)(function))


@contextmanager
def telling_of_compilation(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` once, just before anything is compiled within the context; never if all is in the cache."""
    with event.install_listener("numba:compile", _Once(tell)):
        yield


class _Once(event.Listener):
    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell: Callable[[], None] | None = tell

    def on_start(self, event: object) -> None:  # noqa: ARG002  # numba's signature
        if self._tell is not None:
            tell, self._tell = self._tell, None
            tell()

    def on_end(self, event: object) -> None:
        """Nothing is to be said when it is over."""
