from math import prod

import pytest
import torch
from conftest import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import drawn_weights
from safetensors.torch import load_file

from topoimp.architectures import NAMED_NETWORKS, parse_architecture
from topoimp.architectures.architecture import CIFAR_IMAGE, MNIST_IMAGE
from topoimp.checkpoint import open_checkpoint, write_arrays
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.training.models import build_network

IMAGES = dict.fromkeys(NAMED_NETWORKS, CIFAR_IMAGE) | {"lenet-300-100": MNIST_IMAGE, "lenet-5": MNIST_IMAGE}
SMALL = ("lenet-300-100", "conv-2", "conv-4", "resnet-20")
RUNNING = ("running_mean", "running_var", "num_batches_tracked")


def scores(network, image, n_images=2, seed=0):
    """What a network in use gives for random images."""
    with torch.no_grad():
        return network.eval()(torch.randn(n_images, *image, generator=torch.Generator().manual_seed(seed)))


@given(st.sampled_from(SMALL), st.integers(1, 4), st.integers(4, 21), st.integers(4, 21), st.integers(1, 12))
@settings(max_examples=25)
def test_a_network_gives_a_score_per_class_for_images_of_any_size_that_it_takes(
    model, channels, height, width, n_classes
):
    image = (channels, height, width)
    network = build_network(parse_architecture(model, image=image, n_classes=n_classes), seed=0)

    assert scores(network, image).shape == (2, n_classes)


@given(st.sampled_from(SMALL), st.integers(0, 2**32))
@settings(max_examples=10)
def test_initial_weights_depend_on_the_seed_alone(model, seed):
    architecture = parse_architecture(model, image=(1, 8, 8))

    first = build_network(architecture, seed=seed).state_dict()
    torch.rand(3)
    again = build_network(architecture, seed=seed).state_dict()
    other = build_network(architecture, seed=seed + 1).state_dict()

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in architecture.weights)


def test_building_a_network_leaves_the_generator_of_torch_as_it_was():
    before = torch.get_rng_state()

    build_network(parse_architecture("resnet-20"), seed=0)

    assert_array_equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5", "conv-2", "mlp:64-32-10"])
