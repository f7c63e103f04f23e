import pytest

from topoimp.errors import LayerError
from topoimp.network.graph import Connection, NetworkGraph, chain_graph, joined_vertices


def test_a_chain_joins_each_layer_to_the_one_before():
    graph = chain_graph({"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)})

    assert graph.places == {"inputs": 784, "fc1": 300, "fc2": 100, "fc3": 10}
    assert graph.connections == (
        Connection("inputs", "fc1", "fc1"),
        Connection("fc1", "fc2", "fc2"),
        Connection("fc2", "fc3", "fc3"),
    )
    assert (graph.inputs, graph.outputs, graph.layers) == ("inputs", "fc3", ["fc1", "fc2", "fc3"])
    assert graph.first_vertices == {"inputs": 0, "fc1": 784, "fc2": 1084, "fc3": 1184}
    assert graph.n_vertices == 1194


def test_the_columns_of_a_vertex_are_a_kernel_and_the_pixels_of_a_flattened_channel():
    graph = chain_graph({"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)})

    assert [each.columns_per_vertex for each in graph.connections] == [25, 25, 16, 1]


def test_a_layer_that_does_not_fit_is_named():
    with pytest.raises(
        LayerError, match=r"^layer fc2 reads 299 inputs, but fc1 before it in the chain has 300 outputs"
    ):
        chain_graph({"fc1": (300, 784), "fc2": (10, 299)})
    with pytest.raises(LayerError, match=r"^layer conv2 reads 3 inputs, but conv1 before it .* has 2 outputs"):
        chain_graph({"conv1": (2, 1, 3, 3), "conv2": (4, 3, 2, 2)})  # 12 columns, a multiple of 2 but not of 2 kernels
    with pytest.raises(LayerError, match=r"^a chain needs at least one layer$"):
        chain_graph({})


def test_places_stand_in_the_order_of_the_paths():
    with pytest.raises(LayerError, match=r"^the places b and a are not in forward order$"):
        NetworkGraph({"a": 1, "b": 1}, (Connection("b", "a"),))
    with pytest.raises(LayerError, match=r"^the places a and a are not in forward order$"):
        NetworkGraph({"a": 1, "b": 1}, (Connection("a", "a"), Connection("a", "b")))


@pytest.mark.parametrize("pairs", [["ab", "ac"], ["ac", "bc"], []])
def test_every_place_is_joined_to_inputs_and_outputs(pairs):
    with pytest.raises(LayerError, match=r"^nothing joins the place"):
        NetworkGraph({"a": 1, "b": 1, "c": 1}, tuple(Connection(source, target) for source, target in pairs))


def test_connections_follow_all_that_lead_to_their_sources():
    first, second, shortcut = Connection("a", "b"), Connection("b", "c"), Connection("a", "c")
    graph = NetworkGraph({"a": 1, "b": 1, "c": 1}, (second, shortcut, first))

    assert graph.by_target == [first, second, shortcut]


def test_a_later_group_joins_the_vertices_from_its_first_ones_on():
    group = Connection("a", "b", "second", 9, first_source=2, first_target=3)
    graph = NetworkGraph({"a": 4, "b": 6}, (Connection("a", "b", "first", 9), group))

    assert joined_vertices(graph, group, (3, 18)) == (slice(2, 4), slice(3, 6))


@pytest.mark.parametrize("shape", [(4, 18), (3, 27), (3, 17)])
def test_a_layer_with_rows_or_columns_outside_its_places_is_refused(shape):
    group = Connection("a", "b", "fc", 9, first_source=2, first_target=3)
    graph = NetworkGraph({"a": 4, "b": 6}, (group,))

    with pytest.raises(LayerError, match=r"^layer fc has . rows and .. columns, but the network has 3 outputs and 18 "):
        joined_vertices(graph, group, shape)
