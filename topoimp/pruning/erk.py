"""Erdos-Renyi-kernel densities: one number of weights to keep for all layers, split by the shapes of the layers.

The density of a layer is proportional to the sum of its tensor's sides divided by their product, and is at most 1. For
a dense layer that is (outputs + inputs) / (outputs x inputs). So the number of kept weights is proportional to the sum
of the sides.

Source: Evci et al., "Rigging the lottery: making all tickets winners", ICML 2020, section 3; for dense layers Mocanu et
al., Nature Communications 9, 2018. They give real densities; the whole numbers here sum to the target exactly.
"""

from collections.abc import Mapping, Sequence

from topoimp.layers.records import LayerInfo


def erk_counts(infos: Sequence[LayerInfo], n_edges: Mapping[str, int], target: int) -> dict[str, int]:
    """Return the number of weights that each layer keeps, by its name; they sum to the target, or to all edges.

    For one x >= 0, a layer with the sum of sides q keeps min(edges, x q) weights, rounded to the nearest whole number
    (the method of Webster); of several layers with x q at the same half, the first by tensor name are rounded up. So a
    smaller target never gives a layer more weights. A stored zero is never kept, so edges are the limit, not weights.
    """
    places = sorted(infos, key=lambda info: info.place)
    limits = [n_edges[info.name] for info in places]
    if target >= sum(limits):
        return dict(n_edges)

    # Steps of x so small that at most one value of x at which a count changes lies in one.
    sides = [sum(info.shape) for info in places]
    n_steps = 4 * max(sides) ** 2  # in a unit of x

    def counts(step: int) -> list[int]:
        """Return the counts at x = step / n_steps."""
        rounded = [(2 * side * step + n_steps) // (2 * n_steps) for side in sides]
        return [min(count, limit) for count, limit in zip(rounded, limits, strict=True)]

    # The largest x whose counts do not exceed the target, and the next one, whose counts do.
    low, high = 0, n_steps * (max(limits) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sum(counts(middle)) <= target else (low, middle)

    kept = counts(low)
    n_missing = target - sum(kept)
    for place, more in enumerate(counts(high)):
        if n_missing and more > kept[place]:
            kept[place] += 1
            n_missing -= 1
    return {info.name: count for info, count in zip(places, kept, strict=True)}
