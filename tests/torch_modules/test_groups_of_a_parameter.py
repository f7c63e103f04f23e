"""``topological_unstructured`` on a parameter that holds several graphs."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import slow_forest
from strategies import weights
from torch import nn
from torch.nn.utils import prune

from topoimp.errors import LayerError, OptionError
from topoimp.layers.layer import as_layer
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.options import PruningOptions
from topoimp.topology.forest import spanning_forest
from topoimp.torch_modules.pruning import prune_module, topological_unstructured
from topoimp.torch_modules.topological_method import TopologicalUnstructured

NUMBERS = st.integers(1, 3)
AXES = st.integers(0, 1)
SIDES = st.integers(2, 5)


def module_of(weight):
    """A linear module with these weights."""
    module = nn.Linear(1, 1, bias=False)
    module.weight = nn.Parameter(torch.from_numpy(weight.copy()))
    return module


def mask_of(weight, amount, groups, epsilon=0.0):
    """The mask under which the module's weights are pruned; its warning about floors is left out."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*the floor")
        module = topological_unstructured(module_of(weight), "weight", amount, epsilon, groups=groups)
    return module.weight_mask.numpy().astype(bool)


def deaths(weight):
    return spanning_forest(as_layer(weight)).strengths


def split(array, number, axis):
    """The blocks of an array, as views."""
    return np.split(array, number, axis=axis)


def slow_mask(weight, n_kept, number, axis):
    """By sorting tuples: all forests, then the strongest others by (strength, group, index), then zeros by index."""
    blocks = split(np.abs(weight.astype(np.float64)), number, axis)
    places = [part.ravel() for part in split(np.arange(weight.size).reshape(weight.shape), number, axis)]
    kept = {int(places[k][index]) for k, block in enumerate(blocks) for index in slow_forest(block)}

    ordered = sorted((-strength, k, i) for k, block in enumerate(blocks) for i, strength in enumerate(block.flat))
    of_edges = [int(places[k][index]) for negated, k, index in ordered if negated]
    of_zeros = [int(index) for index in np.flatnonzero(weight.ravel() == 0)]
    for place in (*of_edges, *of_zeros):
        if len(kept) < n_kept:
            kept.add(place)
    return np.isin(np.arange(weight.size), list(kept)).reshape(weight.shape)


@st.composite
def grouped(draw):
    """A matrix of any kind, and a number of groups and an axis that split it into blocks of 2 x 2 or more."""
    number, axis = draw(NUMBERS), draw(AXES)
    sides = [draw(SIDES), draw(SIDES)]
    sides[axis] *= number
    return draw(weights(rows=st.just(sides[0]), columns=st.just(sides[1]))), number, axis


@given(grouped(), st.floats(0, 1))
def test_all_forests_are_kept_and_the_strongest_others_whatever_group_has_them(case, amount):
    weight, number, axis = case

    mask = mask_of(weight, amount, [("weight", number, axis)])

    n_kept = weight.size - round(amount * weight.size)
    assert_array_equal(mask, slow_mask(weight, n_kept, number, axis))


@given(grouped(), st.floats(0, 1))
def test_the_barcode_of_each_group_is_kept(case, amount):
    weight, number, axis = case

    pruned = np.where(mask_of(weight, amount, [("weight", number, axis)]), weight, 0)

    for before, after in zip(split(weight, number, axis), split(pruned, number, axis), strict=True):
        assert_array_equal(deaths(after), deaths(before))


@given(weights(rows=SIDES, columns=SIDES), st.floats(0, 1), AXES, st.floats(0, 1))
def test_one_group_is_the_parameter_as_it_is(weight, amount, axis, epsilon):
    assert_array_equal(mask_of(weight, amount, [("weight", 1, axis)], epsilon), mask_of(weight, amount, (), epsilon))


