import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from random_networks import edges_between, in_networkx, live_in_networkx, random_network

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import LayerError
from topoimp.kernels import threads
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.network import facts
from topoimp.network.facts import OnPaths
from topoimp.network.graph import chain_graph
from topoimp.pruning.applied_masks import NonzeroPruner
from topoimp.pruning.kept_weights import facts_of_checkpoint, facts_of_pruners, masks_of
from topoimp.pruning.masks import PackedMask


def packed(kept):
    return PackedMask(kept.shape, np.packbits(kept, bitorder="little"))


def numbers_in_networkx(graph, weights):
    """By layer its kept weights and those off every path; the live vertices; the components."""
    live = live_in_networkx(graph, weights)
    layers = {}
    for each in graph.connections:
        if each.layer is not None:
            edges = edges_between(each, graph, weights)
            n_off_path = sum(not {source, target} <= live for source, target, _ in edges)
            layers[each.layer] = OnPaths(weights[each.layer].size, len(edges), n_off_path)
    return layers, len(live), nx.number_weakly_connected_components(in_networkx(graph, weights))


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_says_what_is_kept_and_where_there_is_none_the_weights_do(write, seed):
    rng = np.random.default_rng(seed)
    graph, weights = random_network(rng)
    masks = {name: packed(rng.random(weight.shape) < 0.7) for name, weight in weights.items() if rng.random() < 0.5}
    kept = {name: masks[name].kept() if name in masks else weight for name, weight in weights.items()}

    found = facts_of_checkpoint(graph, open_checkpoint(write(weights)), masks)

    assert (found.layers, found.live_vertices, found.beta0_glued) == numbers_in_networkx(graph, kept)


def test_facts_need_a_graph(write):
    assert facts_of_checkpoint(None, open_checkpoint(write({"fc.weight": np.ones((2, 2))}))) is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_of_any_type_are_read_in_pieces(write, dtype, monkeypatch):
    monkeypatch.setattr(facts, "PIECE", 2)
    weights = {"fc1": np.array([[-0.0, 1e-7], [0, -1], [0, 0]], dtype), "fc2": np.array([[1, 0, 1]], dtype)}
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})

    found = facts_of_checkpoint(graph, open_checkpoint(write(weights)))

    assert found.layers == {"fc1": OnPaths(6, 2, 1), "fc2": OnPaths(3, 2, 1)}
    assert (found.live_vertices, found.beta0_glued) == (3, 2)


def test_a_wrapper_of_the_module_may_have_changed_the_names(write):
    graph = chain_graph({"fc1.weight": (2, 3), "fc2.weight": (2, 2)})
    checkpoint = open_checkpoint(write({"module.fc1.weight": np.ones((2, 3)), "module.fc2.weight": np.eye(2)}))

    assert facts_of_checkpoint(graph, checkpoint).layers["fc2.weight"] == OnPaths(4, 2, 0)


@pytest.mark.parametrize("other", [{}, {"fc2": np.ones(2)}, {"fc2": np.ones((1, 2), np.int64)}])
def test_a_layer_that_the_checkpoint_lacks_is_named(write, other):
    path = write({"fc1": np.ones((2, 3)), **other})

    with pytest.raises(LayerError, match=r"model.safetensors: has no layer 'fc2', which the graph of the network has$"):
        facts_of_checkpoint(chain_graph({"fc1": (2, 3), "fc2": (1, 2)}), open_checkpoint(path))


@pytest.mark.parametrize("piece", [8, 1 << 19])
def test_what_pruners_keep_becomes_a_mask_of_the_whole_tensor(write, piece, monkeypatch):
    """The middle of three groups of rows is not pruned, and keeps its weights that are not 0."""
    monkeypatch.setattr(threads, "PIECE", piece)
    rng = np.random.default_rng(0)
    weight, pruned = (rng.integers(0, 2, (6, 5)).astype(np.float32) for _ in range(2))
    layers = select_layers(
        open_checkpoint(write({"fc": weight})), LayerPatterns(groups=(("fc", 3),), exclude=("fc[[]1]",))
    )
    other = open_checkpoint(write({"fc": pruned}, "other.safetensors"))
    pruners = {info.name: NonzeroPruner(other, "fc", info.block) for info in layers.infos}

    masks = masks_of(pruners, layers, 1)

    assert_array_equal(masks["fc"].kept()[2:4], weight[2:4] != 0)
    both = (weight != 0) & (pruned != 0)
    assert_array_equal(masks["fc"].kept()[[0, 1, 4, 5]], both[[0, 1, 4, 5]])
    graph = chain_graph({"fc": (6, 5)})
    assert facts_of_pruners(graph, pruners, layers, 1).layers["fc"].n_kept == masks["fc"].n_kept
    assert facts_of_pruners(None, pruners, layers, 1) is None
