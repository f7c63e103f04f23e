"""Few of many: what a picture shows of more bars than it has room for."""

import numpy as np

from topoimp.arrays import IndexArray


def evenly_spaced(n: int, most: int) -> IndexArray:
    """Return the places of at most so many of n things, evenly spaced, the first and the last among them.

    >>> evenly_spaced(100, 4)
    array([ 0, 33, 66, 99])
    """
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
