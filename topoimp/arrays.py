"""The types of the arrays that travel through the library, named by their contents."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
"""One truth value per weight: true where the weight is kept."""

Code: TypeAlias = np.unsignedinteger[Any]
"""One code, or a mask of its bits, as a numpy scalar."""

CodeArray = NDArray[np.unsignedinteger[Any]]
"""The stored bits of weights, their magnitudes, or any other ranks, as unsigned integers."""

IndexArray = NDArray[np.int64]
"""Flat indices into a layer, row by row."""

LabelArray = NDArray[np.int32]
"""Component of each vertex, rows first."""

FloatArray = NDArray[np.float64]
"""Exact magnitudes, deaths or persistences, whatever the type of the layer."""

ByteArray = NDArray[np.uint8]
"""A tensor's bytes as stored, flat."""
