import csv
import io
import json

import numpy as np
import pytest
from safetensors.numpy import save_file


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


def test_a_norm_that_is_not_the_usual_one_is_named(topoimp, lenet):
    assert "neural persistence (rieck, p = 1.5)" in topoimp("barcode", lenet, "--p", 1.5).out


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
    assert "--scale does not go with --list, which shows tensors and no topology" in outcome.err


def test_the_view_is_said_and_so_is_what_it_leaves_out(topoimp, sample):
    outcome = topoimp("barcode", sample("lenet-5-mnist.safetensors"), "--view", "channel")

    assert outcome.status == 0
    assert "deaths divided by the largest strength of the network, view channel\n" in outcome.out
    assert outcome.err == (
        "left out as they have a single input channel: conv1.weight, 1 in all (the view matrix has them)\n"
        "tensors left out: 4 (one axis)\n"
    )


def test_groups_are_layers_of_their_own(topoimp, sample):
    outcome = topoimp("barcode", sample("lenet-5-mnist.safetensors"), "--groups", "conv2*=2", "--format", "csv")

    names = [line.split(",")[1] for line in outcome.out.splitlines()[1:]]
    assert names == ["conv1.weight", "conv2.weight[0]", "conv2.weight[1]", "fc1.weight", "fc2.weight", ""]


