"""The compiled passes over stored weights, and the threads that share them: numbers in, numbers out.

Weights come as stored ``codes`` (unsigned integers of 8 to 64 bits, flat or (rows, columns)) and a ``mask`` that clears
the sign bit. The masked code, the magnitude code or ``rank``, orders like the magnitude; 0 is an absent edge. Vertices
are numbered rows first: row i is vertex i, column j is vertex n_rows + j, and ``labels`` holds the component of each.
Most kernels work on one part of a layer, ``start`` to ``stop - 1``, so that threads can share the layer.

No kernel allocates memory: its caller passes the arrays that it writes. The contents of a ``scratch`` array mean
nothing before and after the call. Each step of arithmetic on narrow integers is cast back to their type, because numba
widens it and the widened loop is many times slower.
"""

BLOCK = 64
"""Weights that a kernel reads together; it skips a block in which no weight counts."""
