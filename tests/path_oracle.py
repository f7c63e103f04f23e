"""The order in which a network keeps its weights by paths, from all its paths one by one, in exact fractions."""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import prod

import numpy as np
from random_networks import edges_between, random_network

from topoimp.layers.layer import as_layer
from topoimp.network.weighted_graph import WeightedGraph


@dataclass(frozen=True)
class Edge:
    """An edge of the glued graph; ``weight`` is its layer and flat index, None for an edge that is no weight."""

    number: int
    source: tuple[str, int]
    target: tuple[str, int]
    weight: tuple[str, int] | None
    strength: Fraction


def edges_of(graph, weights, norms=None, unpruned=()):
    """All edges, by the order of the places that they enter, then of the connections, then by flat index.

    Those of unpruned layers have no weight.
    """
    order = list(graph.places)
    edges = []
    for each in sorted(graph.connections, key=lambda each: order.index(each.target)):
        for source, target, flat in edges_between(each, graph, weights):
            magnitude = 1 if flat is None else abs(Fraction(float(weights[each.layer].flat[flat])))
            factor = (
                Fraction(1) if each.norm is None else Fraction(float(norms[each.norm][target[1] - each.first_target]))
            )
            weight = None if flat is None or each.layer in unpruned else (each.layer, flat)
            edges.append(Edge(len(edges), source, target, weight, magnitude * factor))
    return edges


def paths_of(graph, edges, inputs):
    """All paths of positive strength from an input to an output: the strength, and the edges from the input on."""
    leaving = {}
    for edge in edges:
        if edge.strength:
            leaving.setdefault(edge.source, []).append(edge)

    def walk(vertex, path):
        if vertex[0] == graph.outputs:
            yield path
        for edge in leaving.get(vertex, []):
            yield from walk(edge.target, [*path, edge])

    return [
        (Fraction(float(inputs[k])) * prod(edge.strength for edge in path), path)
        for k in range(graph.places[graph.inputs])
        if inputs[k]
        for path in walk((graph.inputs, k), [])
    ]


def n_paths(graph, edges):
    """The number of paths from an input to an output."""
    count = {(graph.inputs, k): 1 for k in range(graph.places[graph.inputs])}
    for edge in edges:
        count[edge.target] = count.get(edge.target, 0) + count.get(edge.source, 0)
    return sum(count.get((graph.outputs, k), 0) for k in range(graph.places[graph.outputs]))


def strongest_through(paths):
    """By edge number, the strength of the strongest path through it and the path, by the rule for ties."""
    best = {}
    for strength, path in paths:
        numbers = [edge.number for edge in path]
        for k, edge in enumerate(path):
            key = (-strength, numbers[: k + 1][::-1], numbers[k:])
            if edge.number not in best or key < best[edge.number][0]:
                best[edge.number] = (key, path)
    return {number: (-key[0], path) for number, (key, path) in best.items()}


@dataclass(frozen=True)
class SlowOrder:
    """All weights that are not 0, in the order of keeping, and where the paths end."""

    weights: list[tuple[str, int]]
    ends: set[int]
    n_on_path: int
    n_of_outputs: int
    strengths: dict[tuple[str, int], Fraction]


def slow_order(graph, weights, inputs, norms=None, unpruned=()):
    """The order by its definition."""
    edges = edges_of(graph, weights, norms, unpruned)
    paths = paths_of(graph, edges, inputs)
    through = strongest_through(paths)
    taken, ends = {}, {0}

    def take(path):
        for edge in reversed(path):
            if edge.weight is not None:
                taken.setdefault(edge.weight)
        ends.add(len(taken))

    to_outputs = {}
    for strength, path in paths:
        if path:
            to_outputs.setdefault(path[-1].target[1], []).append((-strength, [e.number for e in path[::-1]], path))
    best = {output: min(found, key=lambda each: each[:2]) for output, found in to_outputs.items()}
    for output in sorted(best, key=lambda output: (best[output][0], output)):
        take(best[output][2])
    n_of_outputs = len(taken)

    on_path = [edge for edge in edges if edge.weight is not None and edge.number in through]
    for edge in sorted(on_path, key=lambda edge: (-through[edge.number][0], edge.number)):
        if edge.weight not in taken:
            take(through[edge.number][1])
    n_on_path = len(taken)

    names = list(dict.fromkeys(edge.weight[0] for edge in edges if edge.weight is not None))
    off_path = [edge for edge in edges if edge.weight is not None and edge.number not in through]
    size = {weight: -abs(weights[weight[0]].flat[weight[1]]) for weight in (edge.weight for edge in off_path)}
    for edge in sorted(off_path, key=lambda e: (-names.index(e.weight[0]), size[e.weight], e.number)):
        taken.setdefault(edge.weight)
    strengths = {edge.weight: through[edge.number][0] for edge in on_path}
    return SlowOrder(list(taken), ends, n_on_path, n_of_outputs, strengths)


def first_of(order, n, weights):
    """The masks of the first n weights."""
    masks = {name: np.zeros(weight.shape, bool) for name, weight in weights.items()}
    for layer, flat in order.weights[:n]:
        masks[layer].flat[flat] = True
    return masks


@cache
def small_network(seed):
    """A random network of at most 3,000 paths: graph, weights, strengths of inputs, factors of norms, order."""
    rng = np.random.default_rng(seed)
    while True:
        graph, weights = random_network(rng)
        if n_paths(graph, edges_of(graph, weights)) <= 3000:
            break
    if seed % 3 == 0:  # no two products are equal, or near
        weights = {name: weight * rng.lognormal(size=weight.shape) for name, weight in weights.items()}

    # Factors and strengths are 0 at times, and equal often.
    norms, connections = {}, []
    for each in graph.connections:
        if rng.random() < 0.3:
            n = graph.places[each.target] - each.first_target if each.layer is None else len(weights[each.layer])
            n = min(n, graph.places[each.source]) if each.layer is None else n
            norms[f"norm{len(norms)}"] = rng.choice([0, 0.5, 1, 3], size=n, p=[0.1, 0.3, 0.3, 0.3])
            each = replace(each, norm=f"norm{len(norms) - 1}")
        connections.append(each)
    graph = replace(graph, connections=tuple(connections))
    inputs = rng.choice([0, 0.5, 1, 2], size=graph.places[graph.inputs], p=[0.1, 0.3, 0.3, 0.3])
    return graph, weights, inputs, norms, slow_order(graph, weights, inputs, norms)


def weighted(graph, weights, inputs, norms):
    layers = {name: as_layer(weight) for name, weight in weights.items()}
    return WeightedGraph(graph, layers, inputs, norms)
