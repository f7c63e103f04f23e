import copy

import pytest
import torch
from torch import nn

from topoimp.errors import OptionError
from topoimp.torch_modules.masks import rewind_module


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))


@pytest.fixture
def trained():
    """A network that is no longer what it was, and what it was."""
    model = network()
    state = copy.deepcopy(model.state_dict())
    model(torch.randn(8, 4))
    for parameter in model.parameters():
        parameter.data += 1
    return model, state


MASKS = {"0.weight": torch.eye(3, 4).bool()}


def test_all_goes_back_but_what_the_mask_does_not_keep_which_is_zero(trained):
    model, state = trained

    rewind_module(model, state, MASKS)

    expected = {**state, "0.weight": state["0.weight"] * MASKS["0.weight"]}
    assert [name for name, tensor in model.state_dict().items() if not tensor.equal(expected[name])] == []


def test_parameters_stay_the_same_objects(trained):
    model, state = trained
    before = list(model.parameters())

    rewind_module(model, state, MASKS)

    assert all(one is other for one, other in zip(before, model.parameters(), strict=True))


def test_the_state_is_not_changed(trained):
    model, state = trained

    rewind_module(model, state, MASKS)

    assert state["0.weight"].all()


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
def test_a_state_may_be_from_before_or_after_wrapping(trained, wrap):
    model, state = trained
    wrapped = wrap(model)
    of_wrapped = dict(zip(wrapped.state_dict(), copy.deepcopy(list(state.values())), strict=True))

    for one, from_then in ((wrapped, state), (wrapped, of_wrapped), (model, of_wrapped)):
        model[2].weight.data += 1
        rewind_module(one, from_then, MASKS)
        assert model[2].weight.equal(state["2.weight"])


def test_the_modules_own_state_is_refused_as_it_changed_with_the_module():
    model = network()

    with pytest.raises(OptionError, match=r"shares '0.weight' with the module, and changed with it; copy.deepcopy"):
        rewind_module(model, model.state_dict(), MASKS)


def test_a_state_that_does_not_fit_is_refused_and_nothing_changes(trained):
    model, state = trained
    before = copy.deepcopy(model.state_dict())
    lacking = {name: tensor for name, tensor in state.items() if name != "2.bias"}

    with pytest.raises(OptionError, match=r"the state to rewind to lacks '2.bias'"):
        rewind_module(model, lacking, MASKS)
    with pytest.raises(OptionError, match=r"the state to rewind to has '2.bias' of shape \[7\]; the module has \[2\]"):
        rewind_module(model, {**state, "2.bias": torch.ones(7)}, MASKS)
    with pytest.raises(OptionError, match=r"the state to rewind to has 'fc', which the module lacks"):
        rewind_module(model, {**state, "fc": torch.ones(7)}, MASKS)
    with pytest.raises(OptionError, match=r"the mask of '0.weight' has the shape \[1\]"):
        rewind_module(model, state, {"0.weight": torch.ones(1)})

    assert all(map(torch.equal, model.state_dict().values(), before.values()))
