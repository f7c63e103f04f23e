import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from topoimp.architectures import parse_architecture
from topoimp.choices import Data
from topoimp.data import load_images
from topoimp.errors import OptionError, TrainingError
from topoimp.models import build_network
from topoimp.training import Recipe, train_network


def recipe(**changes):
    fields = {
        "model": "mlp:64-16-10",
        "epochs": 2,
        "batch_size": 100,
        "learning_rate": 1e-2,
        "rewind_at": 3,
        "threads": 1,
    }
    return Recipe(**{**fields, **changes})


@pytest.fixture(scope="module")
def digits():
    return load_images(Data.DIGITS)


@pytest.fixture(scope="module")
def trained(digits):
    return train_network(recipe(), digits, seed=0)


def assert_same(one, other):
    assert list(one) == list(other)
    for name in one:
        assert_array_equal(one[name], other[name])


def test_training_is_repeatable_bit_for_bit(digits, trained):
    again = train_network(recipe(), digits, seed=0)

    assert_same(trained.initial, again.initial)
    assert_same(trained.rewind, again.rewind)
    assert_same(trained.final, again.final)
    assert trained.epochs == again.epochs


def test_another_seed_gives_other_weights_and_another_order(digits, trained):
    other = train_network(recipe(), digits, seed=1)

    assert not np.array_equal(trained.initial["fc1.weight"], other.initial["fc1.weight"])


def test_training_learns(trained):
    accuracies = [epoch.test_accuracy for epoch in trained.epochs]

    assert [epoch.step for epoch in trained.epochs] == [0, 15, 30]
    assert accuracies[0] < 0.3 < 0.5 < accuracies[-1]


def test_rewind_weights_are_those_of_a_training_that_stopped_there(digits, trained):
    shorter = train_network(recipe(epochs=1, rewind_at=3), digits, seed=0)

    assert_same(shorter.rewind, trained.rewind)
    assert not np.array_equal(trained.rewind["fc1.weight"], trained.initial["fc1.weight"])


def test_rewinding_to_step_0_gives_the_initial_weights(digits):
    trained = train_network(recipe(epochs=1, rewind_at=0), digits, seed=0)

    assert_same(trained.rewind, trained.initial)


def test_no_epochs_leave_the_initial_weights(digits):
    trained = train_network(recipe(epochs=0, rewind_at=0), digits, seed=0)

    assert_same(trained.final, trained.initial)


def test_training_that_diverges_is_an_error(digits):
    with pytest.raises(TrainingError, match=r"training diverged in epoch 1; a learning rate below 1e\+30 is needed"):
        train_network(recipe(learning_rate=1e30), digits, seed=0)


def test_every_step_is_told(digits):
    steps = []

    train_network(recipe(epochs=1), digits, seed=0, on_step=lambda step, n_steps: steps.append((step, n_steps)))

    assert steps == [(k, 15) for k in range(1, 16)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": -1}, "epochs is -1; it must be at least 0 and at most 1000000000"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1 and at most 1000000000"),
        ({"threads": 0}, "threads is 0; it must be at least 1 and at most 1000000000"),
        ({"rewind_at": -1}, "rewind_at is -1; it must be at least 0 and at most 1000000000"),
        ({"batch_size": 10**20}, "batch_size is 100000000000000000000; it must be at least 1 and at most 1000000000"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be above 0"),
    ],
)
def test_a_recipe_out_of_range_is_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        recipe(**changes)


def test_a_rewind_step_beyond_the_last_one_is_refused(digits):
    with pytest.raises(OptionError, match="rewind_at is 31, but training has 30 steps"):
        train_network(recipe(rewind_at=31), digits, seed=0)


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5", "mlp:784-20-10"])
def test_networks_have_the_shapes_and_counts_that_their_architecture_says(model):
    architecture = parse_architecture(model)

    network = build_network(architecture, seed=0)

    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if tensor.ndim > 1}
    assert shapes == {f"{layer}.weight": shape for layer, shape in architecture.weights.items()}
    assert sum(parameter.numel() for parameter in network.parameters()) == architecture.n_parameters()
    assert network(torch.zeros(2, 28, 28)).shape == (2, 10)


def test_initial_weights_have_the_spread_of_glorot():
    network = build_network(parse_architecture("mlp:784-300-10"), seed=0)

    assert float(network.fc1.weight.detach().std()) == pytest.approx((2 / (784 + 300)) ** 0.5, rel=0.02)
    assert not network.fc1.bias.any()
