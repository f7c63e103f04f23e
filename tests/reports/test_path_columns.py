import numpy as np

from topoimp.network.facts import OnPaths, PathFacts
from topoimp.reports.path_columns import with_path_columns

FACTS = PathFacts(
    {"fc1": OnPaths(10, 5, 1), "fc2": OnPaths(20, 5, 0)},
    {"inputs": np.array([True, False]), "fc1": np.array([True, True])},
    beta0_glued=7,
)
NETWORK = {"level": "network"}


def layer(name):
    return {"level": "layer", "layer": name}


def test_layers_and_network_have_their_columns():
    rows = with_path_columns([layer("fc1"), layer("fc2"), NETWORK], FACTS)

    assert rows == [
        {**layer("fc1"), "n_off_path": 1, "effective_density": 0.4},
        {**layer("fc2"), "n_off_path": 0, "effective_density": 0.25},
        {**NETWORK, "n_off_path": 1, "effective_density": 0.3, "live_vertices": 3, "beta0_glued": 7},
    ]


def test_rows_that_are_repeated_count_once():
    rows = with_path_columns([layer("fc1"), NETWORK, layer("fc1"), NETWORK], FACTS)

    assert [row["n_off_path"] for row in rows] == [1, 1, 1, 1]


def test_the_sums_are_those_of_the_layers_shown():
    assert with_path_columns([layer("fc2"), NETWORK], FACTS)[1]["n_off_path"] == 0


def test_a_layer_outside_the_graph_leaves_its_row_and_the_sums_blank():
    rows = with_path_columns([layer("fc1"), layer("fc3"), NETWORK], FACTS)

    assert [row["n_off_path"] for row in rows] == [1, None, None]
    assert [row["effective_density"] for row in rows] == [0.4, None, None]
    assert rows[2]["beta0_glued"] == 7


def test_without_facts_all_is_blank():
    rows = with_path_columns([layer("fc1"), NETWORK], None)

    blank = {"n_off_path": None, "effective_density": None}
    assert rows == [{**layer("fc1"), **blank}, {**NETWORK, **blank, "live_vertices": None, "beta0_glued": None}]
