import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import read_all
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from topoimp.checkpoint import open_checkpoint
from topoimp.choices import Method
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.tensor_list import tensor_list
from topoimp.errors import LayerError
from topoimp.layers.catalogue import UNKNOWN_GATES
from topoimp.layers.records import LayerPatterns
from topoimp.layers.recurrent import gates_in, is_recurrent
from topoimp.layers.tensors import select_layers
from topoimp.pruning.bounds import critical_compression
from topoimp.pruning.options import PruningOptions

MODULES = {
    "rnn": (1, lambda: torch.nn.RNN(5, 6, num_layers=2, bidirectional=True)),
    "gru": (3, lambda: torch.nn.GRU(5, 6, num_layers=2, bidirectional=True)),
    "lstm": (4, lambda: torch.nn.LSTM(5, 6, num_layers=2, bidirectional=True)),
    "projected lstm": (4, lambda: torch.nn.LSTM(5, 6, num_layers=2, bidirectional=True, proj_size=3)),
    "lstm as wide as its input": (4, lambda: torch.nn.LSTM(6, 6)),
    "rnn cell": (1, lambda: torch.nn.RNNCell(5, 6)),
    "gru cell": (3, lambda: torch.nn.GRUCell(5, 6)),
    "lstm cell": (4, lambda: torch.nn.LSTMCell(5, 6)),
}


def arrays_of(module, name=""):
    return {f"{name}{key}": value.detach().numpy() for key, value in module.state_dict().items()}


@pytest.mark.parametrize("name", MODULES)
def test_every_gate_of_torchs_recurrent_layers_is_a_layer(write, name):
    n_gates, make = MODULES[name]
    arrays = arrays_of(make(), "encoder.")

    layers = select_layers(open_checkpoint(write(arrays)), LayerPatterns())

    found = dict(zip((info.name for info in layers.infos), read_all(layers), strict=True))
    for key, weight in arrays.items():
        if "weight_ih" in key or "weight_hh" in key:
            gates = [found.pop(key)] if n_gates == 1 else [found.pop(f"{key}[{gate}]") for gate in range(n_gates)]
            for layer, gate in zip(gates, np.split(weight, n_gates), strict=True):
                assert_array_equal(layer.strengths(), np.abs(gate))
    assert all("weight_hr" in key for key in found)


@given(st.sampled_from([1, 3, 4]), st.integers(2, 300), st.integers(2, 300))
def test_the_number_of_gates_follows_from_the_shapes(n_gates, hidden, n_inputs):
    shapes = {"weight_ih_l0": (n_gates * hidden, n_inputs), "weight_hh_l0": (n_gates * hidden, hidden)}

    assert {gates_in(name, shapes) for name in shapes} == {n_gates}


@given(st.integers(2, 300), st.integers(1, 299))
def test_with_a_projection_too(hidden, projection):
    projection = min(projection, hidden - 1)
    shapes = {
        "a.weight_ih_l3": (4 * hidden, 7),
        "a.weight_hh_l3": (4 * hidden, projection),
        "a.weight_hr_l3": (projection, hidden),
    }

    assert (gates_in("a.weight_ih_l3", shapes), gates_in("a.weight_hh_l3", shapes)) == (4, 4)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("weight_ih_l0", True),
        ("lstm.weight_hh_l12_reverse", True),
        ("cell.weight_hh", True),
        ("weight_hr_l0", False),
        ("my_weight_ih_l0", False),
        ("weight_ih_l0_raw", False),
        ("weight_ih_reverse", False),
        ("bias_ih_l0", False),
    ],
)
def test_names_are_those_of_torch(name, is_one):
    assert is_recurrent(name, (12, 3)) == is_one


def test_a_weight_of_other_axes_is_none():
    assert not is_recurrent("weight_hh_l0", (12, 3, 3))


@pytest.mark.parametrize(
    "shapes",
    [
        {"weight_ih_l0": (12, 5)},  # hidden units unknown
        {"weight_ih_l0": (12, 5), "weight_hh_l0": (9, 3)},
        {"weight_ih_l0": (6, 5), "weight_hh_l0": (6, 3)},  # two gates
        {"weight_ih_l0": (13, 5), "weight_hh_l0": (13, 3)},
        {"weight_ih_l0": (12, 5), "weight_hh_l0": (12,)},
        {"weight_ih_l0": (12, 5), "weight_hh_l0": (12, 0)},
    ],
)
def test_an_unknown_number_of_gates_is_none(shapes):
    assert gates_in("weight_ih_l0", shapes) is None


