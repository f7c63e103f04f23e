"""Names for the arrays that travel through the library, by what they hold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
"""One truth value per weight: true where the weight is kept."""

CodeArray = NDArray[np.unsignedinteger[Any]]
"""The stored bits of weights (or their magnitudes, or any other rank), as unsigned integers."""

IndexArray = NDArray[np.int64]
"""Flat indices into a layer, row by row."""

FloatArray = NDArray[np.float64]
"""Exact strengths, deaths or persistences, whatever the type of the layer."""

ByteArray = NDArray[np.uint8]
"""A tensor's bytes as stored, flat."""
