import csv
import io
import json

import pytest


def test_the_table_names_layers_scale_and_convention(topoimp, lenet):
    outcome = topoimp("barcode", lenet)

    assert outcome.status == 0
    assert "deaths divided by the largest strength of the network" in outcome.out
    assert "neural persistence (rieck)" in outcome.out
    assert [line.split()[0] for line in outcome.out.splitlines()[3:6]] == ["fc1.weight", "fc2.weight", "fc3.weight"]


def test_another_convention_brings_its_scale(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--np", "balwani")

    assert "deaths divided by the largest strength of the layer" in outcome.out
    assert "neural persistence (balwani)" in outcome.out


def test_without_a_scale_no_neural_persistence_is_shown(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--scale", "none")

    assert "strengths as stored" in outcome.out
    assert "neural persistence" not in outcome.out


def test_a_contradicting_scale_is_refused(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--np", "rieck", "--scale", "layer")

    assert (outcome.status, outcome.out) == (2, "")
    assert "neural persistence rieck has the scale network, not layer" in outcome.err


def test_json_and_csv_agree_with_each_other(topoimp, lenet):
    content = json.loads(topoimp("barcode", lenet, "--format", "json").out)
    lines = list(csv.DictReader(io.StringIO(topoimp("barcode", lenet, "--format", "csv").out)))

    assert [float(line["np_rieck"]) for line in lines] == [
        row["np_rieck"] for row in [*content["layers"], content["network"]]
    ]
    assert content["settings"]["scale"] == "network"


def test_layers_are_chosen_by_pattern(topoimp, lenet):
    content = json.loads(
        topoimp("barcode", lenet, "--include", "fc*", "--exclude", "re:fc[12]", "--format", "json").out
    )

    assert [row["layer"] for row in content["layers"]] == ["fc3.weight"]


def test_the_list_shows_every_tensor(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--list")

    assert len(outcome.out.splitlines()) == 3 + 6 + 1
    assert "one axis" in outcome.out


def test_a_list_has_no_scale(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--list", "--scale", "none")

    assert (outcome.status, outcome.out) == (2, "")
    assert "--list shows tensors and no topology; --scale and --np do not go with it" in outcome.err


def test_the_view_is_said_and_so_is_what_it_leaves_out(topoimp, sample):
    outcome = topoimp("barcode", sample("lenet-5-mnist.safetensors"), "--view", "channel")

    assert outcome.status == 0
    assert "deaths divided by the largest strength of the network, view channel\n" in outcome.out
    assert outcome.err == (
        "left out 1 convolutions of a single input channel: conv1.weight (the view matrix has them)\n"
    )


def test_groups_are_layers_of_their_own(topoimp, sample):
    outcome = topoimp("barcode", sample("lenet-5-mnist.safetensors"), "--groups", "conv2*=2", "--format", "csv")

    names = [line.split(",")[1] for line in outcome.out.splitlines()[1:]]
    assert names == ["conv1.weight", "conv2.weight[0]", "conv2.weight[1]", "fc1.weight", "fc2.weight", ""]


def test_threads_change_no_result(topoimp, lenet):
    one, three = (topoimp("barcode", lenet, "--format", "json", "--threads", n).out for n in (1, 3))

    assert one == three


@pytest.mark.parametrize("groups", ["conv2*", "=2", "conv2*=0", "conv2*=x", "conv2*=-1"])
def test_groups_that_are_not_written_as_such_are_refused(topoimp, lenet, groups):
    outcome = topoimp("barcode", lenet, "--groups", groups)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: --groups is {groups!r}; it must be a pattern and a number of groups")
