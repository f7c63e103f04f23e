"""What makes object code callable: LLVM alone, which is there within milliseconds."""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from topoimp.compilation.calling import Kind, c_types

ENTRY = "topoimp_entry"
"""The symbol of the compiled function."""


@cache
def machine() -> str:
    """Describe what object code is made for, and by what: it is good for nothing else."""
    features = llvm.get_host_cpu_features().flatten()
    return f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {features} llvmlite {llvmlite.__version__}"


def target_machine(**options: Any) -> llvm.TargetMachine:
    """Give LLVM's idea of this machine, as numba sets it up; a new one, as whatever runs code takes it over.

    Args:
        options: of ``create_target_machine``: what code is made for.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    relocation = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(reloc=relocation, codemodel="jitdefault", jit=True, **options)


class MachineCode:
    """Object code as a function of C, called without the interpreter's lock.

    Args:
        object_code: as ``compiling.object_code`` gives it.
        kinds: of its arguments.
    """

    def __init__(self, object_code: bytes, kinds: Sequence[Kind]) -> None:
        # No code is made any more: a machine without features, and nothing to optimise, is set up sooner.
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(opt=0))  # owns the code
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(object_code))
        self._engine.finalize_object()
        c_function = ctypes.CFUNCTYPE(ctypes.c_int32, *c_types(kinds))
        self.call: Callable[..., int] = c_function(self._engine.get_function_address(ENTRY))
