"""The commands of docs/paper.md run, and the figures that it gives for the sample come out of them."""

import json
import re

import pytest
from conftest import REPOSITORY, SAMPLES

PAGE = (REPOSITORY / "docs/paper.md").read_text(encoding="utf-8")
LENET = str(SAMPLES / "lenet-300-100-mnist.safetensors")
PLACEHOLDERS = {"FILE": LENET, "MODEL": "resnet-20", "NAME": "cifar10", "N": "2", "p": "0.5", "...": "edges:2"}
COMMANDS = sorted(set(re.findall(r"`topoimp ([^`]*)`", PAGE)))


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("train ")])
def test_every_command_of_the_page_runs(topoimp, run, command, monkeypatch):
    monkeypatch.chdir(run.parent)
    words = [PLACEHOLDERS.get(word, word).replace("RUN", str(run)) for word in command.replace("'", "").split()]
    if "--input-size" in words:
        words[words.index(LENET)] = str(SAMPLES / "lenet-5-mnist.safetensors")

    in_turn = ["--jobs", "1"] if words[:2] == ["prune", str(run)] else []  # two more processes would import torch

    outcome = topoimp(*words, *in_turn, "--quiet")

    assert (outcome.status, outcome.err) == (0, "")


def test_the_page_trains_the_network_of_the_paper():
    (command,) = [command for command in COMMANDS if command.startswith("train ")]

    assert command.split()[1] == "mlp:784-100-100-100-100-100-10"


def test_the_overlap_of_the_sample_is_far_below_shuffles_and_that_of_graphs_with_the_same_degrees(topoimp):
    nulls = [word for null in ("edges", "rows", "columns", "degrees") for word in ("--null", f"{null}:100")]

    outcome = topoimp("bound", LENET, "--densities", "critical", *nulls, "--format", "json", "-q")

    rows = json.loads(outcome.out)["densities"]
    found = {}
    for row in rows:
        model = row["null"].split(":")[-1] if row["null"].startswith("shuffle") else row["null"].split(":")[0]
        found.setdefault(row["layer"], [row["retention"]]).append(row["retention_null"])
        assert model == ("edges", "rows", "columns", "degrees")[len(found[row["layer"]]) - 2]
    # The deviations are 0.008, 0.014 and 0.028, those of the means of 100 a tenth of it.
    assert found["fc1.weight"] == pytest.approx([0.582, 0.800, 0.719, 0.669, 0.587], abs=0.005)
    assert found["fc2.weight"] == pytest.approx([0.609, 0.790, 0.779, 0.618, 0.607], abs=0.008)
    assert found["fc3.weight"] == pytest.approx([0.743, 0.711, 0.713, 0.743, 0.743], abs=0.014)


def test_independent_magnitudes_overlap_more_than_trained_ones_in_hidden_layers(topoimp):
    outcome = topoimp("bound", LENET, "--densities", "critical", "--format", "json", "-q")

    content = json.loads(outcome.out)
    shares = [
        (row["retention"], row["forest_iid"] / row["floor"], row["overlap_bound"]) for row in content["densities"]
    ]
    assert shares == [
        pytest.approx(expected, abs=5e-4)
        for expected in [(0.5817, 0.7995, 0.1213), (0.6090, 0.7895, 0.1128), (0.7431, 0.7107, 0.0491)]
    ]
    assert content["network"]["critical_compression"] == pytest.approx(167.3, abs=0.05)


@pytest.mark.parametrize(
    ("shape", "compression", "overlap_bound", "guaranteed", "independent"),
    [
        ("784x100", 88.788, 0.0548, 0.0668, 0.714),
        ("100x100", 50.251, 0.1704, 0.1407, 0.839),
        ("100x10", 9.174, 0.0491, 0.1835, 0.711),
    ],
)
def test_the_layers_of_figure_3_have_these_bounds_whatever_their_weights(
    topoimp, shape, compression, overlap_bound, guaranteed, independent
):
    outcome = topoimp("bound", "--shape", shape, "--densities", "critical", "--format", "json", "-q")

    content = json.loads(outcome.out)
    (row,) = content["densities"]
    assert row["n_kept"] == row["floor"]
    assert content["network"]["critical_compression"] == pytest.approx(compression, abs=5e-4)
    assert row["overlap_bound"] == pytest.approx(overlap_bound, abs=5e-5)
    assert row["forest_guaranteed"] / row["floor"] == pytest.approx(guaranteed, abs=5e-5)
    assert row["forest_iid"] / row["floor"] == pytest.approx(independent, abs=5e-4)


@pytest.mark.parametrize(("shape", "compression"), [("300x784", 217.2), ("128x128", 64.25)])
def test_the_critical_compression_of_dense_and_recurrent_layers(topoimp, shape, compression):
    outcome = topoimp("bound", "--shape", shape, "--format", "json", "-q")

    assert json.loads(outcome.out)["network"]["critical_compression"] == pytest.approx(compression, abs=0.05)
