import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topoimp.architectures import NAMED_NETWORKS, parse_architecture, seen_images
from topoimp.choices import SpatialConvention
from topoimp.layers.spatial import InputSize, spatial_graph
from topoimp.training.models import build_network

EXACT, BALWANI = SpatialConvention.EXACT, SpatialConvention.BALWANI
CONVOLUTIONAL = [name for name in NAMED_NETWORKS if name not in ("lenet-300-100", "lenet-5")]


def images_in_torch(architecture):
    """By the name of its weight, the image, stride and padding of each convolution, and the sides of its output."""
    network = build_network(architecture, seed=0).eval()
    seen = {}

    def record(name):
        def hook(module, inputs, output):
            size = InputSize(tuple(inputs[0].shape[2:]), module.stride[0], module.padding[0])
            seen[f"{name}.weight"] = size, tuple(output.shape[2:])

        return hook

    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(record(name))
    with torch.no_grad():
        network(torch.zeros(1, *architecture.image))
    return seen


@settings(max_examples=12)
@given(st.sampled_from(CONVOLUTIONAL), st.integers(32, 70), st.integers(32, 70))
def test_images_are_those_that_a_network_in_torch_sees(model, height, width):
    architecture = parse_architecture(model, image=(3, height, width))

    seen = seen_images(architecture, EXACT)

    in_torch = images_in_torch(architecture)
    assert seen == {name: size for name, (size, _) in in_torch.items()}
    for name, (size, output) in in_torch.items():
        graph = spatial_graph(architecture.weights[name][2:], size)
        assert graph.n_outputs == output[0] * output[1]


def test_lenet_5_too():
    architecture = parse_architecture("lenet-5")

    assert seen_images(architecture, EXACT) == {name: size for name, (size, _) in images_in_torch(architecture).items()}


def test_with_other_dense_layers_a_vgg_sees_the_same_images():
    image = (3, 64, 64)
    headed = parse_architecture("vgg-11:2048-1024-1024-200", image=image, n_classes=200)

    seen = seen_images(headed, EXACT)

    assert seen == seen_images(parse_architecture("vgg-11", image=image), EXACT)
    assert seen == {name: size for name, (size, _) in images_in_torch(headed).items()}


def test_in_table_1_a_strided_convolution_counts_at_the_size_of_its_output():
    seen = seen_images(parse_architecture("resnet-20"), BALWANI)

    assert seen["block4.conv1.weight"] == seen["block4.conv2.weight"] == InputSize((16, 16), 1, 1)


def test_in_table_1_shortcuts_do_not_count():
    architecture = parse_architecture("resnet-18")
    exact, counted = (seen_images(architecture, convention) for convention in (EXACT, BALWANI))

    assert set(exact) - set(counted) == {f"block{k}.shortcut.conv.weight" for k in (3, 5, 7)}


@pytest.mark.parametrize("convention", SpatialConvention)
def test_widths_alone_have_no_image(convention):
    assert seen_images(parse_architecture("mlp:4-3-2"), convention) == {}
