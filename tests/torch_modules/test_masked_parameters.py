"""Modules that torch.nn.utils.prune has masks on: pruned through their masks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from outputs import OF_FILES, without_columns
from strategies import FREE_METHODS, KINDS, SEEDS, make_weight
from torch import nn
from torch.nn.utils import prune

from topoimp.choices import Scope
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import CheckpointError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.holding import hold_mask
from topoimp.torch_modules.masked_parameters import mask_buffers, weight_names
from topoimp.torch_modules.masks import rewind_module
from topoimp.torch_modules.pruning import ModulePruner, prune_module, topological_unstructured


def network(seed=0, amount=0.3):
    """Two layers of 12x9 and 7x12 weights with masks, and one of 5x7 without."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(9, 12), nn.ReLU(), nn.Linear(12, 7), nn.Linear(7, 5))
    for number in (0, 2):
        prune.random_unstructured(model[number], "weight", amount=amount)
    return model


def copied(state):
    return {name: tensor.clone() for name, tensor in state.items()}


def test_the_report_counts_the_weights_that_the_module_computes_with():
    model = network()
    before = copied(model.state_dict())

    pruning = prune_module(model, PruningOptions(sparsity=0.7))

    counted = {row["layer"]: row["n_kept"] for row in pruning.report.layers if row["round"] == 6}
    used = {"0.weight": model[0].weight, "2.weight": model[2].weight, "3.weight": model[3].weight}
    assert counted == {name: int(weight.count_nonzero()) for name, weight in used.items()}
    model(torch.zeros(1, 9))
    assert counted == {f"{number}.weight": int(model[number].weight.count_nonzero()) for number in (0, 2, 3)}
    after = model.state_dict()
    changed = {"0.weight_mask", "2.weight_mask", "3.weight"}
    assert {name for name, tensor in before.items() if not after[name].equal(tensor)} == changed
    assert all(pruning.masks[f"{number}.weight"].equal(model[number].weight_mask != 0) for number in (0, 2))


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(KINDS), st.sampled_from(FREE_METHODS), st.sampled_from(list(Scope)))
def test_the_result_is_that_of_the_file_command_on_the_saved_state_dict(tmp_path_factory, seed, kind, method, scope):
    model = network(seed % 2**32)
    with torch.no_grad():
        model[0].weight_orig.copy_(torch.from_numpy(make_weight(seed, 12, 9, kind)))
    path = tmp_path_factory.mktemp("state") / "model.pt"
    torch.save(model.state_dict(), path)
    options = PruningOptions(rounds=2, rate=0.3, method=method, scope=scope)

    of_file = prune_checkpoint(path, options)
    of_module = prune_module(model, options)

    assert of_module.report.rows == without_columns(of_file.report.rows, OF_FILES)
    masks = read_masks(of_file.outputs.mask)
    assert {name: mask.tolist() for name, mask in of_module.masks.items()} == {
        name: mask.kept().tolist() for name, mask in masks.items()
    }
    for number in (0, 2):
        assert (model[number].weight_mask != 0).numpy().tolist() == masks[f"{number}.weight"].kept().tolist()


def test_rounds_with_training_between_them_need_nothing_but_torchs_mask():
    model = network()
    pruner = ModulePruner(model, PruningOptions(rate=0.3))
    counts = []
    for _ in range(3):
        masks = pruner.step().masks
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(16, 9)).square().mean().backward()
            optimizer.step()
        model(torch.zeros(1, 9))
        assert not model[0].weight[~masks["0.weight"]].any()
        counts.append(int(model[0].weight.count_nonzero()))

    assert counts == [53, 37, 26]  # of the 76 weights of round 0 (108, 30 % masked)


def test_torchs_methods_go_on_where_topoimp_stopped_and_the_reverse():
    model = network()
    prune_module(model, PruningOptions(sparsity=0.5))
    n_kept = int(model[0].weight_mask.sum())

    prune.l1_unstructured(model[0], "weight", amount=0.1)
    assert int(model[0].weight_mask.sum()) == n_kept - round(0.1 * n_kept)
    topological_unstructured(model[0], "weight", amount=0.1)
    again = prune_module(model, PruningOptions(rounds=1, method="magnitude", rate=0.25))
    assert again.report.layers[0]["n_kept"] == int(model[0].weight_mask.sum()) == int(model[0].weight.count_nonzero())

    prune.remove(model[0], "weight")
    assert int(model[0].weight.count_nonzero()) == again.report.layers[0]["n_kept"]


def test_masks_mean_a_weight_by_its_name_or_by_that_of_its_original(tmp_path):
    model = network()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    mask = prune_checkpoint(tmp_path / "model.pt", PruningOptions(sparsity=0.8)).outputs.mask
    kept = torch.from_numpy(read_masks(mask)["0.weight"].kept().copy())

    with hold_mask(model, mask):
        model(torch.zeros(1, 9))
        assert not model[0].weight[~kept].any()
    options = PruningOptions(rounds=1, method="magnitude")
    by_original = ModulePruner(model, options, masks={"0.weight_orig": kept})
    assert list(by_original.masks) == ["0.weight"]
    n_edges = int((kept & (model[0].weight != 0)).sum())
    assert by_original.step().report.layers[0]["n_kept"] == round(0.8 * n_edges) == 18


def test_a_rewound_module_stays_within_its_mask_though_its_earlier_mask_kept_more():
    model = network()
    start = copied(model.state_dict())
    pruner = ModulePruner(model, PruningOptions(rate=0.5))
    masks = pruner.step().masks

    rewind_module(model, start, masks)

    model(torch.zeros(1, 9))
    assert (model[0].weight != 0).equal(masks["0.weight"])
    assert int(pruner.step().masks["0.weight"].sum()) == 20  # 76 of 108, halved twice and rounded up; the floor


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
def test_wrappers_are_no_hindrance(wrap):
    plain, model = network(), network()
    wrapped = wrap(model)
    wrapped_part = nn.Sequential(torch.compile(network()[0], backend="eager"))

    expected = prune_module(plain, PruningOptions(sparsity=0.6))
    found = prune_module(wrapped, PruningOptions(sparsity=0.6))

    assert found.report.rows == expected.report.rows
    assert model[0].weight.equal(plain[0].weight)
    part = prune_module(wrapped_part, PruningOptions(sparsity=0.6))
    assert part.report.network["n_kept"] == int(wrapped_part[0]._orig_mod.weight.count_nonzero())


def test_only_buffers_that_are_masks_of_a_parameter_count():
    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.a_orig, self.b_orig = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
            self.c_orig, self.c = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
            for name, shape in {"a_mask": (2, 2), "b_mask": (2,), "c_mask": (2, 2), "d_mask": (2, 2)}.items():
                self.register_buffer(name, torch.ones(shape))

    assert list(mask_buffers(Module())) == ["a"]
    assert weight_names(Module()) == {"a_orig": "a", "b_orig": "b_orig", "c_orig": "c_orig", "c": "c"}


def test_a_mask_that_is_not_of_0_and_1_is_refused_and_nothing_changes():
    model = network()
    model[2].weight_mask[0, 0] = 0.5
    before = copied(model.state_dict())

    with pytest.raises(CheckpointError, match=r"Sequential: tensor '2.weight_mask' holds 0.5 at index 0; as a mask it"):
        prune_module(model, PruningOptions(sparsity=0.5))

    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