def test_glorot_weights_are_drawn_in_the_order_of_the_layers(model):
    architecture = parse_architecture(model)

    network = build_network(architecture, seed=3)

    found = {name: network.state_dict()[name] for name in architecture.weights}
    wanted = drawn_weights(architecture.weights, seed=3, variance=lambda n_in, n_out: 2 / (n_in + n_out))
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("model", ["vgg-11", "resnet-20", "resnet-18"])
def test_he_weights_are_drawn_in_the_order_of_the_layers(model):
    architecture = parse_architecture(model)

    network = build_network(architecture, seed=3)

    found = {name: network.state_dict()[name] for name in architecture.weights}
    wanted = drawn_weights(architecture.weights, seed=3, variance=lambda n_in, _: 2 / n_in)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_initial_weights_are_still_those_of_the_sample():
    network = build_network(parse_architecture("lenet-300-100"), seed=0)

    kept = load_file(SAMPLES / "lenet-300-100-mnist-init.safetensors")

    assert list(network.state_dict()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias"]
    assert kept.keys() == network.state_dict().keys()
    # Not bit for bit: another processor's logarithm may differ in the last one.
    assert_allclose(network.fc2.weight.detach(), kept["fc2.weight"], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("model", [*NAMED_NETWORKS, "mlp:784-20-10"])
def test_networks_have_the_names_shapes_and_counts_that_their_architecture_says(model):
    architecture = parse_architecture(model)

    network = build_network(architecture, seed=0)

    assert {name: tuple(tensor.shape) for name, tensor in network.named_parameters()} == architecture.parameters()
    assert [name for name, _ in network.named_parameters()] == list(architecture.parameters())
    assert [name for name in network.state_dict() if not name.endswith(RUNNING)] == list(architecture.parameters())
    assert sum(parameter.numel() for parameter in network.parameters()) == architecture.n_parameters()
    assert scores(network, IMAGES.get(model, MNIST_IMAGE)).shape == (2, 10)


def test_a_network_goes_to_a_checkpoint_and_back_and_its_layers_are_the_architecture_s(tmp_path):
    architecture = parse_architecture("resnet-20")
    network = build_network(architecture, seed=0)
    network(torch.rand(4, *CIFAR_IMAGE))  # moves the running statistics
    path = tmp_path / "resnet-20.safetensors"

    write_arrays(path, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, {})
    other = build_network(architecture, seed=1)
    other.load_state_dict(load_file(path))

    layers = select_layers(open_checkpoint(path), LayerPatterns()).infos
    sides = {name: (shape[0], prod(shape[1:])) for name, shape in architecture.weights.items()}
    assert {layer.name: (layer.n_rows, layer.n_columns) for layer in layers} == sides
    assert torch.equal(scores(network, CIFAR_IMAGE), scores(other, CIFAR_IMAGE))


@pytest.mark.parametrize("model", ["vgg-11", "vgg-16", "resnet-18", "conv-6"])
def test_large_networks_take_images_of_odd_sizes(model):
    image = (1, 35, 65)

    network = build_network(parse_architecture(model, image=image, n_classes=3), seed=0)

    assert scores(network, image).shape == (2, 3)


@pytest.mark.parametrize("model", ["lenet-5", "conv-2", "vgg-11", "resnet-20", "resnet-18"])
def test_every_parameter_has_a_part_in_the_scores(model):
    network = build_network(parse_architecture(model), seed=0)

    network(torch.randn(4, *IMAGES[model], generator=torch.Generator().manual_seed(0))).square().sum().backward()

    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_biases_are_0_and_factors_of_batch_norm_1():
    state = build_network(parse_architecture("vgg-11"), seed=0).state_dict()

    assert not state["conv8.bias"].any()
    assert not state["fc.bias"].any()
    assert not state["norm8.bias"].any()
    assert (state["norm8.weight"] == 1).all()
    assert not state["norm8.running_mean"].any()
    assert (state["norm8.running_var"] == 1).all()


def test_a_block_whose_convolutions_are_0_gives_what_its_shortcut_gives():
    network = build_network(parse_architecture("resnet-20"), seed=0).eval()
    block = network.block4  # from 16 to 32 channels, halving the image
    torch.nn.init.zeros_(block.conv2.weight)
    images = torch.rand(2, 16, 5, 7, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        found = block(images)

    assert found.shape == (2, 32, 3, 4)
    assert_allclose(found[:, :16], images[:, :, ::2, ::2], rtol=1e-6)
    assert not found[:, 16:].any()


def test_a_trained_shortcut_is_a_convolution_of_every_second_pixel():
    network = build_network(parse_architecture("resnet-18"), seed=0).eval()
    block = network.block3  # from 64 to 128 channels, halving the image
    torch.nn.init.zeros_(block.conv2.weight)
    images = torch.rand(2, 64, 5, 7, generator=torch.Generator().manual_seed(0))
    kernel = block.shortcut.conv.weight[:, :, 0, 0]

    with torch.no_grad():
        found = block(images)
        wanted = torch.einsum("oc,nchw->nohw", kernel, images[:, :, ::2, ::2]).relu()

    assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)  # batch norm divides by sqrt(1 + 1e-5)


def test_a_block_between_equal_shapes_passes_its_images_on():
    network = build_network(parse_architecture("resnet-18"), seed=0).eval()
    torch.nn.init.zeros_(network.block2.conv2.weight)
    images = torch.rand(2, 64, 5, 7, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        assert_allclose(network.block2(images), images, rtol=1e-6)


def test_lenet_5_is_caffe_s_with_its_only_relu_before_the_output():
    names = [name for name, _ in build_network(parse_architecture("lenet-5"), seed=0).named_children()]

    assert names == ["conv1", "pool1", "conv2", "pool2", "flatten", "fc1", "fc1_relu", "fc2"]


def test_the_output_of_every_network_is_a_score_of_either_sign():
    network = build_network(parse_architecture("conv-2", image=(1, 8, 8)), seed=0)

    assert (scores(network, (1, 8, 8), n_images=20) < 0).any()
    assert (scores(network, (1, 8, 8), n_images=20) > 0).any()