def test_groups_of_columns_have_the_axis_in_option_and_settings(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--groups", "fc2*=4@1", "--groups", "fc3*=2@0", "--format", "json")

    report = json.loads(outcome.out)
    sides = {row["layer"]: (row["rows"], row["columns"]) for row in report["layers"]}
    assert sides == {
        "fc1.weight": (300, 784),
        **{f"fc2.weight[{k}]": (100, 75) for k in range(4)},
        **{f"fc3.weight[{k}]": (5, 100) for k in range(2)},
    }
    assert report["settings"]["groups"] == ["fc2*=4@1", "fc3*=2"]


def test_threads_change_no_result(topoimp, lenet):
    one, three = (topoimp("barcode", lenet, "--format", "json", "--threads", n).out for n in (1, 3))

    assert one == three


@pytest.mark.parametrize(
    "groups", ["conv2*", "=2", "conv2*=0", "conv2*=x", "conv2*=-1", "conv2*=2@2", "conv2*=2@", "conv2*=@1"]
)
def test_groups_that_are_not_written_as_such_are_refused(topoimp, lenet, groups):
    outcome = topoimp("barcode", lenet, "--groups", groups)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: --groups is {groups!r}; it must be a pattern and a number of groups")


def test_files_are_written_and_named_on_stderr(topoimp, lenet, tmp_path):
    bars, vectors, curve = (tmp_path / name for name in ("b.csv", "v.npz", "c.csv"))

    outcome = topoimp("barcode", lenet, "--bars", bars, "--vectors", vectors, "--curve", curve, "--levels", "0.5,0")

    assert outcome.status == 0
    assert outcome.err == f"tensors left out: 3 (one axis)\nwrote {bars}\nwrote {vectors}\nwrote {curve}\n"
    assert len(bars.read_text().splitlines()) == 1 + 1591 + 3
    assert curve.read_text().splitlines()[-1] == "fc3.weight,0.0,0.0,1000,1,891,1.0,891.0"
    assert vectors.stat().st_size > 0


def test_the_convention_of_bars_is_that_of_gudhi_if_asked_for(topoimp, lenet, tmp_path):
    topoimp("barcode", lenet, "--bars", tmp_path / "b.csv", "--convention", "gudhi")

    last = (tmp_path / "b.csv").read_text().splitlines()[-1]
    assert last == "fc3.weight,,,,,-1.0,inf,true"


def test_the_table_is_the_same_with_files_and_without(topoimp, lenet, tmp_path):
    with_files = topoimp("barcode", lenet, "--bars", tmp_path / "b.csv", "--quiet")

    assert (with_files.out, with_files.err) == (topoimp("barcode", lenet).out, "")


def test_vectors_have_the_sizes_asked_for(topoimp, lenet, tmp_path):
    options = ("--landscapes", 2, "--resolution", 10, "--bandwidth", 0.1)

    outcome = topoimp("barcode", lenet, "--vectors", tmp_path / "v.npz", *options, "--format", "json")

    settings = json.loads(outcome.out)["settings"]
    assert (settings["n_landscapes"], settings["resolution"], settings["bandwidth"]) == (2, 10, 0.1)


def test_an_existing_file_is_refused_without_force(topoimp, lenet, tmp_path):
    (tmp_path / "b.csv").write_text("mine")

    refused = topoimp("barcode", lenet, "--bars", tmp_path / "b.csv")
    forced = topoimp("barcode", lenet, "--bars", tmp_path / "b.csv", "--force")

    assert (refused.status, refused.out) == (1, "")
    assert refused.err.endswith("b.csv: exists already; --force replaces it\n")
    assert forced.status == 0


def test_a_check_says_what_was_checked_and_what_was_not(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--check", "--check-limit", 30_000)

    assert outcome.status == 0
    assert [line.split()[-1] for line in outcome.out.splitlines()[3:6]] == ["-", "yes", "yes"]
    assert outcome.out.splitlines()[-2:] == [
        "GUDHI finds the same bars in 2 of 3 layers",
        "not checked, as they have more than 30,000 edges: fc1.weight",
    ]
    assert outcome.err == "tensors left out: 3 (one axis)\n"


def test_a_check_of_every_layer_leaves_nothing_out(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--check", "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert [row["gudhi_agrees"] for row in rows] == ["true"] * 4
    assert outcome.err == "GUDHI finds the same bars in 3 of 3 layers\ntensors left out: 3 (one axis)\n"


def test_a_check_of_nothing_exits_with_1(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--check", "--check-limit", 999)

    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.endswith(
        "no layer was compared with GUDHI; the smallest has 1,000 edges, and --check-limit is 999\n"
    )


def test_a_difference_exits_with_4(topoimp, lenet, monkeypatch):
    from topoimp.topology.barcode import Barcode, barcode_of

    def one_bar_more(layer):
        return Barcode(barcode_of(layer).deaths[:-1], 2)

    monkeypatch.setattr("topoimp.topology.gudhi_check.barcode_by_gudhi", one_bar_more)

    outcome = topoimp("barcode", lenet, "--check")

    assert (outcome.status, outcome.out) == (4, "")
    assert "'fc1.weight' has 1083 finite and 1 essential bars, and 1082 finite and 2 essential bars" in outcome.err


def test_the_norm_is_that_of_neural_and_total_persistence(topoimp, lenet):
    content = json.loads(topoimp("barcode", lenet, "--p", 1, "--format", "json").out)

    row = content["layers"][0]
    assert content["settings"]["p"] == 1
    assert row["np_rieck"] * (300 + 784 - 1) == pytest.approx(row["total_persistence"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--convention", "gudhi"], "--bar-convention needs --bars, --plot or --report"),
        (["--levels", "0.5"], "--levels needs --curve"),
        (["--null", "edges:3"], "--null needs --plot or --report"),
        (["--image", "28x28"], "--image needs --plot or --report"),
        (
            ["--plot", "a.svg", "--figure", "input-image", "--image", "28"],
            "--image is '28'; it must be HxW or HxWxC, as in 28x28 or 32x32x3",
        ),
        (
            ["--plot", "a.svg", "--null", "edges:3"],
            "--null needs --report, or --plot with the --figure diagram or betti-curves",
        ),
        (["--seed", "1"], "--seed needs --curve, --plot or --report"),
        (["--curve", "c.csv", "--seed", "-1"], "the seed is -1; it must be at least 0"),
        (["--resolution", 5], "--resolution needs --vectors"),
        (["--check-limit", 5], "--check-limit needs --check"),
        (["--list", "--check"], "--check does not go with --list, which shows tensors"),
        (["--list", "--bars", "b.csv"], "--bars does not go with --list, which shows tensors"),
        (["--curve", "c.csv", "--levels", "0.5;0.1"], "--levels is '0.5;0.1'; it must be numbers with commas"),
        (["--curve", "c.csv", "--levels", ""], "--levels is ''; it must be numbers with commas, as in 0.5,0.1"),
        (["--vectors", "v.npz", "--landscapes", 0], "the number of landscapes is 0; it must be at least 1"),
        (["--bars", "b.parquet"], "--bars is b.parquet; its name must end in .csv or .npz"),
        (["--p", 0.5], "the norm's p is 0.5; it must be at least 1, and finite"),
    ],
)
def test_options_that_do_not_fit_exit_with_2(topoimp, lenet, options, message):
    outcome = topoimp("barcode", lenet, *options)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {message}")
    assert outcome.err.count("\n") == 1


def test_a_convolution_is_unrolled_filter_by_filter(topoimp, sample):
    sizes = ["--input-size", "conv1*=28x28:1:0", "--input-size", "conv2*=12x12:1:0"]

    outcome = topoimp("barcode", sample("lenet-5-mnist.safetensors"), "--view", "spatial", *sizes, "--np", "balwani")

    assert outcome.status == 0
    assert "deaths divided by the largest strength of the layer or filter, view spatial" in outcome.out
    assert "mean neural persistence (balwani)    sum" in outcome.out
    assert [line.split()[:4] for line in outcome.out.splitlines() if line.startswith("conv")] == [
        ["conv1.weight", "28x28:1:0", "20", "576x784"],
        ["conv2.weight", "12x12:1:0", "50", "64x144"],
    ]


def test_an_image_is_missing(topoimp, sample):
    outcome = topoimp("barcode", sample("lenet-5-mnist.safetensors"), "--view", "spatial")

    assert (outcome.status, outcome.out) == (2, "")
    assert "conv1.weight, of shape 20x1x5x5, has no image to be unrolled over; --input-size gives it one" in outcome.err


def test_images_are_for_the_view_spatial(topoimp, lenet):
    outcome = topoimp("barcode", lenet, "--input-size", "*=4x4")

    assert (outcome.status, outcome.out) == (2, "")
    assert "--input-size are for the view spatial; the view is matrix" in outcome.err


@pytest.mark.parametrize("name", [":100:.weight", "[bold]a[/bold].weight", ":smile:"])
def test_a_name_is_printed_as_it_is(topoimp, tmp_path, name):
    save_file({name: np.eye(3, dtype=np.float32)}, tmp_path / "named.safetensors")

    outcome = topoimp("barcode", tmp_path / "named.safetensors")

    assert any(line.startswith(f"{name} ") for line in outcome.out.splitlines())
