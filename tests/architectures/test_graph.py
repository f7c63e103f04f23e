import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from reachability import reached

from topoimp.architectures import NAMED_NETWORKS, parse_architecture
from topoimp.architectures.graph import architecture_graph
from topoimp.network.graph import Connection, chain_graph
from topoimp.training.models import build_network

NETWORKS = [*NAMED_NETWORKS, "mlp:9-7-5-4", "vgg-11:512-6-10", "vgg-16:2048-10"]


def architecture_of(model):
    return parse_architecture(model, image=(3, 64, 64) if model == "vgg-16:2048-10" else None)


def positive_network(architecture, edges):
    """The network in torch with weight 1 at each edge, 0 elsewhere, and no other effect of any parameter."""
    network = build_network(architecture, seed=0).double().eval()
    state = network.state_dict()
    for name, tensor in state.items():
        if name in edges:
            tensor.copy_(torch.from_numpy(edges[name]))
        elif name.endswith("bias"):
            tensor.zero_()
    network.load_state_dict(state)
    return network


def outputs_of_each_input(architecture, graph, edges):
    """Which outputs (columns) are not 0 if one input or channel of the images (rows) alone is 1."""
    n_inputs = graph.places[graph.inputs]
    image = architecture.image or (n_inputs, 1, 1)
    images = torch.eye(n_inputs, dtype=torch.float64)[:, :, None, None].expand(n_inputs, *image)
    with torch.no_grad():
        return positive_network(architecture, edges)(images).numpy() > 0


def sparse_edges(architecture, graph, rng, mean_degree, *, by_vertex):
    """Random edges of each layer, about ``mean_degree`` vertices before each one; whole kernels, if by vertex."""
    edges = {}
    for each in graph.connections:
        if each.layer is None:
            continue
        shape = architecture.weights[each.layer]
        n_columns = int(np.prod(shape[1:])) // each.columns_per_vertex
        of_vertices = rng.random((shape[0], n_columns)) < mean_degree / n_columns
        columns = np.repeat(of_vertices, each.columns_per_vertex, axis=1)
        if not by_vertex:
            columns &= rng.random(columns.shape) < 0.5
        edges[each.layer] = columns.reshape(shape)
    return edges


@pytest.mark.parametrize("model", NETWORKS)
def test_inputs_reach_the_outputs_that_they_change_in_torch(model):
    architecture = architecture_of(model)
    graph = architecture_graph(architecture)
    edges = sparse_edges(architecture, graph, np.random.default_rng(len(model)), 1.1, by_vertex=True)

    found = reached(graph, edges, np.eye(graph.places[graph.inputs], dtype=bool))[graph.outputs]

    assert_array_equal(found, outputs_of_each_input(architecture, graph, edges))
    assert 0 < found.sum() < found.size


@pytest.mark.parametrize("model", NETWORKS)
def test_no_input_changes_an_output_that_it_does_not_reach(model):
    architecture = architecture_of(model)
    graph = architecture_graph(architecture)
    edges = sparse_edges(architecture, graph, np.random.default_rng(len(model)), 2.0, by_vertex=False)

    found = reached(graph, edges, np.eye(graph.places[graph.inputs], dtype=bool))[graph.outputs]

    changed = outputs_of_each_input(architecture, graph, edges)
    assert not (changed & ~found).any()
    assert changed.any()


@pytest.mark.parametrize("model", NETWORKS)
def test_each_weight_is_in_one_connection_and_columns_are_used_up(model):
    architecture = architecture_of(model)
    graph = architecture_graph(architecture)

    assert sorted(graph.layers) == sorted(architecture.weights)
    for each in graph.connections:
        n_source, n_target = graph.places[each.source], graph.places[each.target]
        if each.layer is None:
            assert n_source <= n_target
        else:
            n_rows, *axes = architecture.weights[each.layer]
            assert (n_rows, np.prod(axes)) == (n_target, n_source * each.columns_per_vertex)


@pytest.mark.parametrize("model", ["lenet-300-100", "mlp:784-100-100-10", "lenet-5", "conv-6"])
def test_a_network_without_blocks_and_norms_is_a_chain(model):
    architecture = parse_architecture(model)

    assert architecture_graph(architecture) == chain_graph(architecture.weights)


def test_norms_belong_to_the_convolutions_before_them():
    graph = architecture_graph(parse_architecture("vgg-11"))

    assert [each.norm for each in graph.connections] == [*(f"norm{k}" for k in range(1, 9)), None]


def test_a_block_ends_in_the_sum_of_its_branches():
    connections = architecture_graph(parse_architecture("resnet-18")).connections

    assert [each for each in connections if each.target.startswith("block3")] == [
        Connection("block2", "block3.conv1.weight", "block3.conv1.weight", 9, norm="block3.norm1"),
        Connection("block3.conv1.weight", "block3", "block3.conv2.weight", 9, norm="block3.norm2"),
        Connection("block2", "block3", "block3.shortcut.conv.weight", 1, norm="block3.shortcut.norm"),
    ]


def test_a_shortcut_without_weights_enters_the_first_channels():
    graph = architecture_graph(parse_architecture("resnet-20"))

    assert Connection("block3", "block4") in graph.connections
    assert (graph.places["block3"], graph.places["block4"]) == (16, 32)
