import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import FREE_METHODS, SEEDS, make_weight
from torch import nn

from topoimp.choices import Scope
from topoimp.errors import OptionError
from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.pruning import ModulePruner, prune_module


def network(seed=0, kinds=("normal", "normal", "normal"), dtype=torch.float32):
    """Three layers of 12x9, 7x12 and 5x7 weights."""
    model = nn.Sequential(nn.Linear(9, 12), nn.Linear(12, 7), nn.Linear(7, 5))
    for number, (layer, kind) in enumerate(zip(model, kinds, strict=True)):
        layer.weight.data = torch.from_numpy(make_weight(seed + number, *layer.weight.shape, kind))
        layer.bias.data = torch.arange(float(len(layer.bias)))
    return model.to(dtype)


@pytest.mark.parametrize("method", FREE_METHODS)
@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("amounts", [{"rate": 0.3}, {"sparsity": 0.9, "schedule": "linear"}])
def test_steps_without_training_are_rounds_at_once(method, scope, amounts):
    options = {"rounds": 5, **amounts, "method": method, "scope": scope, "seed": 3}
    at_once, stepped = network(), network()
    pruner = ModulePruner(stepped, PruningOptions(**options))

    masks = [pruner.step().masks for _ in range(5)][-1]

    of_all = prune_module(at_once, PruningOptions(**options)).masks
    assert list(masks) == list(of_all)
    assert all(masks[name].equal(of_all[name]) for name in masks)
    assert pruner.n_done == pruner.n_rounds == 5


def test_linear_rounds_have_an_end():
    with pytest.raises(OptionError, match="the schedule linear has a last round; `rounds`, `sparsity` or both are nee"):
        ModulePruner(network(), PruningOptions(rate=0.1, schedule="linear"))
    with pytest.raises(OptionError, match="the schedule linear has a last round"):
        ModulePruner(network(), PruningOptions(preset="paper"))


def test_linear_steps_remove_the_same_number():
    pruner = ModulePruner(network(), PruningOptions(rounds=3, sparsity=0.5, schedule="linear", method="magnitude"))

    assert [pruner.step().report.network["n_kept"] for _ in range(3)] == [90 + 70 + 29, 72 + 56 + 23, 54 + 42 + 18]


def train_somehow(model, seed):
    """Change every weight, pruned ones too, as a loop does that holds no mask; and have some become zero."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data += torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.data[torch.rand(parameter.shape, generator=generator) < 0.05] = 0


@given(SEEDS, st.sampled_from(FREE_METHODS), st.sampled_from(Scope))
def test_a_pruned_weight_never_returns_and_targets_go_by_the_edges_of_round_0(seed, method, scope):
    model = network(seed)
    pruner = ModulePruner(model, PruningOptions(rate=0.2, method=method, scope=scope))
    first = pruner.step()
    train_somehow(model, seed)

    second = pruner.step()

    assert all((second.masks[name] <= first.masks[name]).all() for name in first.masks)
    assert [row["target"] for row in second.report.rounds] == [145]


def test_the_targets_of_layers_are_those_of_the_schedule_whatever_becomes_zero_in_training():
    model = network()
    pruner = ModulePruner(model, PruningOptions(rate=0.2))
    pruner.step()
    model[0].weight.data[:2] = 0

    row = pruner.step().report.layers[0]

    assert row["n_edges"] < 86
    assert (row["target"], row["n_kept"]) == (69, 69)


def test_a_pruner_counts_edges_when_its_first_round_begins():
    model = network()
    model[2].weight.data.zero_()
    pruner = ModulePruner(model, PruningOptions(rate=0.2))
    model[2].weight.data.normal_()

    assert pruner.step().report.layers[2]["target"] == 28


def test_a_pruner_goes_on_where_another_one_was():
    one, other = network(), network()
    pruner = ModulePruner(one, PruningOptions(rounds=3))
    pruner.step()
    saved = io.BytesIO()
    torch.save(pruner.state_dict(), saved)
    other.load_state_dict(one.state_dict())
    resumed = ModulePruner(other, PruningOptions(rounds=3))

    resumed.load_state_dict(torch.load(io.BytesIO(saved.getvalue()), weights_only=True))

    train_somehow(one, 5)
    train_somehow(other, 5)
    masks, resumed_masks = pruner.step().masks, resumed.step().masks
    assert resumed.n_done == 2
    assert all(masks[name].equal(resumed_masks[name]) for name in masks)


def test_a_state_of_other_layers_or_too_many_rounds_is_refused():
    pruner = ModulePruner(network(), PruningOptions(rounds=3))
    pruner.step()
    pruner.step()

    with pytest.raises(OptionError, match=r"the state is of round 2; this pruner has 1"):
        ModulePruner(network(), PruningOptions(rounds=1)).load_state_dict(pruner.state_dict())
    with pytest.raises(
        OptionError, match=r"the state is of the layers \['0.weight', .*\]; this pruner has \['weight'\]"
    ):
        ModulePruner(nn.Linear(3, 3), PruningOptions(rounds=3)).load_state_dict(pruner.state_dict())


def test_there_is_no_round_after_the_last():
    pruner = ModulePruner(network(), PruningOptions(rounds=1))
    pruner.step()

    with pytest.raises(OptionError, match="all 1 rounds are done; a pruner with more rounds is needed"):
        pruner.step()
    with pytest.raises(OptionError, match="all rounds at once need"):
        pruner.all_at_once()


def test_a_pruner_without_an_end_says_so():
    assert ModulePruner(network(), PruningOptions()).n_rounds is None


def test_the_last_round_lands_on_the_sparsity():
    pruner = ModulePruner(network(), PruningOptions(sparsity=0.6, rate=0.2))

    rounds = [pruner.step().report.network for _ in range(pruner.n_rounds)]

    assert [row["density"] for row in rounds][-1] == pytest.approx(0.4, abs=0.003)
    assert rounds[0]["target"] == 181