def test_a_weight_with_unknown_gates_is_left_out_and_groups_read_it(write):
    path = write({"weight_ih_l0": np.ones((6, 5)), "weight_hh_l0": np.ones((6, 3)), "fc.weight": np.ones((3, 3))})

    assert bound_report(path).left_out == {"weight_hh_l0": UNKNOWN_GATES.reason, "weight_ih_l0": UNKNOWN_GATES.reason}
    groups = LayerPatterns(groups=(("weight_hh*", 2), ("weight_ih*", 1)))
    assert [row["layer"] for row in bound_report(path, patterns=groups).layers] == [
        *("fc.weight", "weight_hh_l0[0]", "weight_hh_l0[1]", "weight_ih_l0[0]")
    ]


def test_without_another_layer_the_error_names_groups(write):
    with pytest.raises(
        LayerError, match="holds 1 tensor, and no layer: `groups` gives the number of gates in weight_ih"
    ):
        bound_report(write({"weight_ih_l0": np.ones((6, 5))}))


def test_groups_come_before_gates(write):
    path = write(arrays_of(torch.nn.LSTM(5, 6)))

    report = bound_report(path, patterns=LayerPatterns(groups=(("weight_hh*", 1),)))

    assert [row["layer"] for row in report.layers] == ["weight_hh_l0[0]", *(f"weight_ih_l0[{k}]" for k in range(4))]
    assert report.layers[0]["floor"] == 24 + 6 - 1


@pytest.mark.parametrize(("make", "n_gates"), [(torch.nn.RNN, 1), (torch.nn.GRU, 3), (torch.nn.LSTM, 4)])
@pytest.mark.parametrize("hidden", [2, 20, 128])
def test_each_hidden_to_hidden_gate_has_the_value_of_theorem_3_2(write, make, n_gates, hidden):
    torch.manual_seed(0)
    path = write(arrays_of(make(5, hidden)))

    rows = bound_report(path, patterns=LayerPatterns(include=("weight_hh*",))).layers

    assert [row["critical_compression"] for row in rows] == [hidden**2 / (2 * hidden - 1)] * n_gates


@given(st.integers(2, 400), st.integers(2, 4))
def test_one_graph_of_all_gates_compresses_further(hidden, n_gates):
    each = Fraction(hidden**2, 2 * hidden - 1)
    together = Fraction(n_gates * hidden**2, (n_gates + 1) * hidden - 1)

    assert together > each
    assert critical_compression((n_gates + 1) * hidden - 1, n_gates * hidden**2) == float(together)


def test_pruning_keeps_the_barcode_of_every_gate(write):
    torch.manual_seed(0)
    path = write(arrays_of(torch.nn.LSTM(5, 12)))

    pruned = prune_checkpoint(path, PruningOptions(rounds=1, sparsity=0.6, method=Method.TOPOLOGICAL))

    before, after = (barcode_report(each) for each in (path, pruned.report.outputs["checkpoint"]))
    assert [row["layer"] for row in after.layers] == [row["layer"] for row in before.layers]
    assert all(row["barcode_kept"] for row in pruned.report.layers)
    assert [row["tau"] for row in after.layers] == [row["tau"] for row in before.layers]


def test_the_list_of_tensors_has_gates_and_reasons(write):
    path = write({**arrays_of(torch.nn.GRUCell(5, 6)), "other.weight_ih": np.ones((6, 5))})

    rows = {row["layer"]: row for row in tensor_list(path).rows}

    assert rows["weight_hh[2]"]["shape"] == "6x6"
    assert (rows["other.weight_ih"]["selected"], rows["other.weight_ih"]["reason"]) == (False, UNKNOWN_GATES.reason)


def test_the_command_line_notes_the_option(topoimp, write):
    path = write({"weight_ih_l0": np.ones((6, 5)), "fc.weight": np.ones((3, 3))})

    outcome = topoimp("bound", path)

    assert "left out as recurrent weights with an unknown number of gates: weight_ih_l0, 1 in all" in outcome.err
    assert "(--groups PATTERN=G reads them)" in outcome.err
    grouped = json.loads(topoimp("bound", path, "--groups", "weight_ih*=2", "--format", "json").out)
    assert [row["layer"] for row in grouped["layers"]] == ["fc.weight", "weight_ih_l0[0]", "weight_ih_l0[1]"]
