"""Kernels that find the strongest paths of a network: sums of logarithms of strengths, in integers.

A logarithm is log2 of a strength in steps of 2^-38. Its sums are exact, so they depend neither on the order of the
terms nor on the machine. A weight of exponent e and mantissa m, in [1, 2), has the logarithm of m, found by additions,
multiplications and one division alone, plus e in whole: powers of two are exact. ``ABSENT`` stands for the logarithm
of zero; any sum below ``LEAST`` contains it. ``codes`` has the shape (rows, columns); ``before``, by column, and
``after``, by row, are the logarithms of the strongest path to an edge and of that behind it.
"""

import numpy as np

from topoimp.arrays import ByteArray, Code, CodeArray, IndexArray
from topoimp.kernels.compiled import compiled

FRACTION_BITS = 38
ABSENT = -(1 << 60)
LEAST = -(1 << 59)
OFF_PATH = -(1 << 62)
NO_WEIGHT = -(1 << 63)
LAYER_SHIFT = 50

_SQRT_2 = 2**0.5
_STEPS_PER_ARTANH = 2.8853900817779268 * 2**FRACTION_BITS  # 2 / ln 2, in steps


@compiled()
def logarithm(exponent: np.int64, mantissa: float) -> np.int64:
    """Return log2 of a number in steps: 2 artanh((m - 1) / (m + 1)) with m between the roots of 1/2 and 2."""
    is_large = mantissa > _SQRT_2
    m = mantissa * 0.5 if is_large else mantissa
    whole = exponent + 1 if is_large else exponent

    z = (m - 1.0) / (m + 1.0)
    q = z * z
    series = 1 / 11 + q * (1 / 13 + q * (1 / 15 + q * (1 / 17)))
    series = 1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * series)))
    fraction = z * (1 + q * series) * _STEPS_PER_ARTANH
    return (np.int64(whole) << FRACTION_BITS) + np.int64(np.floor(fraction + 0.5))


@compiled("codes")
def write_logarithms(codes: CodeArray, mask: Code, n_fraction: int, bias: int, logs: IndexArray) -> None:
    """Write the logarithms of some weights, flat; the format has ``n_fraction`` bits of mantissa behind the 1."""
    least_normal = np.int64(1) << n_fraction
    scale = 1.0 / least_normal
    n_subnormal = 0
    for i in range(codes.size):
        magnitude = np.int64(codes[i] & mask)
        mantissa = 1.0 + np.float64(magnitude & (least_normal - 1)) * scale
        log = logarithm((magnitude >> n_fraction) - bias, mantissa)
        logs[i] = log if magnitude != 0 else ABSENT
        n_subnormal += 1 if 0 < magnitude < least_normal else 0

    # Apart, as it would keep the compiler from vectorising the loop above.
    if n_subnormal != 0:
        for i in range(codes.size):
            magnitude = np.int64(codes[i] & mask)
            if 0 < magnitude < least_normal:
                exponent = np.int64(1 - bias)
                while magnitude < least_normal:
                    magnitude <<= 1
                    exponent -= 1
                logs[i] = logarithm(exponent, magnitude * scale)


@compiled("logs", "before")
def strongest_of_rows(logs: IndexArray, before: IndexArray, best: IndexArray, index: IndexArray) -> None:
    """Write for each row the largest sum of a weight and the path to it, and the first column that has it."""
    for row in range(logs.shape[0]):
        largest = np.int64(NO_WEIGHT)
        for column in range(before.size):
            largest = max(largest, logs[row, column] + before[column])
        best[row] = largest
        for column in range(before.size):
            if logs[row, column] + before[column] == largest:
                index[row] = column
                break


@compiled("logs", "after")
def strongest_of_columns(
    logs: IndexArray, after: IndexArray, first_row: int, best: IndexArray, index: IndexArray
) -> None:
    """Update for each column the largest sum of a weight and the path behind it, and the first row that has it."""
    for row in range(logs.shape[0]):
        for column in range(best.size):
            total = logs[row, column] + after[row]
            is_larger = total > best[column]
            best[column] = total if is_larger else best[column]
            index[column] = first_row + row if is_larger else index[column]


