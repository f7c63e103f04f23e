"""Which vertices of a network's graph paths of edges reach, place by place, in plain numpy."""

import numpy as np


def joined(connection, edges, n_source, n_target):
    """Which vertices of the target (rows) an edge joins to which of the source (columns).

    ``edges`` are those of the connection's layer, any shape whose first axis is its rows.
    """
    if connection.layer is None:
        return np.eye(n_target, n_source, dtype=bool)

    of_vertices = edges.reshape(len(edges), -1, connection.columns_per_vertex).any(axis=2)
    n_rows, n_columns = of_vertices.shape
    joined = np.zeros((n_target, n_source), dtype=bool)
    rows = slice(connection.first_target, connection.first_target + n_rows)
    columns = slice(connection.first_source, connection.first_source + n_columns)
    joined[rows, columns] = of_vertices
    return joined


def reached(graph, edges, starts):
    """By place, which of its vertices (columns) paths join to each start (rows), a flag for each input."""
    reached = {place: np.zeros((len(starts), size), dtype=bool) for place, size in graph.places.items()}
    reached[graph.inputs] |= starts
    for place in graph.places:
        for each in graph.connections:
            if each.target == place:
                matrix = joined(each, edges.get(each.layer), graph.places[each.source], graph.places[place])
                reached[place] |= reached[each.source] @ matrix.T
    return reached
