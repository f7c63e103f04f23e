"""Several checkpoints in one call of barcode and bound."""

import csv
import io
import json

import numpy as np
import pytest


@pytest.fixture
def paths(write):
    """Two checkpoints, of which the first has a dead row."""
    dead = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]])
    return [
        write({"w": dead}, "one.safetensors"),
        write({"v": np.ones((2, 2)), "w": np.ones((3, 3))}, "two.safetensors"),
    ]


@pytest.mark.parametrize("command", ["barcode", "bound"])
def test_csv_has_the_rows_of_each_with_its_path(topoimp, paths, command):
    together = topoimp(command, *paths, "--format", "csv", "-q")

    rows = list(csv.DictReader(io.StringIO(together.out)))
    single = [
        {**row, "checkpoint": str(path)}
        for path in paths
        for row in csv.DictReader(io.StringIO(topoimp(command, path, "--format", "csv", "-q").out))
    ]
    assert together.status == 0
    assert [row["checkpoint"] for row in rows] == [str(paths[0])] * 2 + [str(paths[1])] * 3
    assert rows == single


@pytest.mark.parametrize("command", ["barcode", "bound"])
def test_one_checkpoint_has_no_column_of_paths(topoimp, paths, command):
    outcome = topoimp(command, paths[0], "--format", "csv", "-q")

    assert "checkpoint" not in outcome.out.splitlines()[0].split(",")


def test_json_lists_the_networks(topoimp, paths):
    content = json.loads(topoimp("barcode", *paths, "--format", "json").out)

    assert content["inputs"] == {"checkpoint-1": str(paths[0]), "checkpoint-2": str(paths[1])}
    assert [(row["checkpoint"], row["beta0"]) for row in content["checkpoints"]] == [
        (str(paths[0]), 2),
        (str(paths[1]), 2),
    ]
    assert content["network"] == content["checkpoints"][-1]


def test_a_single_one_of_several_that_can_be_used_is_counted_as_one(topoimp, paths, tmp_path):
    lines = topoimp("barcode", paths[0], tmp_path / "none.safetensors", "-q").out.splitlines()

    assert lines[0].startswith("1 checkpoint (all columns, ")


@pytest.mark.parametrize("command", ["barcode", "bound"])
def test_the_table_has_the_networks_in_the_columns_that_they_have(topoimp, paths, command):
    lines = topoimp(command, *reversed(paths), "-q").out.splitlines()

    assert lines[0].startswith("2 checkpoints (all columns, and the layers: --format csv): ")
    assert lines[1].split()[0] == "checkpoint"
    assert "size" not in lines[1]
    assert [line.split()[0] for line in lines[3:5]] == [str(paths[1]), str(paths[0])]
    assert lines[5] == ""


def test_the_list_has_a_table_for_each(topoimp, paths):
    lines = topoimp("barcode", *paths, "--list").out.splitlines()

    titles = [line for line in lines if line.endswith(".safetensors")]
    assert titles == [str(path) for path in paths]
    assert [line.split()[0] for line in lines if "F64" in line] == ["w", "v", "w"]


def test_bound_shows_the_global_count_of_each_and_the_densities_of_all(topoimp, paths):
    outcome = topoimp("bound", *paths, "--densities", "0.5")

    lines = outcome.out.splitlines()
    header = next(place for place, line in enumerate(lines) if "observed" in line)
    assert lines[header].split()[:3] == ["checkpoint", "layer", "density"]
    assert [line.split()[:2] for line in lines[header + 2 : header + 5]] == [
        [str(paths[0]), "w"], [str(paths[1]), "v"], [str(paths[1]), "w"],
    ]  # fmt: skip
    assert [line.split(": pruned by magnitude")[0] for line in lines[-4::2]] == [str(path) for path in paths]


def test_the_view_spatial_has_a_row_for_each(topoimp, sample):
    lenet = sample("lenet-5-mnist.safetensors")
    images = ("--input-size", "conv1*=28x28", "--input-size", "conv2*=12x12")

    outcome = topoimp("bound", lenet, lenet, "--view", "spatial", *images, "-q")

    assert outcome.out.splitlines()[3] == outcome.out.splitlines()[4]
    assert outcome.out.splitlines()[3].split() == [str(lenet), "428,200", "4,014", "106.6766"]


@pytest.mark.parametrize("command", ["barcode", "bound"])
def test_one_that_cannot_be_used_is_named_and_the_others_are_shown(topoimp, paths, tmp_path, command):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no checkpoint")

    outcome = topoimp(command, damaged, *paths, tmp_path / "missing.safetensors", "-q", "--format", "csv")

    assert outcome.status == 1
    assert {row["checkpoint"] for row in csv.DictReader(io.StringIO(outcome.out))} == set(map(str, paths))
    assert [line.split(":")[:2] for line in outcome.err.splitlines()] == [
        ["error", f" {damaged}"], ["error", f" {tmp_path / 'missing.safetensors'}"],
    ]  # fmt: skip


def test_if_none_can_be_used_nothing_is_printed(topoimp, tmp_path):
    outcome = topoimp("barcode", tmp_path / "one", tmp_path / "two")

    assert (outcome.status, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 2


def test_a_gate_names_the_checkpoint(topoimp, paths):
    outcome = topoimp("barcode", *paths, "--fail-if", "dead_rows>0", "-q")

    assert outcome.status == 3
    assert outcome.err.splitlines() == [
        f"error: gate 'dead_rows>0': layer 'w' of {paths[0]} has dead_rows 1",
        f"error: gate 'dead_rows>0': the network of {paths[0]} has dead_rows 1",
    ]


def test_a_checkpoint_that_cannot_be_used_decides_the_exit_status_and_gates_are_told_all_the_same(
    topoimp, paths, tmp_path
):
    outcome = topoimp("barcode", *paths, tmp_path / "missing", "--fail-if", "network:dead_rows>0", "-q")

    assert outcome.status == 1
    assert outcome.err.splitlines() == [
        f"error: {tmp_path / 'missing'}: no such file",
        f"error: gate 'network:dead_rows>0': the network of {paths[0]} has dead_rows 1",
    ]


@pytest.mark.parametrize(("flag", "name"), [("--bars", "b.csv"), ("--vectors", "v.npz"), ("--curve", "c.csv")])
def test_a_file_is_about_one_checkpoint(topoimp, paths, tmp_path, flag, name):
    outcome = topoimp("barcode", *paths, flag, tmp_path / name)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"error: {flag} writes one file, about one CHECKPOINT\n"
    assert not (tmp_path / name).exists()


def test_the_check_by_gudhi_counts_the_layers_of_all(topoimp, paths):
    assert topoimp("barcode", *paths, "--check").out.endswith("GUDHI finds the same bars in 3 of 3 layers\n")


def test_bound_takes_checkpoints_or_a_network(topoimp, paths):
    outcome = topoimp("bound", *paths, "--arch", "lenet-5")

    assert outcome.status == 2
    assert outcome.err == "error: bound takes a CHECKPOINT, --arch MODEL or --shape, and one of them is needed\n"
