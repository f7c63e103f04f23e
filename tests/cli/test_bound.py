import csv
import io
import json

import pytest
from safetensors.numpy import load_file, save_file


def test_the_table_and_the_line_about_one_global_order(topoimp, lenet):
    outcome = topoimp("bound", lenet)

    assert outcome.status == 0
    assert "1,591" in outcome.out
    assert "167.3" in outcome.out
    assert outcome.out.splitlines()[-1].startswith(
        "pruned by magnitude with one global order, all barcodes are kept down to "
    )
    assert outcome.err == "tensors left out: 3 (one axis)\n"


def test_quiet_says_nothing_on_stderr_and_all_on_stdout(topoimp, lenet):
    loud, quiet = topoimp("bound", lenet), topoimp("bound", lenet, "-q")

    assert quiet.err == ""
    assert quiet.out == loud.out


def test_the_line_about_one_global_order_is_in_the_columns_of_the_network(topoimp, lenet):
    network = json.loads(topoimp("bound", lenet, "--format", "json").out)["network"]

    line = topoimp("bound", lenet).out.splitlines()[-1]
    assert f"down to {network['safe_count_global']:,} weights" in line
    assert f"for {network['safe_rounds_global']} rounds; {network['binding_layer']} binds" in line


def test_the_line_about_the_scope_row_is_in_the_columns_of_the_network(topoimp, lenet):
    network = json.loads(topoimp("bound", lenet, "--format", "json").out)["network"]

    line = topoimp("bound", lenet).out.splitlines()[-2]

    assert line.startswith("pruned by magnitude with as many weights for each output (scope row), all barcodes are")
    assert f"down to {network['safe_count_row']:,} weights" in line
    assert line.endswith(f"for {network['safe_rounds_row']} rounds")


def test_columns_as_outputs_bound_the_transposed_rows(topoimp, lenet, tmp_path):
    weights = {name: array.T.copy() for name, array in load_file(lenet).items() if array.ndim == 2}
    save_file(weights, tmp_path / "transposed.safetensors")

    found = [
        json.loads(topoimp("bound", path, *options, "--format", "json").out)["network"]["safe_count_row"]
        for path, options in [(lenet, []), (tmp_path / "transposed.safetensors", ["--output-columns", "*"])]
    ]

    assert found[0] == found[1]


def test_shapes_alone_have_no_outputs_as_columns(topoimp):
    outcome = topoimp("bound", "--shape", "3x4", "--output-columns", "*")

    assert (outcome.status, outcome.err) == (2, "error: --output-columns is about a CHECKPOINT\n")


def test_an_architecture_needs_no_checkpoint(topoimp):
    content = json.loads(topoimp("bound", "--arch", "lenet-300-100", "--format", "json").out)

    assert content["network"]["floor"] == 1591
    assert content["settings"] == {"arch": "lenet-300-100", "rate": 0.2}


def test_an_architecture_has_no_layers_to_choose(topoimp):
    outcome = topoimp("bound", "--arch", "lenet-5", "--include", "fc*")

    assert outcome.status == 2
    assert "are about a CHECKPOINT; --arch has none" in outcome.err


def test_the_rate_changes_the_rounds(topoimp, lenet):
    content = json.loads(topoimp("bound", lenet, "--rate", "0.5", "--format", "json").out)

    assert content["network"]["rounds_to_floor"] == 3


def test_shapes_need_no_checkpoint(topoimp):
    outcome = topoimp("bound", "--shape", "64x3x3x3", "--shape", "300x784")

    assert (outcome.status, outcome.err) == (0, "")
    assert "shapes, all weights non-zero; rounds at rate 0.2" in outcome.out
    assert "19.20" in outcome.out


def test_shapes_do_not_import_torch(topoimp, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)

    assert topoimp("bound", "--shape", "300x784", "--densities", "0.1").status == 0


def test_densities_have_a_table_of_their_own(topoimp):
    outcome = topoimp("bound", "--shape", "64x3x3x3", "--shape", "8x8x3x3", "--densities", "0.5, 0.1")

    assert "forest edges among the strongest weights" in outcome.out
    assert "observed" not in outcome.out


