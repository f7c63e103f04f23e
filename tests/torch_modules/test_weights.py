import pytest
import torch
from torch import nn

from topoimp.errors import LayerError, OptionError
from topoimp.torch_modules.weights import named_weights, parameters_called, unwrapped


class Net(nn.Module):
    """A module whose own parts are called as wrappers call theirs."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(3, 2)
        self.fc = nn.Linear(2, 2)


def test_names_are_those_of_the_state_dict_tied_ones_included():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight

    assert list(named_weights(model)) == list(model.state_dict())


def test_wrappers_leave_no_trace():
    model = Net()
    wrapped = nn.DataParallel(torch.compile(nn.DataParallel(model), backend="eager"))

    assert unwrapped(wrapped) is model
    assert list(named_weights(wrapped)) == list(model.state_dict())


def test_a_part_that_is_compiled_keeps_its_name():
    model = nn.Sequential(nn.Linear(2, 2), torch.compile(nn.Linear(2, 2), backend="eager"))

    assert list(named_weights(model)) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_name_means_a_parameter_with_or_without_what_wrappers_add():
    model = Net()

    found = parameters_called(model, dict.fromkeys(["module.fc.weight", "_orig_mod.module.weight", "fc.bias"]))

    assert [
        parameter is own
        for parameter, own in zip(found.values(), [model.fc.weight, model.module.weight, model.fc.bias], strict=True)
    ] == [True] * 3


def test_a_name_that_means_no_parameter_or_several_is_refused():
    model = nn.ModuleDict({"module": nn.ModuleDict({"fc": nn.Linear(2, 2)}), "fc": nn.Linear(2, 2)})

    with pytest.raises(
        OptionError, match=r"'conv.weight' is no parameter of this ModuleDict, which has module.fc.weight"
    ):
        parameters_called(model, {"conv.weight": None})
    with pytest.raises(OptionError, match=r"'_orig_mod.fc.weight' means several parameters of this ModuleDict"):
        parameters_called(model, {"_orig_mod.fc.weight": None})


def test_parameters_without_values_are_refused():
    with pytest.raises(LayerError, match="parameter 'weight' has no shape yet; a lazy module must have seen a batch"):
        named_weights(nn.LazyLinear(3))
    with pytest.raises(LayerError, match="parameter 'weight' is on the device meta"):
        named_weights(nn.Linear(2, 2, device="meta"))
