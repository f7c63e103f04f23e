import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import weights
from torch import nn
from torch.nn.utils import prune

from topoimp.errors import LayerError, OptionError
from topoimp.layers.layer import as_layer
from topoimp.topology.forest import spanning_forest
from topoimp.torch_modules.pruning import topological_unstructured
from topoimp.torch_modules.topological_method import TopologicalUnstructured

AMOUNTS = st.one_of(st.floats(0, 1), st.integers(0, 4))
FLOOR = "weights are kept, the floor of this layer"


def module_of(weight):
    """A linear module with these weights."""
    module = nn.Linear(1, 1, bias=False)
    module.weight = nn.Parameter(torch.from_numpy(weight.copy()))
    return module


def pruned(weight, *amounts, epsilon=0.0):
    module = module_of(weight)
    for amount in amounts:
        TopologicalUnstructured.apply(module, "weight", amount, epsilon)
    return module


def deaths(weight):
    return spanning_forest(as_layer(weight)).strengths


@pytest.mark.filterwarnings("ignore:.*the floor of this layer")
@given(weights(), st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_the_barcode_is_kept_however_often_and_however_much_is_pruned(weight, amounts):
    assert_array_equal(deaths(pruned(weight, *amounts).weight), deaths(weight))


@pytest.mark.filterwarnings("ignore:.*the floor of this layer")
@given(weights(), st.floats(0, 1))
def test_as_many_are_kept_as_torch_would_keep_but_no_fewer_than_the_forest(weight, amount):
    as_torch = prune.l1_unstructured(module_of(weight), "weight", amount)

    mask = pruned(weight, amount).weight_mask

    assert mask.sum() == max(as_torch.weight_mask.sum(), len(deaths(weight)))


@pytest.mark.filterwarnings("ignore:.*the floor of this layer")
@given(weights(kinds=["normal"]), st.floats(0, 1))
def test_without_protection_it_is_torchs_pruning_by_magnitude(weight, amount):
    as_torch = prune.l1_unstructured(module_of(weight), "weight", amount)

    mask = pruned(weight, amount, epsilon=1.0).weight_mask

    # Of equal magnitudes, which float16 has even here, torch keeps any.
    kept, kept_by_torch = (np.sort(np.abs(weight)[each.bool().numpy()]) for each in (mask, as_torch.weight_mask))
    assert_array_equal(kept, kept_by_torch)


@pytest.mark.filterwarnings("ignore:.*the floor of this layer")
@given(weights(), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_pruned_weight_never_returns(weight, first, second):
    once, twice = pruned(weight, first).weight_mask, pruned(weight, first, second).weight_mask

    assert (twice <= once).all()
    assert twice.sum() == max(int(once.sum()) - round(second * int(once.sum())), len(deaths(weight)))


WEIGHT = np.array([[4.0, 0.5, 0.1], [3.0, 2.0, 1.0]])


def test_a_share_and_a_number_mean_the_same_weights():
    assert pruned(WEIGHT, 1 / 3).weight_mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert pruned(WEIGHT, 2).weight_mask.tolist() == [[1, 0, 0], [1, 1, 1]]


def test_nothing_is_pruned_by_an_amount_of_nothing():
    assert pruned(WEIGHT, 0).weight_mask.all()
    assert pruned(WEIGHT, 0.0).weight_mask.all()


def test_the_floor_is_kept_and_a_warning_says_so():
    with pytest.warns(UserWarning, match=r"4 weights are kept, the floor of this layer; the amount 5 asks for 1"):
        module = pruned(WEIGHT, 5)

    assert module.weight_mask.tolist() == [[1, 0, 0], [1, 1, 1]]


def test_with_an_epsilon_only_strong_edges_are_protected():
    with pytest.warns(UserWarning, match="2 weights are kept, the floor"):
        module = pruned(WEIGHT, 1.0, epsilon=0.5)

    assert module.weight_mask.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_zeros_go_first_and_of_them_the_last():
    assert pruned(np.array([[0.0, 1.0], [0.0, 0.0]]), 0.5).weight_mask.tolist() == [[1, 1], [0, 0]]


def test_other_methods_go_before_and_after():
    module = module_of(WEIGHT)
    prune.l1_unstructured(module, "weight", 1)
    TopologicalUnstructured.apply(module, "weight", 1)
    prune.random_unstructured(module, "weight", 1)

    assert module.weight_mask.sum() == 3
    assert module.weight_mask[0, 1:].sum() == 0
    assert isinstance(next(iter(module._forward_pre_hooks.values())), prune.PruningContainer)


def test_a_column_that_was_pruned_whole_does_not_come_back():
    module = module_of(WEIGHT)
    prune.ln_structured(module, "weight", 1, n=1, dim=1)

    TopologicalUnstructured.apply(module, "weight", 1)

    assert module.weight_mask.tolist() == [[1, 0, 0], [1, 1, 0]]


def test_scores_take_the_place_of_the_weights():
    module = module_of(np.ones((2, 2)))
    scores = torch.tensor([[1.0, 4.0], [3.0, 2.0]])

    TopologicalUnstructured.apply(module, "weight", 1, importance_scores=scores)

    assert module.weight_mask.tolist() == [[0, 1], [1, 1]]


def test_removal_makes_it_permanent():
    module = prune.remove(pruned(WEIGHT, 2), "weight")

    assert [name for name, _ in module.named_parameters()] == ["weight"]
    assert module.weight.tolist() == [[4.0, 0.0, 0.0], [3.0, 2.0, 1.0]]
    assert not prune.is_pruned(module)


def test_the_default_mask_is_left_as_it_was_and_its_type_is_that_of_the_result():
    weight, default = torch.from_numpy(WEIGHT), torch.ones(2, 3, dtype=torch.float16)

    mask = TopologicalUnstructured(2).compute_mask(weight, default)

    assert default.all()
    assert mask.dtype is torch.float16
    assert weight.equal(torch.from_numpy(WEIGHT))


def test_a_convolution_is_read_as_a_matrix():
    module = nn.Conv2d(2, 4, 3, bias=False)
    TopologicalUnstructured.apply(module, "weight", 72 - 21)

    assert module.weight_mask.sum() == 4 + 18 - 1
    assert module(torch.ones(1, 2, 3, 3)).shape == (1, 4, 1, 1)


def test_pruning_all_layers_as_one_list_is_refused_by_torch():
    module = module_of(WEIGHT)

    with pytest.raises(TypeError, match='Only "unstructured" PRUNING_TYPE supported'):
        prune.global_unstructured([(module, "weight")], pruning_method=TopologicalUnstructured, amount=0.5)


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        (-1, "the amount is -1 weights; it must be at least 0"),
        (1.5, "the amount is 1.5; as a share it must be at least 0 and at most 1"),
        (-0.1, "the amount is -0.1; as a share"),
        (float("nan"), "the amount is nan; as a share"),
        (True, "the amount is True; it must be a share from 0 to 1, or a number of weights"),
        ("half", "the amount is 'half'; it must be a share"),
        (7, "the amount is 7, but only 6 weights are not pruned yet"),
    ],
)
def test_an_amount_out_of_range_is_refused_and_the_module_stays_as_it_was(amount, message):
    module = module_of(WEIGHT)

    with pytest.raises(OptionError, match=message):
        TopologicalUnstructured.apply(module, "weight", amount)
    assert [name for name, _ in module.named_parameters()] == ["weight"]


