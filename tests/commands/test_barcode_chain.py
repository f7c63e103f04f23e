"""The report of barcode on the layers of a chain as one graph."""

import csv
import io
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
from conftest import SAMPLES
from safetensors.numpy import save_file
from slow_paths import published_magnitudes, slow_s

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.barcode import barcode_report
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.layers.records import LayerPatterns
from topoimp.network.chain import graph_of_chain
from topoimp.network.deep_graph_persistence import deep_graph_persistence
from topoimp.network.facts import kept_in, path_facts
from topoimp.network.glued_persistence import glued_persistence

CHAIN = ["a.weight", "b.weight", "c.weight"]


@pytest.fixture
def weights():
    """A convolution and two dense layers, of which the second has a row and a column of zeros."""
    rng = np.random.default_rng(0)
    shapes = [(4, 2, 3, 3), (6, 8), (3, 6)]
    found = {name: rng.normal(size=shape).astype(np.float32) for name, shape in zip(CHAIN, shapes, strict=True)}
    found["b.weight"][2] = 0
    found["c.weight"][:, 4] = 0
    found["b.weight"][rng.random((6, 8)) < 0.5] = 0
    return found


@pytest.fixture
def model(weights, tmp_path):
    save_file({**weights, "other.weight": np.ones((5, 7), np.float32)}, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
def test_the_network_has_the_persistences_and_paths_of_its_graph(model, weights, p):
    report = barcode_report(model, chain="a,b,c", p=p, threads=1)

    graph = graph_of_chain(open_checkpoint(model), CHAIN)
    layers = {name: as_layer(weight.reshape(len(weight), -1), name=name) for name, weight in weights.items()}
    facts = path_facts(graph, lambda name: kept_in(weights[name] != 0))
    assert report.network["np_glued"] == glued_persistence(graph, layers, p=p).value
    assert report.network["np_deep"] == deep_graph_persistence(graph, layers, p=p).value
    assert report.network["beta0_glued"] == facts.beta0_glued
    assert report.network["live_vertices"] == facts.live_vertices
    assert report.network["n_off_path"] == sum(row["n_off_path"] for row in report.layers) > 0
    assert [row["n_off_path"] for row in report.layers] == [facts.layers[name].n_off_path for name in CHAIN]


def test_a_network_of_few_weights_has_the_values_worked_by_hand(tmp_path):
    few = {
        "a.weight": np.array([[4.0, 0, 0], [0, -2, 0]]),  # the row 1 ends in nothing, and the input 2 has no edge
        "b.weight": np.array([[-3.0, 0], [0, 0]]),
        "c.weight": np.array([[1.0, 2], [0, 0]]),  # nothing arrives at the column 1
    }
    save_file(few, tmp_path / "few.safetensors")
    found = barcode_report(tmp_path / "few.safetensors", chain="a,b,c", threads=1).network

    assert (found["n_off_path"], found["live_vertices"], found["beta0_glued"]) == (2, 4, 4)
    assert found["effective_density"] == 3 / 14
    persistences = [0, 1 / 4, 2 / 4, 2 / 4, 3 / 4, 1, 1, 1, 1]  # of deaths 4, 3, 2, 2, 1, and four components
    assert found["np_glued"] == pytest.approx(np.linalg.norm(persistences) / np.sqrt(8))


def test_deep_graph_persistence_is_that_of_all_paths_by_networkx(model, weights):
    found = barcode_report(model, chain="a,b,c", threads=1).network["np_deep"]

    magnitudes, largest = published_magnitudes(weights)
    s = slow_s(graph_of_chain(open_checkpoint(model), CHAIN), magnitudes, largest)
    s = s / s.max()
    paths = nx.Graph([(("in", i), ("out", j), {"weight": s[i, j]}) for i, j in np.argwhere(s > 0).tolist()])
    deaths = [data["weight"] for _, _, data in nx.maximum_spanning_edges(paths)]
    persistences = [1 - death for death in deaths] + (sum(s.shape) - len(deaths)) * [1.0]
    assert found == pytest.approx(np.linalg.norm(persistences) / np.sqrt(sum(s.shape) - 1))


def test_the_other_columns_are_those_without_a_chain(model):
    patterns = LayerPatterns(include=tuple(CHAIN), embeddings=True)
    alone, with_chain = (barcode_report(model, patterns=patterns, chain=chain, threads=1) for chain in (None, CHAIN))

    assert with_chain.settings["chain"] == CHAIN
    assert "np_glued" not in alone.network
    assert [{**row, **one} for row, one in zip(with_chain.rows, alone.rows, strict=True)] == with_chain.rows


def test_a_chain_selects_its_layers_alone_and_a_note_counts_the_others(model):
    report = barcode_report(model, chain="a,b,c", threads=1)

    assert [row["layer"] for row in report.layers] == CHAIN
    assert "1 layer is outside the chain and left out, such as other.weight; `include` selects layers" in report.notes


def test_a_layer_that_is_included_beside_a_chain_has_no_paths(model):
    patterns = LayerPatterns(include=("other.weight", "c.weight"))
    report = barcode_report(model, patterns=patterns, chain="a,b,c", threads=1)

    by_layer = {row["layer"]: row["n_off_path"] for row in report.layers}
    assert by_layer == {"c.weight": by_layer["c.weight"], "other.weight": None}
    assert report.network["n_off_path"] is None
    assert report.network["np_glued"] == barcode_report(model, chain="a,b,c", threads=1).network["np_glued"]


def test_deep_graph_persistence_is_blank_where_all_weights_of_a_layer_are_equal(weights, tmp_path):
    weights["c.weight"][:] = 0.5
    save_file(weights, tmp_path / "model.safetensors")
    report = barcode_report(tmp_path / "model.safetensors", chain="*", threads=1)

    assert report.network["np_deep"] is None
    assert report.network["np_glued"] > 0
    assert [note for note in report.notes if note.startswith("np_deep is blank: layer 'c.weight' has the weight 0.5 a")]
    assert str(report.network["undefined"]).startswith("np_deep: layer 'c.weight' has the weight 0.5 alone")


def test_weights_of_zero_alone_have_a_graph_without_paths(tmp_path):
    save_file({"a.weight": np.zeros((3, 2)), "b.weight": np.zeros((2, 3))}, tmp_path / "model.safetensors")
    found = barcode_report(tmp_path / "model.safetensors", chain="a,b", threads=1).network

    assert (found["beta0_glued"], found["live_vertices"], found["n_off_path"]) == (7, 0, 0)
    assert found["np_deep"] is None


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ("a,c", r"^`chain`: the layer 'c\.weight' is 3x6 and does not fit 'a\.weight' before it, which is 4x2x3x3"),
        ("a,d", r"^`chain` names 'd', which is no layer of "),
        ("", r"^`chain` names '', which is no layer of "),
    ],
)
def test_a_chain_that_does_not_fit_is_refused(model, chain, message):
    with pytest.raises(OptionError, match=message):
        barcode_report(model, chain=chain)


