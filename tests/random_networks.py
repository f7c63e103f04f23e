"""Random small networks as graphs: dense layers and convolutions, groups, residual sums, zeros, dead inputs."""

import networkx as nx
import numpy as np

from topoimp.network.graph import Connection, NetworkGraph


def random_network(rng):
    """A graph, and by layer an array of weights of 2 or 4 axes, many of them 0."""
    density = rng.choice([0.1, 0.3, 0.6, 1.0])
    places = {"inputs": int(rng.integers(1, 6))}
    connections = []
    weights = {}

    def add(source, target, n_sources, n_targets, **ends):
        kernel = (int(rng.choice([1, 2])), int(rng.choice([1, 3]))) if rng.random() < 0.5 else ()
        pixels = int(rng.choice([1, 1, 2]))  # a flattened channel has several columns
        layer = f"layer{len(weights)}"
        per_vertex = pixels * int(np.prod(kernel, dtype=int))
        connections.append(Connection(source, target, layer, per_vertex, **ends))
        shape = (n_targets, n_sources * pixels, *kernel)
        magnitudes = rng.integers(1, 4, shape) * rng.choice([-1.0, 1.0], shape)
        weights[layer] = np.where(rng.random(shape) < density, magnitudes, 0.0)
        if rng.random() < 0.3:
            weights[layer][:, 0] = 0  # a dead column

    for number in range(int(rng.integers(1, 5))):
        source, place = list(places)[-1], f"place{number}"
        n_source, size = places[source], int(rng.integers(1, 6))
        places[place] = size
        if min(n_source, size) > 1 and rng.random() < 0.3:  # two groups
            n_first, n_rows = int(rng.integers(1, n_source)), int(rng.integers(1, size))
            add(source, place, n_first, n_rows)
            add(source, place, n_source - n_first, size - n_rows, first_source=n_first, first_target=n_rows)
        else:
            add(source, place, n_source, size)
        if number and rng.random() < 0.5:  # a shortcut, with weights or without
            start = str(rng.choice(list(places)[:-1]))
            if rng.random() < 0.5:
                connections.append(Connection(start, place))
            else:
                add(start, place, places[start], size)

    order = rng.permutation(len(connections)) if rng.random() < 0.5 else range(len(connections))
    return NetworkGraph(places, tuple(connections[k] for k in order)), weights


def edges_between(connection, graph, weights):
    """The edges of a connection, each a source vertex, a target vertex and the weight's flat index; None one to one."""
    source, target = connection.source, connection.target
    if connection.layer is None:
        n_joined = min(graph.places[source], graph.places[target])
        return [((source, k), (target, k), None) for k in range(n_joined)]
    matrix = weights[connection.layer].reshape(len(weights[connection.layer]), -1)
    return [
        (
            (source, connection.first_source + int(column) // connection.columns_per_vertex),
            (target, connection.first_target + int(row)),
            int(row) * matrix.shape[1] + int(column),
        )
        for row, column in np.argwhere(matrix)
    ]


def in_networkx(graph, weights):
    """The network as a directed graph of networkx with all its vertices; parallel edges are one."""
    network = nx.DiGraph()
    network.add_nodes_from((place, k) for place, size in graph.places.items() for k in range(size))
    network.add_edges_from(edge[:2] for each in graph.connections for edge in edges_between(each, graph, weights))
    return network


def live_in_networkx(graph, weights):
    """The live vertices: those that an input reaches and that reach an output."""
    network = in_networkx(graph, weights)
    inputs = [(graph.inputs, k) for k in range(graph.places[graph.inputs])]
    outputs = [(graph.outputs, k) for k in range(graph.places[graph.outputs])]
    after = set(inputs).union(*(nx.descendants(network, vertex) for vertex in inputs))
    before = set(outputs).union(*(nx.ancestors(network, vertex) for vertex in outputs))
    return after & before