def test_convolutions_are_unrolled_over_images(topoimp):
    options = ["--view", "spatial", "--input-size", "64x3*=32x32", "--input-size", "8x*=9x9:2:same"]

    outcome = topoimp("bound", "--shape", "64x3x3x3", "--shape", "8x8x3x3", *options)

    assert "shapes: one filter of each convolution unrolled over its image, edges counted" in outcome.out
    assert "32x32:1:same" in outcome.out
    assert "9x9:2:same" in outcome.out
    assert "4.2295" in outcome.out  # 9 * 32 * 32 / (34 * 34 + 32 * 32 - 1)
    assert "all convolutions" in outcome.out
    assert "all dense layers" not in outcome.out
    assert "the view spatial counts edges, which share a kernel's weights" in outcome.err


@pytest.mark.parametrize(
    ("words", "figures"),
    [
        ("resnet-20 --data cifar10", ("4.1508", "8.7671", "4.1679")),
        ("resnet-20 --data cifar100", ("4.1508", "39.2638", "4.4389")),
        ("resnet-18 --data tiny-imagenet", ("4.3142", "144.0225", "6.1318")),
        ("vgg-11:2048-1024-1024-200 --data tiny-imagenet", ("4.2672", "528.3911", "183.3624")),
        ("vgg-11 --data cifar10", ("4.0422", "9.8273", "4.8470")),
        ("vgg-11 --data cifar100", ("4.0422", "83.7971", "16.7489")),
        ("vgg-11 --data cifar10 --input-size *=32x32", ("4.2295", "9.8273", "4.3919")),
        ("vgg-11 --data cifar100 --input-size *=32x32", ("4.2295", "83.7971", "6.9239")),
    ],
)
def test_table_1_of_the_paper_is_printed_to_its_last_digit(topoimp, words, figures):
    outcome = topoimp("bound", "--view", "spatial", "--arch", *words.split())

    sums = [line for line in outcome.out.splitlines() if line.startswith(("all convolutions", "all dense", "network"))]
    assert tuple(line.split()[-1] for line in sums) == figures


def test_sums_are_rows_of_their_own_for_programs(topoimp):
    options = ["bound", "--arch", "resnet-18", "--data", "tiny-imagenet", "--view", "spatial", "--format"]

    content = json.loads(topoimp(*options, "json").out)
    lines = list(csv.DictReader(io.StringIO(topoimp(*options, "csv").out)))

    assert content["convolutions"]["n_edges"] + content["dense"]["n_edges"] == content["network"]["n_edges"]
    assert [line["level"] for line in lines[-3:]] == ["convolutions", "dense", "network"]
    assert "block3.shortcut.conv.weight" in content["left_out"]


def test_shortcuts_that_do_not_count_are_named(topoimp):
    outcome = topoimp("bound", "--arch", "resnet-18", "--view", "spatial")

    assert "not counted: shortcuts block3.shortcut.conv.weight, " in outcome.err
    assert "--spatial-convention exact counts them" in outcome.err


def test_a_checkpoint_in_the_view_spatial(topoimp, sample):
    options = ["--view", "spatial", "--input-size", "conv1*=28x28:1:0", "--input-size", "conv2*=12x12:1:0"]

    outcome = topoimp("bound", sample("lenet-5-mnist.safetensors"), *options)

    assert outcome.status == 0
    assert "lenet-5-mnist.safetensors: one filter of each convolution unrolled over its image" in outcome.out
    assert "10.5960" in outcome.out  # 25 * 576 / (784 + 576 - 1)


def test_densities_of_a_checkpoint_show_what_is_observed(topoimp, lenet):
    outcome = topoimp("bound", lenet, "--densities", "0.01")

    assert "guaranteed  random    iid  observed" in outcome.out


def test_null_models_have_a_table_of_their_own(topoimp, lenet):
    outcome = topoimp("bound", lenet, "--densities", "critical", "--null", "degrees:39", "--null", "random")

    lines = outcome.out.splitlines()
    title = lines.index("forest edges among the strongest weights, beside null models")
    assert lines[title + 1].split()[:5] == ["layer", "density", "null", "model", "kept"]
    assert [line.split()[2] for line in lines[title:] if line.startswith("fc1.weight")] == ["degrees:39", "random"]


