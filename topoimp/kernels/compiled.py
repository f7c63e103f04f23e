"""The decorator that compiles a kernel: numba's ``njit``, applied when the kernel is first called.

Importing numba takes longer than any command that needs no kernel, so the modules of kernels do not import it.

numba compiles a kernel once for each combination of argument types and keeps the machine code on disk: in
``NUMBA_CACHE_DIR``, in ``__pycache__`` beside the source, or in the user's cache folder. Where no folder can be
written, or the cache cannot be read, the machine code stays in memory. numba compiles a kernel anew after a change in
its own file, but not after a change in a file that it imports. A kernel therefore calls only kernels of its own file.
After changing a constant that several files share (``BLOCK``), clear the cache.

``NUMBA_DISABLE_JIT=1`` runs the kernels as plain Python, with the same results, for a debugger.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, update_wrapper
from pickle import UnpicklingError
from threading import Lock
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = {"nogil": True, "error_model": "numpy"}  # numpy's: a division by zero raises nothing
_CACHE_ERRORS = (OSError, EOFError, UnpicklingError)


def compiled(*inputs: str) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function; it then runs without the interpreter's lock.

    ``inputs`` are parameters whose arrays the function only reads. Callers may pass read-only and writable arrays,
    which numba would otherwise compile for separately.
    """

    def decorator(function: Function) -> Function:
        return cast("Function", _Kernel(function, inputs))

    return decorator


@contextmanager
def telling_of_compilation(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` once, just before the first compilation within the context; never if the cache holds everything."""
    _listeners.append(tell)
    try:
        yield
    finally:
        with suppress(ValueError):  # it has been called
            _listeners.remove(tell)


_listeners: list[Callable[[], None]] = []


class _Kernel:
    """A function that numba compiles when it is first called, from Python or from another kernel."""

    def __init__(self, function: Callable[..., Any], inputs: tuple[str, ...]) -> None:
        update_wrapper(self, function)
        self._function = function
        self._inputs = [function.__code__.co_varnames.index(name) for name in inputs]
        self._cached: Any = None  # numba has no types
        self._in_memory: Any = None

    def __call__(self, *arguments: Any) -> Any:
        values = list(arguments)
        for k in self._inputs:
            values[k] = values[k].view()
            values[k].flags.writeable = False

        try:
            return self._with_cache()(*values)
        except _CACHE_ERRORS:  # a full disk or a damaged file, noticed before the kernel runs
            return self.in_memory()(*values)

    def _with_cache(self) -> Any:
        """Return numba's dispatcher for callers in Python."""
        with _one_at_a_time:  # or two threads would make one each, and compile twice
            if self._cached is None:
                try:
                    self._cached = _numba().njit(cache=True, **_OPTIONS)(self._function)
                except RuntimeError:  # no folder can be written
                    self._cached = self.in_memory()
            return self._cached

    def in_memory(self) -> Any:
        """Return numba's dispatcher for other kernels, whose machine code then contains this one's."""
        # Called while numba holds its own lock: another lock in here could wait for ever.
        if self._in_memory is None:
            self._in_memory = _numba().njit(**_OPTIONS)(self._function)
        return self._in_memory


_one_at_a_time = Lock()


@cache
def _numba() -> Any:
    """Import numba, with a listener to its compilations, and tell it how a kernel calls a kernel."""
    import numba
    from numba.core import event
    from numba.extending import typeof_impl

    class Compilations(event.Listener):
        def on_start(self, _: Any) -> None:
            while _listeners:
                _listeners.pop()()

        def on_end(self, _: Any) -> None:
            pass

    event.register("numba:compile", Compilations())  # type: ignore[no-untyped-call]  # numba has no types
    typeof_impl.register(_Kernel)(lambda kernel, context: typeof_impl(kernel.in_memory(), context))
    return numba
