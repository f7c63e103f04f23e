"""Slow twins: what the library computes, written again in the plainest way, or by another library."""

import hashlib
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, permutations, product
from math import comb

import gudhi
import gudhi.hera
import networkx as nx
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def slow_forest(weight):
    """Kruskal's rule on sorted Python tuples: flat indices in the order (strength descending, index ascending)."""
    n_rows, n_columns = weight.shape
    edges = [(-abs(w), index) for index, w in enumerate(weight.ravel().tolist()) if w != 0]
    component = list(range(n_rows + n_columns))
    forest = []
    for _, index in sorted(edges):
        row, column = divmod(index, n_columns)
        a, b = component[row], component[n_rows + column]
        if a != b:
            component = [b if c == a else c for c in component]
            forest.append(index)
    return forest


def gudhi_bars(weight, scale):
    """GUDHI's finite H0 bars (birth, death), sorted, and its number of essential bars; sublevel convention."""
    n_rows, n_columns = weight.shape
    rows, columns = np.nonzero(weight)
    complex_ = gudhi.SimplexTree()
    vertices = np.arange(n_rows + n_columns)
    complex_.insert_batch(vertices[None, :], np.full(len(vertices), -1.0))
    if len(rows):
        strengths = np.abs(weight[rows, columns].astype(np.float64))
        complex_.insert_batch(np.stack([rows, n_rows + columns]), -strengths / scale)
    # Bars of length zero are dropped unless the least persistence is below 0; H0 of a graph counts as "the top
    # dimension" for a complex without edges.
    complex_.compute_persistence(min_persistence=-1, persistence_dim_max=True)
    bars = complex_.persistence_intervals_in_dimension(0).reshape(-1, 2)
    is_finite = np.isfinite(bars[:, 1])
    return np.sort(bars[is_finite, 1]), int(np.count_nonzero(~is_finite)), bars[:, 0]


def slow_order(weight):
    """All edges as flat indices in the order (strength descending, index ascending)."""
    flat = np.abs(weight.astype(np.float64)).ravel().tolist()
    return sorted((index for index, strength in enumerate(flat) if strength), key=lambda index: (-flat[index], index))


def slow_components(present):
    """The number of components of the bipartite graph with these edges, by repainting."""
    n_rows, n_columns = present.shape
    colour = list(range(n_rows + n_columns))
    for row, column in np.argwhere(present):
        a, b = colour[row], colour[n_rows + column]
        colour = [b if c == a else c for c in colour]
    return len(set(colour))


def slow_betti_numbers(weight, levels):
    """Edges, components and cycles of the graph at each level, each graph made anew; the scale is the layer's."""
    strengths = np.abs(weight.astype(np.float64))
    largest = strengths.max()
    numbers = []
    for level in levels:
        with np.errstate(invalid="ignore"):
            present = (strengths / largest >= level) & (strengths > 0)
        beta0 = slow_components(present)
        numbers.append((int(present.sum()), beta0, int(present.sum()) - sum(weight.shape) + beta0))
    return numbers


def slow_rounds_above(n_edges, n_needed, rate):
    """Count rounds one by one with fractions."""
    left, rounds = Fraction(n_edges), 0
    while (left * (1 - Fraction(rate)) + Fraction(1, 2)).__floor__() >= n_needed:
        left, rounds = left * (1 - Fraction(rate)), rounds + 1
    return rounds


def slow_permutation_keys(n, text):
    """splitmix64 over a counter, in Python integers."""
    state = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    keys = []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        key = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        key = (key ^ (key >> 27)) * 0x94D049BB133111EB % 2**64
        keys.append(key ^ (key >> 31))
    return keys


