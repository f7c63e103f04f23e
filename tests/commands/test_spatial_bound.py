from fractions import Fraction

import pytest

from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.bound_shapes import architecture_bound_report, shape_bound_report
from topoimp.commands.compare import comparison_report
from topoimp.errors import OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.spatial import InputSize

LARGE = (("*", InputSize((32, 32))),)

TABLE_1 = [
    ("resnet-20", "cifar10", (), (4.1508, 8.7671, 4.1679)),
    ("resnet-20", "cifar100", (), (4.1508, 39.2638, 4.4389)),
    ("resnet-18", "tiny-imagenet", (), (4.3142, 144.0225, 6.1318)),
    ("vgg-11:2048-1024-1024-200", "tiny-imagenet", (), (4.2672, 528.3911, 183.3624)),
    ("vgg-11", "cifar10", (), (4.0422, 9.8273, 4.8470)),
    ("vgg-11", "cifar10", LARGE, (4.2295, 9.8273, 4.3919)),
    ("vgg-11", "cifar100", (), (4.0422, 83.7971, 16.7489)),
    ("vgg-11", "cifar100", LARGE, (4.2295, 83.7971, 6.9239)),
]
"""Network, data, images and critical compressions of Balwani & Krzyston's table 1, as recomputed from theorem 3.2."""


def sums_of(report):
    return {row["level"]: row for row in report.rows if row["level"] != "layer"}


@pytest.mark.parametrize(("arch", "data", "input_sizes", "compressions"), TABLE_1)
def test_table_1_of_the_paper_to_the_last_digit(arch, data, input_sizes, compressions):
    report = architecture_bound_report(arch, data=data, view="spatial", input_sizes=input_sizes)

    sums = sums_of(report)
    assert list(sums) == ["convolutions", "dense", "network"]
    assert tuple(round(row["critical_compression"], 4) for row in sums.values()) == compressions


@pytest.mark.parametrize(("arch", "data", "input_sizes", "compressions"), TABLE_1)
def test_every_figure_is_that_of_theorem_3_2_with_exact_fractions(arch, data, input_sizes, compressions):
    report = architecture_bound_report(arch, data=data, view="spatial", input_sizes=input_sizes)

    edges, forests = {True: 0, False: 0}, {True: 0, False: 0}
    for row in report.layers:
        m, n = row["columns"], row["rows"]
        is_convolution = row["input_size"] is not None
        edges[is_convolution] += 9 * n if is_convolution else m * n
        forests[is_convolution] += m + n - 1
    exact = [
        Fraction(edges[True], forests[True]),
        Fraction(edges[False], forests[False]),
        Fraction(sum(edges.values()), sum(forests.values())),
    ]
    assert [round(float(each), 4) for each in exact] == list(compressions)


def test_printed_vgg_11_on_cifar10_differs_in_the_fourth_digit():
    sums = sums_of(architecture_bound_report("vgg-11", data="cifar10", view="spatial", input_sizes=LARGE))

    assert sums["network"]["critical_compression"] == pytest.approx(4.39191, abs=5e-6)  # the paper prints 4.3914


def test_the_layers_that_enter_are_all_convolutions_but_shortcuts_and_all_dense_layers():
    report = architecture_bound_report("resnet-18", data="tiny-imagenet", view="spatial")

    assert len(report.layers) == 18
    assert set(report.left_out) == {f"block{k}.shortcut.conv.weight" for k in (3, 5, 7)}
    assert set(report.left_out.values()) == {"a shortcut, which the convention balwani does not count"}


def test_the_exact_convention_counts_strides_and_shortcuts():
    report = architecture_bound_report("resnet-18", data="tiny-imagenet", view="spatial", spatial_convention="exact")

    rows = {row["layer"]: row for row in report.layers}
    assert (len(rows), report.left_out) == (21, {})
    assert rows["block3.conv1.weight"]["input_size"] == "64x64:2:1"
    # A 3 x 3 kernel at stride 2 reads all but the last of the 66 padded rows and columns.
    assert (rows["block3.conv1.weight"]["n_edges"], rows["block3.conv1.weight"]["beta0"]) == (
        9 * 32**2,
        1 + 66**2 - 65**2,
    )
    # A 1 x 1 kernel at stride 2 joins each output to an input of its own: its edges are a forest.
    assert (rows["block3.shortcut.conv.weight"]["floor"], rows["block3.shortcut.conv.weight"]["n_edges"]) == (
        1024,
        1024,
    )


@pytest.mark.parametrize(
    ("arch", "data", "compression"), [("resnet-20", "cifar10", 3.9591), ("resnet-18", "tiny-imagenet", 3.9464)]
)
def test_the_exact_convention_has_smaller_figures_for_residual_networks(arch, data, compression):
    report = architecture_bound_report(arch, data=data, view="spatial", spatial_convention="exact")

    assert round(sums_of(report)["convolutions"]["critical_compression"], 4) == compression


