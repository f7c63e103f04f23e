import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_files import pack_mask, write_masks
from strategies import SEEDS
from torch import nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, NAdam, RMSprop, Rprop
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from topoimp.errors import CheckpointError, OptionError
from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.holding import hold_mask
from topoimp.torch_modules.pruning import prune_module

OPTIMIZERS = {
    "SGD": lambda parameters: SGD(parameters, lr=0.1),
    "SGD with momentum": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "SGD in one kernel": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, fused=True),
    "Adam": lambda parameters: Adam(parameters, lr=0.1, amsgrad=True),
    "Adam in a loop": lambda parameters: Adam(parameters, lr=0.1, foreach=False, weight_decay=0.1),
    "AdamW": lambda parameters: AdamW(parameters, lr=0.1, weight_decay=0.5),
    "NAdam": lambda parameters: NAdam(parameters, lr=0.1),
    "RMSprop": lambda parameters: RMSprop(parameters, lr=0.1, momentum=0.9),
    "Rprop": lambda parameters: Rprop(parameters, lr=0.1),
    "Adagrad": lambda parameters: Adagrad(parameters, lr=0.1, initial_accumulator_value=0.5),
    "Adadelta": Adadelta,
}


def network():
    """A network with 8x6 and 3x8 weights."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def random_masks(seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"0.weight": (8, 6), "2.weight": (3, 8)}
    return {name: torch.rand(shape, generator=generator) < 0.5 for name, shape in shapes.items()}


def steps(model, optimizer, n):
    """Train on noise, and give the model after each step."""
    for _ in range(n):
        optimizer.zero_grad()
        model(torch.randn(16, 6)).square().sum().backward()
        optimizer.step()
        yield model


def n_revived(model, masks):
    weights = dict(model.named_parameters())
    return sum(int(weights[name][~mask].count_nonzero()) for name, mask in masks.items())


@settings(max_examples=60)
@given(SEEDS, st.sampled_from(sorted(OPTIMIZERS)), st.integers(0, 5))
def test_nothing_revives_whatever_the_optimizer_and_the_momentum_from_before(seed, name, n_before):
    model, masks = network(), random_masks(seed)
    optimizer = OPTIMIZERS[name](model.parameters())
    list(steps(model, optimizer, n_before))

    with hold_mask(model, masks):
        assert n_revived(model, masks) == 0
        assert [n_revived(now, masks) for now in steps(model, optimizer, 12)] == [0] * 12


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_kept_weights_are_trained_as_if_the_pruned_ones_were_not_there(name):
    """Training a layer of two columns under a mask of one is training a layer of that column."""
    wide, narrow = nn.Linear(2, 1, bias=False), nn.Linear(1, 1, bias=False)
    narrow.weight.data = wide.weight.data[:, :1].clone()
    optimizers = [OPTIMIZERS[name](layer.parameters()) for layer in (wide, narrow)]

    with hold_mask(wide, {"weight": torch.tensor([[True, False]])}):
        for _ in range(10):
            for layer, optimizer in zip((wide, narrow), optimizers, strict=True):
                optimizer.zero_grad()
                layer(torch.ones(4, layer.in_features)).square().sum().backward()
                optimizer.step()

    torch.testing.assert_close(wide.weight[:, :1], narrow.weight)
    assert wide.weight[0, 1] == 0


def test_the_state_of_the_optimizer_is_cleared_where_weights_are_pruned():
    model, masks = network(), random_masks(1)
    optimizer = Adam(model.parameters())
    list(steps(model, optimizer, 3))

    with hold_mask(model, masks):
        list(steps(model, optimizer, 1))

    state = optimizer.state[model[0].weight]
    assert state["exp_avg"][~masks["0.weight"]].count_nonzero() == 0
    assert state["exp_avg_sq"][~masks["0.weight"]].count_nonzero() == 0
    assert state["exp_avg"][masks["0.weight"]].all()
    assert state["step"] == 4


class Counting(SGD):
    """Keeps codes of each weight, and a number for all."""

    @torch.no_grad()
    def step(self):
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter] = {"codes": torch.full(parameter.shape, 7, dtype=torch.uint8), "sum": torch.ones(3)}


def test_what_is_not_a_number_for_each_weight_is_left_in_the_state():
    model = nn.Linear(2, 2)
    optimizer = Counting(model.parameters(), lr=1.0)

    with hold_mask(model, {"weight": torch.eye(2)}):
        optimizer.step()

    assert (optimizer.state[model.weight]["codes"] == 7).all()
    assert optimizer.state[model.weight]["sum"].all()


def test_gradients_are_cleared_before_their_norm_is_taken():
    model, masks = network(), random_masks(2)
    pruned = [~masks["0.weight"], ~masks["2.weight"]]

    with hold_mask(model, masks):
        model(torch.randn(16, 6)).sum().backward()

        assert [int(model[k].weight.grad[which].count_nonzero()) for k, which in zip((0, 2), pruned, strict=True)] == [
            0,
            0,
        ]


def test_a_gradient_that_no_backward_pass_left_there_is_cleared_before_the_step():
    model = nn.Linear(2, 2)
    optimizer = SGD(model.parameters(), lr=1.0, momentum=0.9)

    with hold_mask(model, {"weight": torch.eye(2)}):
        model.weight.grad = torch.ones(2, 2)
        optimizer.step()

    assert optimizer.state[model.weight]["momentum_buffer"].equal(torch.eye(2))


def test_a_parameter_that_is_frozen_for_a_while_is_held_too():
    model = nn.Linear(2, 2)
    model.weight.requires_grad_(False)
    optimizer = SGD(model.parameters(), lr=1.0, weight_decay=0.1)

    with hold_mask(model, {"weight": torch.eye(2)}):
        model.weight.requires_grad_(True)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    assert model.weight.count_nonzero() == 2


def test_after_removal_nothing_is_held_and_no_hook_is_left():
    model, masks = network(), random_masks(3)
    held = hold_mask(model, masks)
    assert held.is_held

    held.remove()
    held.remove()

    assert not held.is_held
    assert not _global_optimizer_post_hooks
    assert not _global_optimizer_pre_hooks
    assert not model[0].weight._post_accumulate_grad_hooks
    list(steps(model, SGD(model.parameters(), lr=0.1), 1))
    assert n_revived(model, masks) > 0


def test_an_error_in_the_block_ends_the_holding():
    with pytest.raises(ZeroDivisionError), hold_mask(network(), random_masks(4)) as held:
        _ = 1 / 0

    assert not held.is_held


def test_other_modules_and_parameters_without_a_mask_are_not_touched():
    model, other, twin = network(), network(), network()

    with hold_mask(model, {"0.weight": random_masks(5)["0.weight"]}):
        for each in (other, twin):
            torch.manual_seed(1)
            list(steps(each, Adam(each.parameters()), 3))
            torch.manual_seed(1)
        list(steps(model, Adam(model.parameters()), 3))

    assert all(map(torch.equal, other.parameters(), twin.parameters()))
    assert model[2].weight.all()


def test_a_step_that_is_no_optimizers_is_followed_by_apply():
    model, masks = network(), random_masks(6)

    with hold_mask(model, masks) as held:
        model[0].weight.data += 1
        held.apply()

        assert n_revived(model, masks) == 0


def test_a_module_may_change_its_type_meanwhile():
    model, masks = network(), random_masks(7)

    with hold_mask(model, masks):
        model.to(torch.bfloat16)
        model(torch.randn(4, 6, dtype=torch.bfloat16)).sum().backward()
        SGD(model.parameters(), lr=0.1, weight_decay=0.1, momentum=0.9).step()

    assert n_revived(model, masks) == 0


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
def test_a_wrapped_module_is_held_under_either_name(wrap):
    model, masks = network(), random_masks(8)
    wrapped = wrap(model)
    optimizer = AdamW(wrapped.parameters(), lr=0.1)
    of_wrapped = {name: masks[name.split(".", 1)[1]] for name, _ in wrapped.named_parameters() if "weight" in name}

    with hold_mask(wrapped, masks), hold_mask(wrapped, of_wrapped), hold_mask(model, of_wrapped):
        list(steps(wrapped, optimizer, 3))

    assert n_revived(model, masks) == 0


def test_a_compiled_backward_pass_is_held_too():
    model, masks = network(), random_masks(10)
    compiled, optimizer = torch.compile(model, backend="aot_eager"), Adam(model.parameters(), lr=0.1)
    list(steps(compiled, optimizer, 2))

    with hold_mask(compiled, masks):
        assert [n_revived(model, masks) for _ in steps(compiled, optimizer, 3)] == [0] * 3


def test_gradients_of_several_passes_may_add_up():
    model, masks = network(), random_masks(11)

    with hold_mask(model, masks):
        losses = [model(torch.randn(4, 6)).sum() for _ in range(2)]
        for loss in losses:
            loss.backward()
        SGD(model.parameters(), lr=0.1).step()

    assert n_revived(model, masks) == 0


def test_a_mask_file_is_held_by_its_path(tmp_path):
    model, masks = network(), random_masks(9)
    packed = {name: pack_mask(mask.numpy(), tuple(mask.shape)) for name, mask in masks.items()}
    write_masks(tmp_path / "mask.safetensors", packed, {})

    for given_as in (tmp_path / "mask.safetensors", str(tmp_path / "mask.safetensors"), packed):
        model = network()
        with hold_mask(model, given_as):
            list(steps(model, SGD(model.parameters(), lr=0.1), 2))
        assert n_revived(model, masks) == 0


def test_the_masks_that_pruning_gives_are_held():
    model = network()
    masks = prune_module(model, PruningOptions(sparsity=0.5)).masks

    with hold_mask(model, masks):
        list(steps(model, Adam(model.parameters()), 3))

    assert n_revived(model, masks) == 0


def test_a_mask_that_does_not_fit_is_refused_and_nothing_is_held():
    model = network()
    before = model[0].weight.clone()

    with pytest.raises(
        OptionError, match=r"'fc' is no parameter of this Sequential, which has 0.weight, 0.bias, 2.weight"
    ):
        hold_mask(model, {"0.weight": torch.zeros(8, 6), "fc": torch.ones(1)})
    with pytest.raises(OptionError, match=r"the mask of '0.weight' has the shape \[6, 8\]; it must be \[8, 6\]"):
        hold_mask(model, {"0.weight": torch.zeros(6, 8)})

    assert model[0].weight.equal(before)
    assert not _global_optimizer_post_hooks


def test_a_path_without_a_mask_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        hold_mask(network(), tmp_path / "mask.safetensors")
