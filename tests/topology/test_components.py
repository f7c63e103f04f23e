import csv

import networkx as nx
import numpy as np
from hypothesis import given
from strategies import weights

from topoimp import as_layer, spanning_forest
from topoimp.topology.components import components_of, largest_component, write_components_csv


def of(weight):
    return components_of(spanning_forest(as_layer(weight)))


def lines(components):
    """Each component as vertices, rows, columns, first row, first column."""
    fields = ("n_vertices", "n_rows", "n_columns", "first_row", "first_column")
    return list(zip(*(getattr(components, field).tolist() for field in fields), strict=True))


def by_networkx(weight):
    n_rows, n_columns = weight.shape
    graph = nx.Graph()
    graph.add_nodes_from(range(n_rows + n_columns))
    graph.add_edges_from((row, n_rows + column) for row, column in np.argwhere(weight != 0).tolist())
    found = []
    for vertices in sorted(map(sorted, nx.connected_components(graph)), key=lambda each: (-len(each), each[0])):
        rows = [vertex for vertex in vertices if vertex < n_rows]
        columns = [vertex - n_rows for vertex in vertices if vertex >= n_rows]
        first = (min(rows, default=-1), min(columns, default=-1))
        found.append((len(vertices), len(rows), len(columns), *first))
    return found


@given(weights())
def test_components_are_those_of_networkx(weight):
    components = of(weight)

    assert lines(components) == by_networkx(weight)
    assert largest_component(spanning_forest(as_layer(weight))) == by_networkx(weight)[0][0]
    assert components.n_dead_rows == int((weight == 0).all(axis=1).sum())
    assert components.n_dead_columns == int((weight == 0).all(axis=0).sum())
    assert components.n_joined + components.n_dead_rows + components.n_dead_columns == len(components.n_rows)


def test_components_by_hand():
    weight = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 3.0, 0.0]])

    assert lines(of(weight)) == [(3, 1, 2, 2, 0), (2, 1, 1, 0, 1), (1, 1, 0, 1, -1), (1, 0, 1, -1, 3)]


def test_the_file_has_a_line_for_each_component(tmp_path):
    weight = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    write_components_csv(tmp_path / "c.csv", [("a, b", of(weight)), ("one", of(np.ones((1, 1))))])

    assert list(csv.reader((tmp_path / "c.csv").read_text().splitlines())) == [
        ["layer", "component", "n_vertices", "n_rows", "n_columns", "first_row", "first_column"],
        ["a, b", "0", "2", "1", "1", "0", "1"],
        ["a, b", "1", "1", "1", "0", "1", ""],
        ["a, b", "2", "1", "0", "1", "", "0"],
        ["a, b", "3", "1", "0", "1", "", "2"],
        ["one", "0", "2", "1", "1", "0", "0"],
    ]