def test_an_epsilon_out_of_range_is_refused():
    with pytest.raises(OptionError, match="epsilon is -1"):
        TopologicalUnstructured(0.5, epsilon=-1)


def test_what_is_no_layer_is_refused():
    with pytest.raises(LayerError, match=r"bias has the shape \(3,\); a layer has two or more axes"):
        TopologicalUnstructured.apply(nn.Linear(2, 3), "bias", 0.5)
    with pytest.raises(LayerError, match="tensor 'weight' holds 1 NaN"):
        pruned(np.array([[1.0, np.nan]]), 0.5)


def test_it_gives_the_module_pruned_by_the_method():
    module, other = nn.Linear(9, 7), nn.Linear(9, 7)
    other.load_state_dict(module.state_dict())

    given = topological_unstructured(module, "weight", amount=0.5)
    TopologicalUnstructured.apply(other, "weight", 0.5)

    assert given is module
    assert prune.is_pruned(module)
    assert module.weight_mask.equal(other.weight_mask)


def two_rows():
    """Weights of which the two strongest leave the second row alone."""
    module = nn.Linear(2, 2, bias=False)
    module.weight.data = torch.tensor([[3.0, 2.9], [0.2, 0.1]])
    return module


def test_everything_is_protected_by_default():
    assert topological_unstructured(two_rows(), "weight", 1).weight_mask.tolist() == [[1, 1], [1, 0]]


def test_nothing_is_protected_by_an_epsilon_of_1():
    assert topological_unstructured(two_rows(), "weight", 2, epsilon=1.0).weight_mask.tolist() == [[1, 1], [0, 0]]
