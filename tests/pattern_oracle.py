"""Slow twins of masks N:M: blocks as Python lists, and all masks of a pattern one by one."""

from itertools import combinations, product

import numpy as np
from oracles import slow_order


def slow_blocks(shape, size, by_column=False):
    """The flat indices of each block."""
    places = np.arange(np.prod(shape)).reshape(shape)
    lines = places.T if by_column else places
    return [line[start : start + size].tolist() for line in lines for start in range(0, len(line), size)]


def slow_pattern(weight, n_kept, size, forest=(), by_column=False):
    """The mask that keeps of each block the forest's edges first, then the other edges, all in the order."""
    order = slow_order(weight)
    kept = np.zeros(weight.size, bool)
    for block in slow_blocks(weight.shape, size, by_column):
        edges = [index for index in order if index in block]
        first = [index for index in edges if index in forest]
        kept[[*first, *(index for index in edges if index not in forest)][:n_kept]] = True
    return kept.reshape(weight.shape)


def all_masks(weight, n_kept, size):
    """Every set of edges with at most N of each block."""
    choices = []
    for block in slow_blocks(weight.shape, size):
        edges = [index for index in block if weight.flat[index]]
        choices.append([set(c) for n in range(min(n_kept, len(edges)) + 1) for c in combinations(edges, n)])
    return [set().union(*chosen) for chosen in product(*choices)]
