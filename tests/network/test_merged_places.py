from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_network

from topoimp.network.facts import kept_in, path_facts
from topoimp.network.graph import Connection, NetworkGraph
from topoimp.network.merged_places import merged_places


def with_places_behind_layers(graph, rng):
    """The same network with more places that hand on others: norms behind some connections, sums behind others."""
    places, connections, n_norms = {graph.inputs: graph.places[graph.inputs]}, [], 0
    for place, size in list(graph.places.items())[1:]:
        for each in [each for each in graph.connections if each.target == place]:
            choice = rng.integers(3)
            name = f"behind {len(connections)}"
            if choice == 0 or each.layer is None:
                connections.append(each)
            else:
                norm = f"norm{n_norms}" if choice == 1 else None
                n_norms += choice == 1
                places[name] = size
                connections += [replace(each, target=name), Connection(name, place, norm=norm)]
        places[place] = size
    return NetworkGraph(places, tuple(connections))


@pytest.mark.parametrize("seed", range(40))
def test_places_that_are_merged_change_no_fact_of_paths(seed):
    rng = np.random.default_rng(seed)
    graph, weights = random_network(rng)
    longer = with_places_behind_layers(graph, rng)

    found = [path_facts(each, lambda name: kept_in(weights[name])) for each in (longer, merged_places(longer), graph)]

    by_layer = [{name: layer.n_off_path for name, layer in facts.layers.items()} for facts in found]
    assert by_layer[0] == by_layer[1] == by_layer[2]
    assert found[0].beta0_glued == found[1].beta0_glued == found[2].beta0_glued


def test_a_norm_stays_by_itself_where_something_else_reads_its_layer():
    graph = NetworkGraph(
        {"inputs": 3, "fc1": 2, "norm": 2, "outputs": 2},
        (
            Connection("inputs", "fc1", "fc1"),
            Connection("fc1", "norm", norm="norm"),
            Connection("fc1", "outputs"),
            Connection("norm", "outputs", "fc2"),
        ),
    )

    assert merged_places(graph) == graph


def test_rows_of_channels_are_written_by_their_layers_at_once():
    graph = NetworkGraph(
        {"inputs": 3, "a": 2, "b": 4, "row": 6},
        (
            Connection("inputs", "a", "a"),
            Connection("inputs", "b", "b"),
            Connection("a", "row"),
            Connection("b", "row", first_target=2),
        ),
    )

    assert merged_places(graph).connections == (
        Connection("inputs", "row", "a"),
        Connection("inputs", "row", "b", first_target=2),
    )
