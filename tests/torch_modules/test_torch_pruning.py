import torch
from torch import nn
from torch.nn.utils import prune

from topoimp.torch_modules.topological_method import TopologicalUnstructured
from topoimp.torch_modules.torch_pruning import topological_unstructured


def test_it_gives_the_module_pruned_by_the_method():
    module, other = nn.Linear(9, 7), nn.Linear(9, 7)
    other.load_state_dict(module.state_dict())

    given = topological_unstructured(module, "weight", amount=0.5)
    TopologicalUnstructured.apply(other, "weight", 0.5)

    assert given is module
    assert prune.is_pruned(module)
    assert module.weight_mask.equal(other.weight_mask)


def layer():
    """Weights of which the two strongest leave the second row alone."""
    module = nn.Linear(2, 2, bias=False)
    module.weight.data = torch.tensor([[3.0, 2.9], [0.2, 0.1]])
    return module


def test_everything_is_protected_by_default():
    assert topological_unstructured(layer(), "weight", 1).weight_mask.tolist() == [[1, 1], [1, 0]]


def test_nothing_is_protected_by_an_epsilon_of_1():
    assert topological_unstructured(layer(), "weight", 2, epsilon=1.0).weight_mask.tolist() == [[1, 1], [0, 0]]
