from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.architectures import NAMED_NETWORKS, parse_architecture
from topoimp.architectures.networks import LARGEST_NETWORK
from topoimp.errors import OptionError

CONVOLUTIONAL = [name for name in NAMED_NETWORKS if not name.startswith("lenet")]
ANY_SIZE = st.tuples(st.integers(1, 4), st.integers(32, 40), st.integers(32, 40))


@pytest.mark.parametrize(
    ("model", "n_parameters"),
    [
        ("lenet-300-100", 266_610),  # LeCun et al. 1998; Han et al. 2015, table 1: 267K
        ("lenet-5", 431_080),  # Caffe's LeNet; Han et al. 2015, table 1: 431K
        ("mlp:64-32-10", 64 * 32 + 32 + 32 * 10 + 10),
        ("vgg-11", 9_231_114),  # Sun et al., "NeuralFuse", NeurIPS 2024, table 7, and the next as well
        ("vgg-16", 14_728_266),
        ("resnet-18", 11_173_962),  # also the summary of kuangliu/pytorch-cifar's in JinchengLiang/DLminiproject
        ("resnet-20", 269_722),  # He et al., CVPR 2016, table 6: 0.27M
    ],
)
def test_parameter_counts_are_the_published_ones(model, n_parameters):
    assert parse_architecture(model).n_parameters() == n_parameters


@pytest.mark.parametrize(
    ("model", "n_weights", "n_convolution_weights"),
    [  # Frankle & Carbin, ICLR 2019, figure 2, "All/Conv Weights"
        ("lenet-300-100", 266_200, 0),  # 266K
        ("conv-2", 4_300_992, 38_592),  # 4.3M / 38K
        ("conv-4", 2_425_024, 259_776),  # 2.4M / 260K
        ("conv-6", 2_261_184, 1_144_512),  # 1.1M of convolutions as there; the 1.7M in all does not follow from it
    ],
)
def test_weights_are_those_of_the_lottery_ticket_paper(model, n_weights, n_convolution_weights):
    architecture = parse_architecture(model)

    assert architecture.n_weights() == n_weights
    assert sum(prod(shape) for shape in architecture.weights.values() if len(shape) == 4) == n_convolution_weights


@pytest.mark.parametrize(("model", "n_layers"), [("vgg-11", 9), ("vgg-16", 14), ("resnet-20", 20), ("resnet-18", 21)])
def test_layers_are_as_many_as_in_the_name_but_for_what_small_images_change(model, n_layers):
    # VGG for small images has one fully connected layer in place of three; ResNet-18 has three trained shortcuts.
    assert len(parse_architecture(model).weights) == n_layers


@pytest.mark.parametrize(("model", "output_layer"), [("lenet-300-100", "fc3"), ("conv-6", "fc3"), ("resnet-18", "fc")])
def test_the_output_layer_is_named(model, output_layer):
    assert parse_architecture(model).output_layer == f"{output_layer}.weight"


@given(st.sampled_from(sorted(NAMED_NETWORKS)), st.integers(1, 1000))
def test_named_networks_have_an_output_for_each_class(model, n_classes):
    architecture = parse_architecture(model, n_classes=n_classes)

    assert architecture.weights[architecture.output_layer][0] == n_classes


@given(st.sampled_from(CONVOLUTIONAL), ANY_SIZE)
def test_convolutional_networks_take_any_number_of_channels(model, image):
    assert parse_architecture(model, image=image).weights["conv1.weight"][1:] == (image[0], 3, 3)


@given(st.sampled_from(["vgg-11", "vgg-16", "resnet-20", "resnet-18"]), ANY_SIZE)
def test_what_ends_in_a_mean_has_the_same_weights_for_every_size_of_image(model, image):
    assert parse_architecture(model, image=image).weights == parse_architecture(model, image=(image[0], 32, 32)).weights


def test_named_networks_take_their_input_width_from_the_images():
    assert parse_architecture("lenet-300-100", image=(1, 8, 8)).weights["fc1.weight"] == (300, 64)
    assert parse_architecture("lenet-300-100", image=(3, 32, 32)).weights["fc1.weight"] == (300, 3072)
    assert parse_architecture("conv-4", image=(1, 28, 31)).weights["fc1.weight"] == (256, 128 * 7 * 7)


def test_a_convolution_is_its_matrix_product():
    assert parse_architecture("lenet-5").weights["conv2.weight"] == (50, 20, 5, 5)
    assert parse_architecture("resnet-18").weights["block3.shortcut.conv.weight"] == (128, 64, 1, 1)


def test_shortcuts_are_trained_in_resnet_18_and_not_in_resnet_20():
    shortcuts = [name for name in parse_architecture("resnet-18").parameters() if "shortcut" in name]

    assert shortcuts[:3] == ["block3.shortcut.conv.weight", "block3.shortcut.norm.weight", "block3.shortcut.norm.bias"]
    assert len(shortcuts) == 9
    assert not [name for name in parse_architecture("resnet-20").parameters() if "shortcut" in name]


