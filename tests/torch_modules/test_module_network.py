"""Modules in memory are pruned by methods of whole networks, and have the columns of their graphs."""

import copy
import tomllib

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import load_file
from torch import nn

from topoimp import (
    LayerError,
    ModulePruner,
    OptionError,
    PruningOptions,
    mask_report,
    network_graph,
    prune_module,
    prune_run,
    read_masks,
)
from topoimp.architectures import parse_architecture
from topoimp.layers.layer import as_layer
from topoimp.network.facts import kept_in, path_facts
from topoimp.network.path_masks import path_masks
from topoimp.network.path_sums import path_sums
from topoimp.network.weighted_graph import WeightedGraph
from topoimp.reports.path_columns import GLUED, ON_PATHS
from topoimp.training.models import build_network


def dense(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 4))


def state_of(model):
    return copy.deepcopy(model.state_dict())


def arrays(masks):
    return {name: mask.numpy() for name, mask in masks.items()}


def facts_of(model):
    weights = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    return path_facts(network_graph(model), lambda name: kept_in(weights[name]))


def weighted(model, norms=None):
    graph = network_graph(model)
    layers = {name: as_layer(model.get_parameter(name)) for name in graph.layers}
    return WeightedGraph(graph, layers, norms=norms or {})


@pytest.mark.parametrize(
    "options",
    [
        {"method": "paths", "paths_below": 0.7, "inputs": "ones", "rate": 0.5},
        {"method": "paths", "inputs": "ones", "rate": 0.97},
        {"method": "synflow-l2", "rate": 0.6},
    ],
)
def test_masks_are_those_of_the_command_on_the_same_weights(run, options):
    pruned = prune_run(run, PruningOptions(rounds=1, **options), seeds=[0], jobs=1)
    recipe = tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8"))
    model = build_network(parse_architecture(recipe["model"]), seed=5)
    model.load_state_dict(load_file(pruned.folders[0] / "round-00" / "model.safetensors"))

    found = prune_module(model, PruningOptions(rounds=1, **options))

    expected = read_masks(pruned.folders[0] / "round-01" / "mask.safetensors")
    assert found.masks.keys() == expected.keys()
    for name, mask in arrays(found.masks).items():
        assert_array_equal(mask, expected[name].kept())


def test_paths_go_through_the_batch_norms_of_the_module():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6, eps=0.01), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3))
    nn.init.normal_(model[1].weight)
    model[1].running_var.uniform_(0.1, 4)
    factors = model[1].weight.detach().double().abs() / (model[1].running_var.double() + 0.01).sqrt()
    network = weighted(model, {"1": factors.numpy()})

    pruning = prune_module(model, PruningOptions(method="paths", paths_below=1, rounds=1, rate=0.8))

    n_kept = pruning.report.network["n_kept"]
    expected = path_masks(network, [n_kept]).kept(n_kept)
    for name, mask in arrays(pruning.masks).items():
        assert_array_equal(mask.reshape(len(mask), -1), expected[name])


def test_rounds_of_synflow_score_the_weights_that_are_left():
    model, expected = dense(), dense()

    pruning = prune_module(model, PruningOptions(method="synflow-l2", rounds=3, rate=0.5))

    for row in [row for row in pruning.report.rows if row["level"] == "network"]:
        sums = path_sums(weighted(expected))
        least = np.sort(np.concatenate([of_layer.reshape(-1) for of_layer in sums.values()]))[-row["n_kept"]]
        for name, of_layer in sums.items():
            expected.get_parameter(name).data[torch.from_numpy(of_layer < least)] = 0
    for name, mask in pruning.masks.items():
        assert torch.equal(mask, expected.get_parameter(name) != 0)


def test_rows_have_the_facts_of_the_graph_after_each_round():
    model = dense()
    pruning = prune_module(model, PruningOptions(method="magnitude", sparsity=0.9), graph=network_graph(model))

    facts = facts_of(model)
    network = pruning.report.network
    assert network["n_off_path"] == sum(layer.n_off_path for layer in facts.layers.values()) > 0
    assert (network["live_vertices"], network["beta0_glued"]) == (facts.live_vertices, facts.beta0_glued)
    for row in pruning.report.layers[-3:]:
        assert row["effective_density"] == facts.layers[row["layer"]].effective_density


def test_columns_are_blank_without_a_graph():
    report = prune_module(dense(), PruningOptions(method="magnitude", sparsity=0.5)).report

    assert all(report.network[name] is None for name in (*ON_PATHS, *GLUED))


def test_the_report_of_a_mask_has_the_columns_of_a_graph_too():
    model = dense()
    before = copy.deepcopy(model)
    pruning = prune_module(model, PruningOptions(method="paths", paths_below=1, sparsity=0.9))

    report = mask_report(before, pruning.masks, graph=network_graph(before))

    names = (*ON_PATHS, *GLUED)
    assert [report.network[name] for name in names] == [pruning.report.network[name] for name in names]
    assert mask_report(before, pruning.masks).network["n_off_path"] is None


def test_a_pruner_goes_on_by_paths_from_its_state():
    whole, first = dense(), dense()
    options = PruningOptions(method="paths", rate=0.5)
    pruner, earlier = ModulePruner(whole, options), ModulePruner(first, options)
    for _ in range(4):  # from some round on, paths decide
        pruner.step()
        earlier.step()
    later = ModulePruner(first, options)
    later.load_state_dict(earlier.state_dict())
    with torch.no_grad():  # now no weight of magnitude's mask would be off path
        for model in (whole, first):
            model[0].weight += torch.eye(9, 12)

    pruner.step(), later.step()

    assert earlier.state_dict()["is_of_network"]
    assert all(torch.equal(mask, later.masks[name]) for name, mask in pruner.masks.items())


def test_a_module_whose_graph_is_unknown_is_left_as_it_is():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    before = state_of(model)

    with pytest.raises(LayerError, match=r"^the network's graph is unknown: LayerNorm 1 is no operation"):
        prune_module(model, PruningOptions(method="paths", sparsity=0.5))

    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    graph = network_graph(nn.Sequential(model[0], nn.ReLU(), model[2]))
    assert prune_module(model, PruningOptions(method="paths", sparsity=0.5), graph=graph).report.network["n_kept"] == 12


def test_a_module_has_no_images_for_the_strength_of_inputs():
    with pytest.raises(OptionError, match=r"^`inputs` is data, which needs the images that the network was trained on"):
        ModulePruner(dense(), PruningOptions(method="paths", inputs="data", rate=0.5))


def test_paths_take_over_later_where_the_weights_are_trained_between_the_rounds():
    options = PruningOptions(method="paths", rounds=2, rate=0.5)

    assert ModulePruner(dense(), options).step().report.settings["paths_below"] == "off-path:0.015"
    assert prune_module(dense(), options).report.settings["paths_below"] == "off-path:0"
