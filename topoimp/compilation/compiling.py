"""What makes object code of functions: numba, and LLVM behind it."""

import ctypes
import re
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
import numba as nb

from topoimp.compilation.calling import Kind, c_types, n_results
from topoimp.compilation.loading import ENTRY, target_machine

_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",  # nothing is raised, not even for a division by zero
    "_nrt": False,  # nothing is allocated, and nothing counts references to what it did not allocate
    "no_cpython_wrapper": True,  # neither is called by anything but what is made here
    "no_cfunc_wrapper": True,
}


def dispatcher(function: Callable[..., Any]) -> Any:  # Any: numba has no types
    """Give a function as numba takes it, so that others can call it."""
    return nb.njit(**_OPTIONS)(function)


def object_code(compiled: Any, kinds: Sequence[Kind]) -> bytes:
    """Compile a function, as ``dispatcher`` gives it, for some kinds of arguments; the code's one symbol is ``ENTRY``.

    Raises:
        TypeError: if it does not return what its annotation says, or the code needs what only numba provides: it
            allocates, or raises.
    """
    function = compiled.py_func
    types = tuple(map(_numba_type, kinds))
    try:
        compiled.compile(types)
    except nb.errors.NumbaError as error:
        raise TypeError(f"{function.__name__} cannot be compiled for {kinds}: {error}") from error
    _check_results(function, compiled.overloads[types].signature.return_type)
    module = llvm.parse_assembly(compiled.inspect_llvm(types))
    _check_symbols(function, module)
    _leave_one_entry(function, module, kinds)
    machine = target_machine(cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3)
    return bytes(machine.emit_object(module))


def _numba_type(kind: Kind) -> Any:
    dtype, n_dimensions = kind
    item = nb.from_dtype(dtype)
    return nb.types.Array(item, n_dimensions, "C") if n_dimensions else item


def _check_results(function: Callable[..., Any], returned: Any) -> None:
    types: Any = nb.types
    n = n_results(function)
    expected = {0: types.none, 1: types.int64}.get(n, types.UniTuple(types.int64, n))
    if returned != expected:
        raise TypeError(f"{function.__name__} returns {returned}; its annotation promises {expected}")


def _check_symbols(function: Callable[..., Any], module: llvm.ModuleRef) -> None:
    """Refuse code that refers to what is not in it: LLVM, loading it, would end the process."""
    named = [*module.functions, *module.global_variables]
    foreign = [value.name for value in named if value.is_declaration and not value.name.startswith("llvm.")]
    if foreign:
        raise TypeError(f"{function.__name__} must neither allocate nor raise; it needs {', '.join(foreign)}")


def _leave_one_entry(function: Callable[..., Any], module: llvm.ModuleRef, kinds: Sequence[Kind]) -> None:
    """Give the function itself a name that is known without numba, and hide those that it calls.

    Raises:
        TypeError: if the function does not take what ``calling`` would pass: another numba may do things differently.
    """
    own = [value for value in module.functions if not value.is_declaration]
    (entry,) = [value for value in own if value.linkage == llvm.Linkage.external]
    taken = [re.sub(r".*\*", "ptr", str(argument.type)) for argument in entry.arguments]  # pointers once had types
    passed = [_llvm_type(c_type) for c_type in c_types(kinds)]
    if taken != passed:
        raise TypeError(f"{function.__name__} takes {taken} and would be passed {passed}")
    for value in own:
        value.linkage = llvm.Linkage.internal
    entry.linkage, entry.name = llvm.Linkage.external, ENTRY


def _llvm_type(c_type: Any) -> str:
    return "ptr" if c_type is ctypes.c_void_p else f"i{8 * ctypes.sizeof(c_type)}"