def test_names_of_tensors_by_hand():
    assert list(parse_architecture("mlp:4-3-2").parameters()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert list(parse_architecture("resnet-20").parameters())[:9] == [
        "conv1.weight",
        "norm1.weight",
        "norm1.bias",
        "block1.conv1.weight",
        "block1.norm1.weight",
        "block1.norm1.bias",
        "block1.conv2.weight",
        "block1.norm2.weight",
        "block1.norm2.bias",
    ]
    assert list(parse_architecture("vgg-11").parameters())[-6:] == [
        "conv8.weight",
        "conv8.bias",
        "norm8.weight",
        "norm8.bias",
        "fc.weight",
        "fc.bias",
    ]


@pytest.mark.parametrize(
    ("model", "least"),
    [("conv-2", 2), ("conv-4", 4), ("conv-6", 8), ("resnet-20", 4), ("resnet-18", 8), ("vgg-16", 32)],
)
def test_the_smallest_image_is_taken_and_no_smaller_one(model, least):
    assert parse_architecture(model, image=(1, least, least)).n_weights() > 0
    with pytest.raises(OptionError, match=f"takes {least} x {least} pixels or more; these have {least - 1} x {least}"):
        parse_architecture(model, image=(1, least - 1, least))
    with pytest.raises(OptionError, match=f"takes {least} x {least} pixels or more; these have {least} x {least - 1}"):
        parse_architecture(model, image=(1, least, least - 1))


def test_the_largest_network_is_taken_and_no_larger_one():
    assert parse_architecture("mlp:10000-9999-1").n_weights() == LARGEST_NETWORK - 1
    assert parse_architecture("mlp:9998-10000-2").n_weights() == LARGEST_NETWORK
    with pytest.raises(OptionError, match="mlp:10000-10000-1 has 100010000 weights; at most 100000000 are trained"):
        parse_architecture("mlp:10000-10000-1")


@pytest.mark.parametrize(
    ("model", "image", "n_classes", "message"),
    [
        (
            "resnet-1000",
            None,
            None,
            "there is no model 'resnet-1000'; known are lenet-300-100, lenet-5, conv-2, conv-4, ",
        ),
        ("VGG-16", None, None, "resnet-20, resnet-18 and widths as in mlp:784-300-100-10"),
        ("mlp:784", None, None, "there is no model 'mlp:784'"),
        ("mlp:784-0-10", None, None, "there is no model 'mlp:784-0-10'"),
        ("mlp:784--10", None, None, "there is no model 'mlp:784--10'"),
        ("", None, None, "there is no model ''"),
        ("mlp:784-10", (1, 8, 8), None, "mlp:784-10 takes 784 inputs, but the images have 1 x 8 x 8 = 64 values"),
        ("mlp:64-10", (3, 8, 8), None, "mlp:64-10 takes 64 inputs, but the images have 3 x 8 x 8 = 192 values"),
        ("mlp:64-7", (1, 8, 8), None, "mlp:64-7 has 7 outputs, but the data have 10 classes"),
        ("mlp:64-10", None, 7, "mlp:64-10 has 10 outputs, but the data have 7 classes"),
        ("mlp:784-99999-99999-10", None, None, "has 10079199207 weights; at most 100000000 are trained here"),
        ("conv-2", (3, 2000, 2000), None, "conv-2 has 16384106688 weights; at most 100000000 are trained here"),
        ("lenet-5", (1, 8, 8), None, r"lenet-5 takes images of 1 x 28 x 28 \(channels, .*\); these have 1 x 8 x 8"),
        ("lenet-5", (3, 28, 28), None, "lenet-5 takes images of 1 x 28 x 28 .*; these have 3 x 28 x 28"),
        (
            "vgg-16",
            (1, 28, 28),
            None,
            "vgg-16 halves its images 5 times and takes 32 x 32 pixels or more; these have 28 x",
        ),
        ("resnet-20", (0, 32, 32), None, "images are 0 x 32 x 32; channels, height and width must be at least 1"),
        ("resnet-20", None, 0, "n_classes is 0; it must be at least 1"),
    ],
)
def test_what_is_no_model_or_does_not_fit_is_refused(model, image, n_classes, message):
    with pytest.raises(OptionError, match=message):
        parse_architecture(model, image=image, n_classes=n_classes)


def test_widths_that_match_the_data_are_taken():
    assert parse_architecture("mlp:64-7", image=(1, 8, 8), n_classes=7).n_parameters() == 64 * 7 + 7
    assert parse_architecture("mlp:64-7").n_parameters() == 64 * 7 + 7


def test_the_dense_layers_of_a_vgg_can_be_listed():
    architecture = parse_architecture("vgg-11:2048-1024-1024-200", image=(3, 64, 64), n_classes=200)

    dense = {name: shape for name, shape in architecture.weights.items() if len(shape) == 2}
    assert dense == {"fc1.weight": (1024, 2048), "fc2.weight": (1024, 1024), "fc3.weight": (200, 1024)}
    assert "mean" not in architecture.parts


@pytest.mark.parametrize(("side", "has_mean"), [(32, False), (64, True)])
def test_dense_layers_of_one_value_a_channel_take_means_of_large_images(side, has_mean):
    architecture = parse_architecture("vgg-16:512-10", image=(3, side, side))

    assert ("mean" in architecture.parts) == has_mean
    assert list(architecture.weights.values()) == list(parse_architecture("vgg-16").weights.values())


@pytest.mark.parametrize(
    ("model", "image", "n_classes", "message"),
    [
        ("vgg-11:1024-10", None, None, "take 1024 values; its convolutions give 512 on images of 3 x 32 x 32, and 512"),
        ("vgg-11:512-10", None, 100, "vgg-11:512-10 has 10 outputs, but the data have 100 classes"),
        ("vgg-11:512-10", (3, 31, 32), 10, "halves its images 5 times and takes 32 x 32 pixels or more; these have 31"),
        (
            "resnet-20:64-10",
            None,
            None,
            "there is no model 'resnet-20:64-10'; known are lenet-300-100, lenet-5, conv-2",
        ),
        ("vgg-11:512", None, None, "and widths as in mlp:784-300-100-10 or vgg-11:512-256-10"),
    ],
)
def test_dense_layers_that_do_not_fit_are_refused(model, image, n_classes, message):
    with pytest.raises(OptionError, match=message):
        parse_architecture(model, image=image, n_classes=n_classes)
