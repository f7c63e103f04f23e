"""How the passes are compiled: by numba, once a machine; after that their machine code is loaded without numba.

numba takes a second to import and to get ready, which is longer than most checkpoints take to look at. So what it makes
of a function is kept as object code in a cache, and LLVM alone loads it from there. ``kernel`` calls it, ``cache``
keeps it, ``compiling`` makes it (and is the one module that imports numba), ``loading`` makes it callable, and
``calling`` is what the last two have to agree on.
"""

from topoimp.compilation.kernel import compiled, telling_of_compilation

__all__ = ["compiled", "telling_of_compilation"]