def sorted_forest(strengths):
    """Kruskal's rule with a real union-find, quick enough for some 100,000 edges: flat indices in the order."""
    n_rows, n_columns = strengths.shape
    flat = np.abs(strengths).ravel()
    edges = np.flatnonzero(flat)
    parent = list(range(n_rows + n_columns))

    def root(vertex):
        while parent[vertex] != vertex:
            parent[vertex] = parent[parent[vertex]]
            vertex = parent[vertex]
        return vertex

    forest = []
    for index in edges[np.argsort(-flat[edges], kind="stable")].tolist():
        row, column = root(index // n_columns), root(n_rows + index % n_columns)
        if row != column:
            parent[row] = column
            forest.append(index)
    return forest


def drawn_weights(shapes, *, seed, variance):
    """Initial weights by name, drawn one after another from one generator; variance(n_in, n_out) counts kernels too."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, (n_out, n_in, *kernel) in shapes.items():
        size = int(np.prod(kernel))
        deviation = variance(n_in * size, n_out * size) ** 0.5
        weights[name] = torch.empty(n_out, n_in, *kernel).normal_(0, deviation, generator=generator)
    return weights


def matching_costs(u, v):
    """What pairing each with each costs; each bar has a place of its own on the diagonal, of either barcode."""
    n_u, n_v = len(u), len(v)
    costs = np.zeros((n_u + n_v, n_u + n_v))
    costs[:n_u, :n_v] = np.abs(np.subtract.outer(u, v))
    costs[:n_u, n_v:] = np.abs(u)[:, None] / 2
    costs[n_u:, :n_v] = np.abs(v) / 2
    return costs


def slow_wasserstein(u, v, order):
    """The best of all assignments, crossing or not."""
    costs = matching_costs(u, v) ** order
    return float(costs[linear_sum_assignment(costs)].sum() ** (1 / order))


def slow_bottleneck(u, v):
    """The least of all costs that no pair of some assignment exceeds."""
    costs = matching_costs(u, v)
    levels = np.unique(np.append(costs, 0.0))
    return float(next(level for level in levels if (costs > level)[linear_sum_assignment(costs > level)].sum() == 0))


def gudhi_diagram(persistences):
    """Bars born at 0. Those of length zero are left out: beside equal points they end the process (GUDHI 3.13)."""
    there = persistences[persistences > 0]
    return np.stack([np.zeros_like(there), there], axis=1)


def gudhi_bottleneck(u, v):
    """GUDHI's bottleneck distance, exact."""
    return gudhi.bottleneck_distance(gudhi_diagram(u), gudhi_diagram(v))


def gudhi_wasserstein(u, v, order):
    """GUDHI's (Hera's) Wasserstein distance; its relative error is 0.01 unless another one is asked for."""
    return gudhi.hera.wasserstein_distance(
        gudhi_diagram(u), gudhi_diagram(v), order=order, internal_p=np.inf, delta=1e-9
    )


def slow_certificate(weight):
    """The smallest of all rows' and columns' largest strengths, but of those without an edge."""
    strengths = np.abs(weight.astype(np.float64))
    largest = [*strengths.max(axis=1).tolist(), *strengths.max(axis=0).tolist()]
    return min((strength for strength in largest if strength), default=None)


def unrolled_convolution(kernel, sides, stride, padding):
    """Which padded input positions each output position of one filter is connected to, shape (outputs, inputs)."""
    padded = [side + 2 * padding for side in sides]
    starts = [range(0, side - k + 1, stride) for side, k in zip(padded, kernel, strict=True)]
    inputs = np.arange(np.prod(padded)).reshape(padded)
    windows = [
        inputs[tuple(slice(at, at + k) for at, k in zip(start, kernel, strict=True))].ravel()
        for start in product(*starts)
    ]
    return np.array([np.isin(inputs.ravel(), window) for window in windows])


def unrolled_strengths(kernel, sides, stride, padding):
    """The dense matrix of one filter over an image, shape (outputs, inputs): at each edge the kernel's strength."""
    padded = [side + 2 * padding for side in sides]
    starts = [range(0, side - k + 1, stride) for side, k in zip(padded, kernel.shape, strict=True)]
    rows = []
    for start in product(*starts):
        row = np.zeros(padded)
        row[tuple(slice(at, at + k) for at, k in zip(start, kernel.shape, strict=True))] = kernel
        rows.append(row.ravel())
    return np.array(rows)


def slow_guaranteed(n_rows, n_columns, k):
    """The smallest a + b - 1 of all blocks with room for k weights."""
    blocks = product(range(1, n_rows + 1), range(1, n_columns + 1))
    return min(a + b - 1 for a, b in blocks if a * b >= k) if k else 0


def slow_rank(places, n_rows, n_columns):
    """How many edges a forest of these weights has."""
    present = np.zeros(n_rows * n_columns, bool)
    present[list(places)] = True
    return n_rows + n_columns - slow_components(present.reshape(n_rows, n_columns))


def connected_probabilities(n_rows, n_columns, p):
    """The exact probability that a layer is connected, by the component of its first row; at [rows, columns]."""
    exact = {}
    for m, n in product(range(1, n_rows + 1), range(n_columns + 1)):
        smaller = [(a, b) for a, b in product(range(1, m + 1), range(n + 1)) if (a, b) != (m, n)]
        exact[m, n] = 1 - sum(
            comb(m - 1, a - 1) * comb(n, b) * exact[a, b] * (1 - p) ** (a * (n - b) + b * (m - a)) for a, b in smaller
        )
    return exact


def arrangements(weight, shuffle):
    """Every shuffled weight, each as often as it comes up."""
    flat = weight.ravel()
    if shuffle == "block":
        block = weight[weight.any(1)][:, weight.any(0)]
        return [np.array(order).reshape(block.shape) for order in permutations(block.ravel().tolist())]
    groups = [np.flatnonzero(flat)]
    if shuffle in ("rows", "columns"):
        lines = np.arange(weight.size).reshape(weight.shape)
        groups = [line[flat[line] != 0] for line in (lines if shuffle == "rows" else lines.T)]
    shuffled = []
    for orders in product(*(permutations(group.tolist()) for group in groups)):
        other = flat.copy()
        for group, order in zip(groups, orders, strict=True):
            other[group] = flat[list(order)]
        shuffled.append(other.reshape(weight.shape))
    return shuffled


def slow_shuffle_chances(weight, k, shuffle):
    """How likely each number of forest edges is, by shuffling in every way and keeping the k strongest."""
    shuffled = arrangements(weight, shuffle)
    counts = Counter(slow_rank(slow_order(other)[:k], *other.shape) for other in shuffled)
    return {rank: count / len(shuffled) for rank, count in counts.items()}


def slow_drawing_chances(drawing):
    """How likely each rank of a drawing is, by drawing in every way."""
    groups = [range(a, b) for a, b in zip(drawing.starts[:-1], drawing.starts[1:], strict=True)]
    choices = [combinations(group, n) for group, n in zip(groups, drawing.n_drawn.tolist(), strict=True)]
    chances = Counter()
    for drawn in product(*choices):
        places, lots = [place for part in drawn for place in part], [()]
        if drawing.tied is not None:
            left = [[place for place in group if place not in places] for group in groups]
            ways = [combinations(part, n) for part, n in zip(left, drawing.tied.n_drawn.tolist(), strict=True)]
            lots = [in_order(drawing, sum(parts, ()))[: drawing.tied.n_first] for parts in product(*ways)]
        for lot in lots:
            flat = [*places, *lot] if drawing.flat is None else drawing.flat[[*places, *lot]].tolist()
            chances[slow_rank(flat, drawing.n_rows, drawing.n_columns)] += 1 / len(lots)
    total = sum(chances.values())
    return {rank: chance / total for rank, chance in chances.items()}


def in_order(drawing, places):
    """Places in the order of their flat indices in the layer, which may be transposed in the drawing."""
    index = np.arange(drawing.starts[-1]) if drawing.flat is None else drawing.flat
    if drawing.is_transposed:
        index = [(flat % drawing.n_columns, flat // drawing.n_columns) for flat in index.tolist()]
    return sorted(places, key=lambda place: index[place])


def literally_shuffled(weight, k, shuffle, rng):
    """Shuffle the weights themselves, keep the k strongest, and count their forest edges."""
    other = weight.copy()
    if shuffle == "edges":
        other[weight != 0] = rng.permutation(weight[weight != 0])
    elif shuffle == "block":
        live = np.ix_(weight.any(1), weight.any(0))
        other[live] = rng.permutation(weight[live].ravel()).reshape(weight[live].shape)
    else:
        lines = zip(weight, other, strict=True) if shuffle == "rows" else zip(weight.T, other.T, strict=True)
        for line, permuted in lines:
            permuted[line != 0] = rng.permutation(line[line != 0])
    return slow_rank(slow_order(other)[:k], *weight.shape)


def connected_counts(n_rows, n_columns):
    """How many sets of k edges connect a layer, for each k, by the component of its first row; at [rows, columns]."""
    counts = {}
    for m, n in product(range(1, n_rows + 1), range(n_columns + 1)):
        connected = np.array([comb(m * n, k) for k in range(m * n + 1)], dtype=object)
        for a, b in product(range(1, m + 1), range(n + 1)):
            if (a, b) != (m, n):
                others = np.array([comb((m - a) * (n - b), k) for k in range((m - a) * (n - b) + 1)], dtype=object)
                apart = comb(m - 1, a - 1) * comb(n, b) * np.convolve(counts[a, b], others)
                connected[: len(apart)] -= apart
        counts[m, n] = connected
    return counts


def tight_chance(n_rows, n_columns):
    """How likely the edge that connects a layer, edges entering in random order, attaches a lone vertex; exact."""
    counts, n_edges = connected_counts(n_rows, n_columns), n_rows * n_columns
    but_one = [*counts[n_rows - 1, n_columns], 0], [*counts[n_rows, n_columns - 1], 0]
    return sum(
        Fraction(n_rows * n_columns * int(count), comb(n_edges, k) * (n_edges - k))
        for connected in but_one
        for k, count in enumerate(connected)
        if count
    )


def merged_deaths(weight, n_parallel):
    """Deaths, descending, if each n_parallel weights of a row are parallel edges, all of them kept; and components."""
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(len(weight) + weight.shape[1] // n_parallel))
    for row, column in np.argwhere(weight).tolist():
        graph.add_edge(row, len(weight) + column // n_parallel, weight=abs(float(weight[row, column])))
    deaths = sorted((data["weight"] for *_, data in nx.maximum_spanning_edges(graph)), reverse=True)
    return deaths, nx.number_connected_components(graph)


def complete_persistences(weight, scale):
    """Persistences, ascending, if stored zeros are edges of strength 0: one essential bar is left."""
    graph = nx.Graph()
    strengths = np.abs(weight.astype(np.float64)) / scale
    graph.add_weighted_edges_from((r, len(weight) + c, strengths[r, c]) for r, c in np.ndindex(weight.shape))
    return sorted([1 - data["weight"] for *_, data in nx.maximum_spanning_edges(graph)] + [1.0])


def random_rank(n_rows, n_columns, k, rng):
    """How many edges a forest of the k strongest of random weights has."""
    strongest = np.argpartition(rng.random(n_rows * n_columns), -k)[-k:]
    rows, columns = np.divmod(strongest, n_columns)
    n_vertices = n_rows + n_columns
    graph = coo_array((np.ones(k), (rows, n_rows + columns)), shape=(n_vertices, n_vertices))
    return n_vertices - connected_components(graph, directed=False, return_labels=False)


def masked_layer(layer, kept):
    """The layer with zeros in place of the weights that a mask does not keep."""
    return replace(layer, codes=np.where(kept, layer.codes, layer.codes.dtype.type(0)))


def slow_line_counts(protected, edges, target):
    """Weights that each line keeps: one more at a time for the first of the lines with the fewest that may grow."""
    counts = list(protected)
    while sum(counts) < target and counts != list(edges):
        growing = [line for line, count in enumerate(counts) if count < edges[line]]
        counts[min(growing, key=lambda line: (counts[line], line))] += 1
    return counts


def slow_lines(weight, target, protected, by_column):
    """The mask that keeps the protected flat indices, and the strongest others of each line up to its count."""
    lines = np.indices(weight.shape)[1 if by_column else 0].ravel()
    n_lines = weight.shape[1 if by_column else 0]
    order = slow_order(weight)
    n_protected = [sum(lines[index] == line for index in protected) for line in range(n_lines)]
    n_edges = [sum(lines[index] == line for index in order) for line in range(n_lines)]
    counts = slow_line_counts(n_protected, n_edges, target)
    kept = np.zeros(weight.size, bool)
    for line in range(n_lines):
        others = [index for index in order if lines[index] == line and index not in protected]
        kept[others[: counts[line] - n_protected[line]]] = True
    kept[list(protected)] = True
    return kept.reshape(weight.shape)
