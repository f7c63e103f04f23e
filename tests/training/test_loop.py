from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from topoimp.choices import Data, Optimizer, Schedules
from topoimp.data import Images, load_images
from topoimp.errors import OptionError, TrainingError
from topoimp.training.loop import retrain_network, train_network, train_until
from topoimp.training.recipes import Recipe


def as_tensors(weights):
    return {name: torch.from_numpy(array) for name, array in weights.items()}


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


def test_a_mask_of_no_tensor_of_the_network_is_an_error(digits):
    with pytest.raises(TrainingError, match=r"the mask of 'fc9' has the shape \[2, 3\]; mlp:64-16-10 has no such"):
        train_network(recipe(), digits, seed=0, masks={"fc9": np.ones((2, 3), bool)})


def test_training_that_diverges_is_an_error(digits):
    with pytest.raises(TrainingError, match=r"training diverged in epoch 1; a learning rate below 1e\+30 is needed"):
        train_network(recipe(learning_rate=1e30), digits, seed=0)


def test_a_test_loss_that_is_not_finite_is_a_divergence(digits):
    huge = replace(digits, test_images=np.full_like(digits.test_images, 3e38))

    with pytest.raises(TrainingError, match=r"training diverged in epoch 0; a learning rate below 0.01 is needed"):
        train_network(recipe(), huge, seed=0)


@pytest.mark.parametrize(("n_images", "batch_size"), [(2, 1), (5, 2)])
def test_batch_norm_over_a_single_value_is_refused(n_images, batch_size):
    rng = np.random.default_rng(0)
    pixels, labels = rng.random((n_images, 3, 4, 4), dtype=np.float32), np.arange(n_images)
    images = Images("few", pixels, labels, pixels, labels, known_classes=10)
    changes = {"model": "resnet-20", "batch_size": batch_size, "epochs": 1, "rewind_at": 0}

    with pytest.raises(
        TrainingError,
        match=rf"resnet-20 has batch norm over single values, which needs two images a step or more; "
        rf"at a batch size of {batch_size}, {n_images} images leave one for a step",
    ):
        train_network(recipe(**changes), images, seed=0)


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
        ({"momentum": 0.9}, "momentum is of SGD; the optimizer is adam"),
        ({"momentum": 1.0}, "momentum is 1.0; it must be at least 0 and below 1"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; it must be at least 0"),
        ({"drops": (3,)}, "drops are the steps, from 1, after which the schedule 'steps' lowers the learning rate"),
        ({"schedule": Schedules.STEPS}, "drops are the steps, from 1, after which the schedule 'steps'"),
    ],
)
def test_a_recipe_out_of_range_is_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        recipe(**changes)


def test_a_rewind_step_beyond_the_last_one_is_refused(digits):
    with pytest.raises(OptionError, match="rewind_at is 31, but training has 30 steps"):
        train_network(recipe(rewind_at=31), digits, seed=0)


def ones_like(weights):
    return {name: np.ones(array.shape, bool) for name, array in weights.items() if array.ndim > 1}


SGD = {"optimizer": Optimizer.SGD, "learning_rate": 0.1}
OPTIMIZERS = [{}, SGD, {**SGD, "momentum": 0.9, "weight_decay": 1e-2}, {"weight_decay": 1e-2}]


@pytest.mark.parametrize("options", [SGD, {**SGD, "schedule": Schedules.COSINE}])
def test_training_on_from_the_rewind_weights_arrives_where_training_did(digits, options):
    trained = train_network(recipe(rewind_at=7, **options), digits, seed=0)

    again = retrain_network(
        recipe(**options),
        digits,
        seed=0,
        start=as_tensors(trained.rewind),
        masks=ones_like(trained.rewind),
        from_step=7,
    )

    assert_same(again.started, trained.rewind)
    assert_same(again.final, trained.final)
    assert again.end.test_accuracy == trained.epochs[-1].test_accuracy


@pytest.mark.parametrize("options", OPTIMIZERS)
def test_what_a_mask_does_not_keep_stays_zero_through_training(digits, trained, options):
    rng = np.random.default_rng(0)
    masks = {name: rng.random(array.shape) < 0.3 for name, array in trained.initial.items() if array.ndim > 1}

    retrained = retrain_network(recipe(**options), digits, seed=0, start=as_tensors(trained.initial), masks=masks)

    for name, mask in masks.items():
        assert_array_equal(retrained.started[name], np.where(mask, trained.initial[name], 0))
        assert not retrained.final[name][~mask].any()
        assert np.mean(retrained.final[name][mask] != retrained.started[name][mask]) > 0.8


def test_weights_of_another_network_are_refused(digits, trained):
    other = {name: array for name, array in trained.initial.items() if name != "fc2.bias"}

    with pytest.raises(TrainingError, match=r"the weights to start from are not those of mlp:64-16-10: .*fc2\.bias"):
        retrain_network(recipe(), digits, seed=0, start=as_tensors(other), masks={})


def test_no_steps_are_left_after_the_last_one(digits, trained):
    done = retrain_network(recipe(), digits, seed=0, start=as_tensors(trained.final), masks={}, from_step=30)

    assert_same(done.final, trained.final)
    assert done.end.train_loss is None


@pytest.mark.parametrize("step", [0, 3, 15, 16, 30])
def test_training_can_be_made_anew_up_to_any_step(digits, step):
    options = recipe(rewind_at=step)

    assert_same(train_until(options, digits, seed=0, step=step), train_network(options, digits, seed=0).rewind)


@pytest.fixture
def colours():
    rng = np.random.default_rng(0)
    images = rng.random((40, 3, 32, 32), np.float32)
    return Images("colours", images[:30], np.arange(30) % 10, images[30:], np.arange(10) % 10)


def test_a_residual_network_is_trained_augmented_and_held_to_its_mask(colours):
    options = recipe(model="resnet-20", epochs=1, batch_size=15, rewind_at=0, standardise=True, augment=True, **SGD)
    one, two = train_network(options, colours, seed=0), train_network(options, colours, seed=0)
    masks = {
        name: np.arange(array.size).reshape(array.shape) % 2 == 0
        for name, array in one.final.items()
        if array.ndim == 4
    }

    held = retrain_network(options, colours, seed=0, start=as_tensors(one.initial), masks=masks)

    assert_same(one.final, two.final)
    assert int(one.final["norm1.num_batches_tracked"]) == 2
    assert all(not held.final[name][~mask].any() for name, mask in masks.items())


@pytest.fixture
def two_threads():
    """Have torch take two threads for an operation, as it does outside these tests on two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_settings_of_torch_are_as_before_once_training_is_over(digits):
    train_network(recipe(epochs=1, threads=1), digits, seed=0)

    assert torch.get_num_threads() == 2
    assert not torch.are_deterministic_algorithms_enabled()