@pytest.mark.parametrize("arch", ["resnet-20", "vgg-16", "lenet-5", "conv-6"])
def test_without_strides_and_shortcuts_both_conventions_agree(arch):
    reports = [
        architecture_bound_report(arch, view="spatial", spatial_convention=convention)
        for convention in ("balwani", "exact")
    ]

    differing = [a["layer"] for a, b in zip(*(report.layers for report in reports), strict=True) if a != b]
    assert differing == (["block4.conv1.weight", "block7.conv1.weight"] if arch == "resnet-20" else [])


def test_without_data_the_images_are_those_that_the_network_was_designed_for():
    designed = architecture_bound_report("lenet-5", view="spatial")
    on_mnist = architecture_bound_report("lenet-5", view="spatial", data="mnist")

    assert designed.rows == on_mnist.rows
    assert [row["input_size"] for row in designed.layers] == ["28x28:1:0", "12x12:1:0", None, None]
    assert designed.layers[0]["critical_compression"] == 25 * 576 / (784 + 576 - 1)


def test_a_network_without_convolutions_has_dense_layers_alone():
    report = architecture_bound_report("lenet-300-100", view="spatial")

    assert list(sums_of(report)) == ["dense", "network"]
    assert report.network["critical_compression"] == 266_200 / 1_591


def test_a_checkpoint_an_architecture_and_a_shape_have_the_same_graphs(sample):
    images = (("conv1*", InputSize((28, 28), padding=0)), ("conv2*", InputSize((12, 12), padding=0)))
    patterns = LayerPatterns(view="spatial", input_sizes=images)

    trained = bound_report(sample("lenet-5-mnist.safetensors"), patterns=patterns)
    alone = architecture_bound_report("lenet-5", view="spatial", input_sizes=images)
    shape = shape_bound_report([(20, 1, 5, 5)], view="spatial", input_sizes=(("20x*", images[0][1]),))

    assert trained.rows == alone.rows
    assert {**shape.layers[0], "layer": "conv1.weight"} == alone.layers[0]
    assert trained.settings["input_sizes"] == ["conv1*=28x28:1:0", "conv2*=12x12:1:0"]


def test_data_decide_images_and_classes_of_every_view():
    report = architecture_bound_report("vgg-11", data="cifar100")

    assert report.layers[-1]["rows"] == 100
    assert report.settings == {"arch": "vgg-11", "data": "cifar100", "rate": 0.2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "imagenet"}, "the shape of the data set 'imagenet' is not known; known are digits, mnist, "),
        ({"view": "cubic"}, "there is no view 'cubic'; known are matrix, channel, spatial"),
        ({"view": "channel"}, "the view is channel; shapes are of weights, and need the view matrix"),
        ({"spatial_convention": "rieck"}, "there is no spatial convention 'rieck'; known are balwani, exact"),
        ({"input_sizes": LARGE}, "`input_sizes` are for the view spatial; the view is matrix"),
        (
            {"view": "spatial", "input_sizes": (("conv9*", InputSize((28, 28))),)},
            "`input_sizes`: pattern 'conv9\\*' matches no convolution; the first of them are conv1.weight, conv2",
        ),
        (
            {"view": "spatial", "input_sizes": (("fc1*", InputSize((28, 28))),)},
            "`input_sizes`: pattern 'fc1\\*' matches no convolution; the first of them are conv1",
        ),
        (
            {"view": "spatial", "input_sizes": (("conv1*", InputSize((3, 3), 1, 0)),)},
            "`input_sizes`: conv1.weight: the image is 3 x 3 with its padding; the",
        ),
        (
            {"view": "spatial", "options": BoundOptions(densities=[0.5])},
            "the view is spatial; densities are of weights, and need the view matrix",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(OptionError, match=message):
        architecture_bound_report("lenet-5", **arguments)


def test_a_pattern_of_images_needs_a_convolution():
    with pytest.raises(OptionError, match=r"pattern '\*' matches no convolution; there is none"):
        shape_bound_report([(3, 4)], view="spatial", input_sizes=LARGE)


def test_a_convolution_without_an_image_is_named():
    message = "8x3x5, of shape 8x3x5, has no image to be unrolled over; `input_sizes` gives it one, as in 8x3x5=32"

    with pytest.raises(OptionError, match=message):
        shape_bound_report([(3, 4), (8, 3, 5)], view="spatial")


def test_a_convolution_that_is_not_selected_needs_no_image(sample):
    patterns = LayerPatterns(exclude=("conv*",), view="spatial")

    assert [row["level"] for row in bound_report(sample("lenet-5-mnist.safetensors"), patterns=patterns).rows] == [
        *("layer", "layer", "dense", "network")
    ]


def test_a_comparison_is_of_weights(sample):
    lenet = sample("lenet-5-mnist.safetensors")

    with pytest.raises(
        OptionError, match="the view is spatial; a comparison is of weights, and needs the view matrix or"
    ):
        comparison_report(lenet, lenet, patterns=LayerPatterns(view="spatial"))
