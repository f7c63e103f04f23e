import numpy as np
import pytest

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.network.chain import graph_of_chain, notes_on_chain, patterns_on_chain
from topoimp.network.graph import chain_graph

MLP = {"fc1.weight": (3, 4), "fc2.weight": (5, 3), "fc10.weight": (2, 5)}


@pytest.fixture
def checkpoint(write):
    """Write a checkpoint of ones with these shapes, and open it."""
    return lambda shapes: open_checkpoint(write({name: np.ones(shape) for name, shape in shapes.items()}))


@pytest.mark.parametrize(
    "chain",
    [
        "fc1,fc2,fc10",
        "fc1.weight, fc2, fc10.weight",
        ["fc1", "fc2.weight", "fc10"],
        "fc*",
        "fc?.weight,fc10",
        r"re:^fc\d+",
    ],
)
def test_names_and_patterns_give_the_graph_of_their_layers(checkpoint, chain):
    assert graph_of_chain(checkpoint(MLP), chain) == chain_graph(MLP)


def test_a_wrapper_of_the_module_may_have_changed_the_names(checkpoint):
    wrapped = checkpoint({f"module.{name}": shape for name, shape in MLP.items()})

    assert graph_of_chain(wrapped, "fc1,fc2").layers == ["module.fc1.weight", "module.fc2.weight"]


def test_a_dense_layer_reads_the_pixels_of_each_channel(checkpoint):
    graph = graph_of_chain(checkpoint({"conv": (4, 3, 5, 5), "fc": (2, 36)}), "conv,fc")

    assert [each.columns_per_vertex for each in graph.connections] == [25, 9]


def test_a_square_layer_fits_in_both_directions(checkpoint):
    assert graph_of_chain(checkpoint({"a": (3, 3), "b": (3, 3)}), "a,b").layers == ["a", "b"]


@pytest.mark.parametrize(
    ("shapes", "chain", "sentence"),
    [
        (MLP, "fc1,fc3", r"names 'fc3', which is no layer of .*model.safetensors; its layers are fc1.weight, fc2"),
        (MLP, "head*", r"^pattern 'head\*' matches no layer of .*model.safetensors"),
        (MLP, "", r"names '', which is no layer"),
        (MLP, [], r"^`chain` names no layer; it needs at least one$"),
        ({**MLP, "fc1.bias": (3,)}, "fc1.bias", r"names 'fc1.bias', which is no layer of .*: one axis$"),
        (MLP, "fc1,fc2,fc1.weight", r"^`chain` has the layer 'fc1.weight' twice; each layer stands in it once$"),
        (
            MLP,
            "fc1,fc10",
            r"'fc10.weight' is 2x5 and does not fit 'fc1.weight' before it, which is 3x4: it reads 5 inputs, and 3 are",
        ),
        ({"a": (3, 4), "b": (2, 6)}, "a,b", r"'b' is 2x6 and does not fit 'a' before it, which is 3x4: it reads 6"),
        ({"a": (2, 3, 1, 1), "b": (5, 4, 1, 1)}, "a,b", r": it reads 4 inputs, and 2 are needed$"),
        (
            {"a": (6, 3, 3, 3), "b": (6, 2, 3, 3)},
            "a,b",
            r"seems to be a convolution of 3 groups, each of which reads 2 of 6 channels; a chain has no grouped",
        ),
        (MLP, "fc2,fc1", r"fits in the other direction: either the order is from the outputs .* stored as \(in, out\)"),
        (
            {"c_fc.weight": (4, 6), "c_fc.bias": (6,), "c_proj.weight": (6, 4), "c_proj.bias": (4,)},
            "c_fc,c_proj",
            r"'c_fc.weight' is 4x6 and its bias has 6 numbers, so its weights seem to be stored as \(in, out\), as GPT",
        ),
        ({"rnn.weight_hh_l0": (8, 2), "rnn.weight_ih_l0": (8, 3)}, "rnn.weight_hh_l0", r"which holds several layers"),
        ({"rnn.weight_hh_l0": (8, 2), "rnn.weight_ih_l0": (8, 3)}, "rnn*", r"'rnn.weight_hh_l0\[0\]', a part of a"),
    ],
)
def test_a_chain_that_is_none_is_refused_with_its_reason(checkpoint, shapes, chain, sentence):
    with pytest.raises(OptionError, match=sentence):
        graph_of_chain(checkpoint(shapes), chain)


def test_the_layers_of_a_chain_are_selected_and_the_others_counted(checkpoint):
    opened = checkpoint(MLP)
    graph = graph_of_chain(opened, "fc1,fc2")

    layers = select_layers(opened, patterns_on_chain(LayerPatterns(), graph))

    assert [info.name for info in layers.infos] == graph.layers
    assert notes_on_chain(layers, graph) == [
        "1 layer is outside the chain and left out, such as fc10.weight; `include` selects layers"
    ]


def test_patterns_that_include_layers_stay_and_so_do_those_without_a_chain():
    graph = chain_graph(MLP)

    assert patterns_on_chain(LayerPatterns(include=("fc1*",)), graph) == LayerPatterns(include=("fc1*",))
    assert patterns_on_chain(LayerPatterns(), None) == LayerPatterns()


def test_without_a_layer_outside_there_is_no_note(checkpoint):
    opened = checkpoint(MLP)
    layers = select_layers(opened, LayerPatterns())

    assert notes_on_chain(layers, graph_of_chain(opened, "fc*")) == []
    assert notes_on_chain(layers, None) == []
