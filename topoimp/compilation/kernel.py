"""Functions that are compiled when they are first called."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, update_wrapper
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from topoimp.compilation.cache import Place
from topoimp.compilation.calling import Kind, check_kinds, kinds_and_values, n_results

if TYPE_CHECKING:
    from topoimp.compilation.loading import MachineCode

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Have a function compiled when it is first called, for each kind of arguments; it releases the interpreter's lock.

    It takes integers and contiguous arrays of integers, truth values or float64, and returns nothing, an integer, or a
    tuple of integers, as its annotation says. It must neither allocate nor raise. It may call others that are compiled.
    """
    return cast("Function", _Kernel(function))


@contextmanager
def telling_of_compilation(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` once, just before anything is compiled within the context; never if all is in the cache."""
    _to_be_told.append(tell)
    try:
        yield
    finally:
        with suppress(ValueError):  # it was told
            _to_be_told.remove(tell)


_to_be_told: list[Callable[[], None]] = []
_one_at_a_time = Lock()


class _Kernel:
    def __init__(self, function: Callable[..., Any]) -> None:
        update_wrapper(self, function)
        self._function = function
        self._n_results = n_results(function)
        self._results = ctypes.c_int64 * max(self._n_results, 1)
        self._code: dict[tuple[Kind, ...], MachineCode] = {}

    def __call__(self, *arguments: Any) -> int | tuple[int, ...] | None:
        kinds, values = kinds_and_values(arguments)
        code = self._code.get(kinds) or self._code_for(kinds)
        results = self._results()
        status = code.call(results, ctypes.byref(_exception), *values)
        if status != 0:
            raise RuntimeError(f"{self._function.__name__} ended with status {status}")
        if self._n_results > 1:
            return tuple(results)
        return results[0] if self._n_results else None

    @cached_property
    def dispatcher(self) -> Any:  # of numba, which has no types
        """The function as numba takes it."""
        from topoimp.compilation.compiling import dispatcher

        return dispatcher(self._function)

    @property
    def _numba_type_(self) -> Any:
        """What numba asks for where another compiled function calls this one."""
        return self.dispatcher._numba_type_

    def _code_for(self, kinds: tuple[Kind, ...]) -> "MachineCode":
        from topoimp.compilation.loading import MachineCode, machine

        check_kinds(kinds)
        with _one_at_a_time:
            if kinds not in self._code:
                source = Path(self._function.__code__.co_filename)
                place = Place(source, self._function.__name__, f"{kinds} {machine()}")
                code = place.load()
                if code is None:
                    code = self._compile(kinds)
                    place.store(code)
                self._code[kinds] = MachineCode(code, kinds)
            return self._code[kinds]

    def _compile(self, kinds: tuple[Kind, ...]) -> bytes:
        while _to_be_told:
            _to_be_told.pop()()
        from topoimp.compilation.compiling import object_code

        return object_code(self.dispatcher, kinds)


_exception = ctypes.c_void_p()
"""Where machine code would leave an exception; nothing here raises any, so that all calls share it."""
