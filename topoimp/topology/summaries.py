"""Summaries of a barcode: total persistence and persistent entropy.

They take persistences in any order, also none. ``Barcode.persistences`` and ``Unit.persistences`` include all essential
bars, as bars that die at strength 0. A bar of length zero adds nothing. A bar that dies above a foreign scale has a
negative persistence and counts with its length.
"""

from math import isfinite

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.topology.barcode import check_norm


def total_persistence(persistences: FloatArray, *, p: float = 2.0) -> float | None:
    """Return the total persistence of degree p: the sum of |persistence|^p, without a root or a norm.

    With the network's scale it is (V - 1) np_rieck^p, V vertices. It is None if it overflows, as it can at the scale
    ``none``.

    Raises:
        OptionError: if p is below 1 or infinite.

    Source: Cohen-Steiner, Edelsbrunner, Harer, Mileyko, "Lipschitz functions have L_p-stable persistence", 2010.

    >>> total_persistence(np.array([0.0, 0.5, 1.0]))
    1.25
    """
    check_norm(p)
    with np.errstate(over="ignore"):
        total = float(np.sum(np.abs(persistences) ** p))
    return total if isfinite(total) else None


def persistent_entropy(persistences: FloatArray) -> float | None:
    """Return Shannon's entropy of the persistences, each divided by their sum, in nats.

    It is 0 if a single bar has a persistence, and ln n, the maximum, if n bars share it equally. A common factor of all
    persistences changes nothing. It is None if no bar has a persistence.

    Source: Chintakunta, Gentimis, Gonzalez-Diaz, Jimenez, Krim, "An entropy-based persistence barcode", Pattern
    Recognition 48, 2015, which cuts infinite bars off; here they end at strength 0.

    >>> persistent_entropy(np.array([0.0, 1.0]))
    0.0
    """
    lengths = np.abs(persistences[persistences != 0])
    if len(lengths) == 0:
        return None
    lengths = lengths / lengths.max()  # so that no sum overflows
    shares = lengths / lengths.sum()
    shares = shares[shares > 0]
    return float(np.sum(shares * -np.log(shares))) + 0.0  # no minus zero
