import pytest

from topoimp.architectures import parse_architecture
from topoimp.errors import OptionError


@pytest.mark.parametrize(
    ("model", "n_parameters"),
    [
        ("lenet-300-100", 266_610),  # LeCun et al. 1998; Han et al. 2015, table 1: 267K
        ("lenet-5", 431_080),  # Caffe's LeNet; Han et al. 2015, table 1: 431K
        ("mlp:64-32-10", 64 * 32 + 32 + 32 * 10 + 10),
    ],
)
def test_parameter_counts_are_the_published_ones(model, n_parameters):
    assert parse_architecture(model).n_parameters() == n_parameters


def test_named_networks_take_their_input_width_from_the_images():
    assert parse_architecture("lenet-300-100", image=(8, 8)).layer_sides()["fc1.weight"] == (300, 64)


def test_a_convolution_is_its_matrix_product():
    assert parse_architecture("lenet-5").layer_sides()["conv2.weight"] == (50, 500)


@pytest.mark.parametrize(
    ("model", "image", "message"),
    [
        (
            "resnet-1000",
            None,
            "there is no model 'resnet-1000'; known are lenet-300-100, lenet-5 and widths as in mlp:",
        ),
        ("mlp:784", None, "there is no model 'mlp:784'"),
        ("mlp:784-0-10", None, "there is no model 'mlp:784-0-10'"),
        ("mlp:784--10", None, "there is no model 'mlp:784--10'"),
        ("mlp:784-10", (8, 8), "mlp:784-10 takes 784 inputs, but the images have 8 x 8 = 64 pixels"),
        ("mlp:64-7", (8, 8), "mlp:64-7 has 7 outputs, but the data have 10 classes"),
        ("mlp:784-99999-99999-10", None, "has 10079199207 weights; at most 100000000 are trained here"),
        ("lenet-5", (8, 8), "lenet-5 takes images of 28 x 28 pixels; these have 8 x 8"),
    ],
)
def test_what_is_no_model_or_does_not_fit_is_refused(model, image, message):
    with pytest.raises(OptionError, match=message):
        parse_architecture(model, image=image)