@given(grouped(), st.integers(1, 6))
def test_the_mask_is_that_of_prune_module_with_one_target_for_all_groups(case, n_pruned):
    weight, number, axis = case
    weight = weight + np.where(weight == 0, weight.dtype.type(0.5), weight.dtype.type(0))  # its targets count no zeros
    groups = (("weight", number, axis),)
    n_pruned = min(n_pruned, weight.size - 1)
    patterns = LayerPatterns(groups=groups)
    options = PruningOptions(sparsity=n_pruned / weight.size, rounds=1, scope="global", patterns=patterns)

    pruned = prune_module(module_of(weight), options)

    assert_array_equal(mask_of(weight, n_pruned, groups), pruned.masks["weight"].numpy())


def test_columns_of_a_matrix_are_rows_of_its_transpose():
    weight = np.random.default_rng(0).normal(size=(8, 12))

    assert_array_equal(mask_of(weight, 50, [("weight", 3, 1)]), mask_of(weight.T, 50, [("weight", 3)]).T)


def test_a_group_that_is_weak_keeps_its_forest():
    strong, weak = np.full((2, 2), 4.0), np.array([[0.4, 0.3], [0.2, 0.1]])

    apart = mask_of(np.vstack([strong, weak]), 2, [("weight", 2)])
    together = mask_of(np.vstack([strong, weak]), 2, ())

    assert apart.tolist() == [[True, True], [True, False], [True, True], [True, False]]
    assert together.tolist() == [[True, True], [True, True], [True, False], [True, False]]


def test_floors_of_groups_are_kept_and_a_warning_says_so():
    weight = np.random.default_rng(0).normal(size=(6, 4))

    with pytest.warns(UserWarning, match=r"^15 weights are kept, the floors of 3 groups; the amount 1.0 asks for 0$"):
        module = topological_unstructured(module_of(weight), "weight", 1.0, groups=[("weight", 3)])

    assert module.weight_mask.sum() == 3 * (2 + 4) - 3


@pytest.mark.parametrize(
    ("shape", "number", "floor"),
    [
        ((3, 4, 5), 3, 3 * (4 + 5 - 1)),  # stacked experts: each is a matrix of its own
        ((6, 4, 5), 3, 3 * (2 + 20 - 1)),
        ((6, 2, 3, 3), 2, 2 * (3 + 18 - 1)),  # a grouped convolution
    ],
)
def test_tensors_of_more_axes_are_split_as_prune_splits_them(shape, number, floor):
    weight = np.random.default_rng(0).normal(size=shape)

    assert mask_of(weight, 1.0, [("w*", number)]).sum() == floor


def test_a_mask_before_stays_and_the_method_goes_with_others():
    module = module_of(np.random.default_rng(0).normal(size=(4, 6)))
    prune.random_unstructured(module, "weight", 5)
    before = module.weight_mask.clone()

    TopologicalUnstructured.apply(module, "weight", 3, groups=[("weight", 2, 1)])

    assert (module.weight_mask <= before).all()
    assert module.weight_mask.sum() == 24 - 5 - 3


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ([("fc*", 2)], OptionError, "`groups`: pattern 'fc\\*' matches no tensor of weight"),
        ([("weight", 4)], OptionError, r"`groups`: tensor 'weight' of shape \[6, 4\] cannot be split into 4 groups"),
        ([("weight", 3, 1)], OptionError, r"cannot be split into 3 groups along axis 1"),
        ([("weight", 0)], OptionError, "`groups`: weight=0 must be a number from 1, along the axis 0 or 1"),
        ([("weight", 2, 2)], OptionError, "`groups`: weight=2@2 must be a number from 1"),
        ([("weight", 6)], LayerError, "weight: holds 1 tensor, and no layer"),
    ],
)
def test_groups_that_do_not_fit_are_refused_and_the_module_stays_as_it_was(groups, error, message):
    module = module_of(np.ones((6, 4)))

    with pytest.raises(error, match=message):
        topological_unstructured(module, "weight", 0.5, groups=groups)
    assert [name for name, _ in module.named_parameters()] == ["weight"]