def test_a_null_needs_densities(topoimp, lenet):
    outcome = topoimp("bound", lenet, "--null", "degrees:39")

    assert (outcome.status, outcome.err) == (2, "error: --null is about densities, and none is given\n")


def test_densities_are_rows_of_their_own_for_programs(topoimp, lenet):
    options = ["bound", lenet, "--densities", "0.5,0.1", "--seed", 3, "--format"]

    content = json.loads(topoimp(*options, "json").out)
    lines = list(csv.DictReader(io.StringIO(topoimp(*options, "csv").out)))

    assert [row["density"] for row in content["densities"]] == [0.5, 0.1] * 3
    assert [row["level"] for row in content["layers"]] == ["layer"] * 3
    assert content["settings"]["seed"] == 3
    assert [line["level"] for line in lines] == ["layer"] * 3 + ["network"] + ["density"] * 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "bound takes a CHECKPOINT, --arch MODEL or --shape, and one of them is needed"),
        (["x", "--shape", "3x3"], "bound takes a CHECKPOINT, --arch MODEL or --shape, and one of them is needed"),
        (["--arch", "lenet-5", "--shape", "3x3"], "bound takes a CHECKPOINT, --arch MODEL or --shape, and one of"),
        (["--shape", "3x"], "--shape is '3x'; it must be sizes of up to nine digits with x between them"),
        (["--shape", "3"], "the shape is 3; a layer has two rows and two columns or more"),
        (["--shape", "3x3", "--view", "channel"], "--view channel are about a CHECKPOINT; --shape has none"),
        (["--shape", "3x3", "--data", "mnist"], "--data is for --arch"),
        (["--shape", "3x3", "--input-size", "*=4x4"], "--input-size are for the view spatial; the view is matrix"),
        (["--arch", "lenet-5", "--spatial-convention", "exact"], "--spatial-convention is for --view spatial"),
        (["x", "--view", "spatial", "--spatial-convention", "exact"], "--spatial-convention is for --arch"),
        (["--arch", "lenet-5", "--view", "spatial", "--rate", "0.1"], "--rate counts weights, and the view spatial"),
        (
            ["--shape", "3x3", "--densities", "0.5,x"],
            "a density is x; it must be at least 0 and at most 1, critical",
        ),
        (["--shape", "3x3", "--densities", ""], "a density is empty; it must be at least 0 and at most 1, critical, "),
        (["--shape", "3x3", "--seed", "-1", "--densities", "0.5"], "the seed is -1; it must be at least 0"),
        (["--shape", "3x3", "--input-size", "3x3"], "--input-size is '3x3'; it must be a layer and the size of its"),
        (["--shape", "3x3", "--input-size", "3x3=4x4:1:2:3"], "in conv1.weight=28x28 or conv1.weight=28x28:2:1"),
    ],
)
def test_what_cannot_be_read_is_refused(topoimp, arguments, message):
    outcome = topoimp("bound", *arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err


def test_a_picture_is_written_and_named(topoimp, lenet, tmp_path):
    path = tmp_path / "a.svg"

    outcome = topoimp("bound", lenet, "--densities", "0.5,0.1", "--plot", path, "--size", "page")

    assert outcome.status == 0
    assert outcome.err.splitlines()[-1] == f"wrote {path}"
    assert path.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--figure", "retention"], "--figure needs --plot"),
        (["--size", "page"], "--size needs --plot"),
        (
            ["--view", "channel", "--plot", "a.svg", "--figure", "retention"],
            "the figure 'retention' needs densities: --densities",
        ),
        (["--plot", "a.gif"], "--plot is a.gif; its name must end in .svg, .pdf or .png"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused(topoimp, lenet, words, message):
    outcome = topoimp("bound", lenet, *words)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"error: {message}\n"


def test_a_picture_is_of_one_checkpoint(topoimp, lenet, tmp_path):
    outcome = topoimp("bound", lenet, lenet, "--plot", tmp_path / "a.svg")

    assert (outcome.status, outcome.err) == (2, "error: --plot writes one file, about one CHECKPOINT\n")


def test_the_figures_of_bound_are_listed(topoimp):
    outcome = topoimp("bound", "--figure", "list")

    assert outcome.status == 0
    assert outcome.out.startswith("retention")