@compiled("logs", "before", "after")
def write_keys(logs: IndexArray, before: IndexArray, after: IndexArray, position: int, keys: IndexArray) -> None:
    """Write the key of each weight: larger keys are kept first.

    It is the logarithm of the strongest path through the weight. Without a path it lies below all those, later layers
    before earlier ones, and within a layer by strength; ``position`` is the layer's. A zero has ``NO_WEIGHT``.
    """
    off_path = OFF_PATH + (np.int64(position) << LAYER_SHIFT)
    for row in range(logs.shape[0]):
        for column in range(before.size):
            log = logs[row, column]
            total = log + before[column] + after[row]
            total = total if total >= LEAST else off_path + log
            keys[row, column] = total if log != ABSENT else NO_WEIGHT


@compiled("keys")
def count_keys(keys: IndexArray, low: int, high: int, shift: int, counts: IndexArray) -> None:
    """Count the keys from ``low`` to ``high - 1`` in bins of 2^shift, the largest keys first; the last bin is open."""
    last = counts.size - 1
    for i in range(keys.size):
        key = keys[i]
        if low <= key < high:
            counts[min((high - 1 - key) >> shift, last)] += 1


@compiled("keys", "lows", "highs", "levels_above")
def write_levels(
    keys: IndexArray, lows: IndexArray, highs: IndexArray, levels_above: ByteArray, undecided: int, levels: ByteArray
) -> None:
    """Write the level of each key: 0 below all intervals, ``undecided`` in one, else that of the next one below.

    The intervals are disjoint, the largest keys first.
    """
    n = lows.size
    for i in range(keys.size):
        key = keys[i]
        if key < lows[n - 1]:
            levels[i] = 0
            continue
        j = n - 1
        while j > 0 and key >= lows[j - 1]:
            j -= 1
        levels[i] = undecided if key < highs[j] else levels_above[j]


@compiled("band", "sources", "targets", "weight_in", "vertex_in", "weight_out", "vertex_out", "n_missing", "new_levels")
def take_paths(
    band: IndexArray,
    sources: IndexArray,
    targets: IndexArray,
    weight_in: IndexArray,
    vertex_in: IndexArray,
    weight_out: IndexArray,
    vertex_out: IndexArray,
    n_missing: IndexArray,
    new_levels: ByteArray,
    levels: ByteArray,
    path: IndexArray,
) -> None:
    """Take the weights of a band in order, each with the missing ones of its strongest path, from the output back.

    The i-th weight taken gets the new level of the first target that misses more than i weights. A weight with the
    level of the last target is not missing. ``vertex_in`` and ``vertex_out`` are -1 where a path ends, ``weight_in``
    and ``weight_out`` where an edge is no weight; ``path`` is scratch for the weights of a path.
    """
    taken, target = 0, 0
    lowest = new_levels[new_levels.size - 1]
    for i in range(band.size):
        if levels[band[i]] >= lowest:
            continue

        # The path, from the input on.
        n_before, vertex = 0, sources[i]
        while vertex_in[vertex] >= 0:
            n_before += 1 if weight_in[vertex] >= 0 else 0
            vertex = vertex_in[vertex]
        k, vertex = n_before, sources[i]
        while vertex_in[vertex] >= 0:
            if weight_in[vertex] >= 0:
                k -= 1
                path[k] = weight_in[vertex]
            vertex = vertex_in[vertex]
        path[n_before] = band[i]
        length, vertex = n_before + 1, targets[i]
        while vertex_out[vertex] >= 0:
            if weight_out[vertex] >= 0:
                path[length] = weight_out[vertex]
                length += 1
            vertex = vertex_out[vertex]

        for k in range(length - 1, -1, -1):
            if levels[path[k]] >= lowest:
                continue
            levels[path[k]] = new_levels[target]
            taken += 1
            while taken == n_missing[target]:
                target += 1
                if target == n_missing.size:
                    return