def test_a_chain_is_of_weights(model):
    with pytest.raises(OptionError, match=r"^the view is spatial; `chain` is of weights, and needs the view matrix$"):
        barcode_report(model, chain="a", patterns=LayerPatterns(view="spatial"))


def test_the_command_says_what_the_graph_is_and_gates_look_at_it(model, topoimp):
    shown = topoimp("barcode", model, "--chain", "a,b,c", "--fail-if", "np_glued<0.01")
    failed = topoimp("barcode", model, "--chain", "a,b,c", "-q", "--fail-if", "network:np_deep>0.01")

    assert shown.status == 0
    assert "the chain as one graph: neural persistence 0." in shown.out + shown.err
    assert failed.status == 3
    assert "gate 'network:np_deep>0.01': the network has np_deep 0." in failed.err
    refused = topoimp("barcode", model, "--chain", "a,b,c", "--list")
    assert (refused.status, "--chain does not go with --list" in refused.err) == (2, True)


@pytest.mark.parametrize("gate", ["np_glued<0.2", "network:n_off_path>0"])
def test_a_gate_on_the_graph_needs_a_chain(model, topoimp, gate):
    outcome = topoimp("barcode", model, "--fail-if", gate)

    column = gate.removeprefix("network:").rstrip("<>.0123456789")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"error: the gate is '{gate}'; the column '{column}' needs --chain\n"


def test_csv_and_roles_go_with_a_chain(model, topoimp):
    rows = list(csv.DictReader(io.StringIO(topoimp("barcode", model, "--chain", "a,b,c", "--format", "csv", "-q").out)))
    by_role = topoimp("barcode", model, "--chain", "a,b,c", "--by", "role")

    found = barcode_report(model, chain="a,b,c", threads=1)
    assert [row["np_glued"] for row in rows] == ["", "", "", repr(found.network["np_glued"])]
    assert [row["n_off_path"] for row in rows] == [str(row["n_off_path"]) for row in found.rows]
    assert by_role.status == 0
    assert len(sentences_about_the_graph(by_role)) == 1


def test_a_checkpoint_without_a_chain_loads_no_graph_of_a_network():
    code = (
        "import sys; from topoimp.commands.barcode import barcode_report\n"
        "def loaded(): return sorted(name for name in sys.modules if name.startswith('topoimp.network.'))\n"
        f"path = {str(SAMPLES / 'mlp-digits.safetensors')!r}\n"
        "barcode_report(path, threads=1); print(*loaded())\n"
        "barcode_report(path, chain='fc*', threads=1); print(*loaded())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    without, with_chain = done.stdout.splitlines()

    assert without == "topoimp.network.graph"  # types that prune's options have
    assert "topoimp.network.deep_graph_persistence" in with_chain.split()


def test_the_command_counts_weights_on_no_path_if_it_shows_the_layers_of_the_chain_alone(model, topoimp):
    alone = topoimp("barcode", model, "--chain", "a,b,c")
    with_other = topoimp("barcode", model, "--chain", "a,b,c", "--include", "other.weight", "--include", "c.weight")
    with_part = topoimp("barcode", model, "--chain", "a,b,c", "--include", "c.weight")

    sentences = [line for outcome in (alone, with_other, with_part) for line in sentences_about_the_graph(outcome)]
    assert [" on no path" in sentence for sentence in sentences] == [True, False, False]
    assert (alone.status, with_other.status, with_part.status) == (0, 0, 0)


def test_the_table_of_several_checkpoints_has_their_values(model, weights, tmp_path, topoimp):
    weights["a.weight"][1:] = 0
    save_file(weights, tmp_path / "pruned.safetensors")
    outcome = topoimp("barcode", model, tmp_path / "pruned.safetensors", "--chain", "a,b,c")
    found = barcode_report(tmp_path / "pruned.safetensors", chain="a,b,c", threads=1).network

    cells = f"{found['np_glued']:.4f}", f"{found['np_deep']:.4f}", str(found["n_off_path"])
    assert outcome.out.splitlines()[4].split()[-3:] == list(cells)
    assert sentences_about_the_graph(outcome) == []


def sentences_about_the_graph(outcome):
    """Return the lines about the chain as one graph."""
    return [line for line in (outcome.out + outcome.err).splitlines() if line.startswith("the chain as one graph: ")]
