"""The size and density of whole checkpoints, against the files that the commands read and write."""

import json

import pytest
import torch
from conftest import SAMPLES
from safetensors.torch import load_file, save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.choices import View
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.bound import bound_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_with_trainer
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.options import PruningOptions
from topoimp.reports.checkpoint_columns import with_checkpoint_columns
from topoimp.rounds.trainer import parse_trainer

UNTRAINED = parse_trainer('sh -c \'cp "$1" "$3"\' copy {init} {mask} {out}')
HALF = PruningOptions(sparsity=0.5)


def tensors():
    """A convolution and a dense layer that are pruned; an embedding, a bias and a count that are not."""
    torch.manual_seed(0)
    return {
        "conv.weight": torch.randn(6, 4, 3, 3),
        "embed_tokens.weight": torch.randn(50, 8),
        "fc.weight": torch.randn(20, 10).bfloat16(),
        "fc.bias": torch.zeros(20),
        "steps": torch.tensor([3, 4]),
    }


@pytest.fixture
def model(tmp_path):
    save_file(tensors(), tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def test_all_floating_point_numbers_count_and_those_that_are_not_pruned_are_kept(model):
    network = prune_checkpoint(model, HALF).report.network

    assert network["n_checkpoint_weights"] == 6 * 4 * 9 + 50 * 8 + 20 * 10 + 20
    assert network["n_kept"] == 108 + 100
    assert network["checkpoint_density"] == (108 + 100 + 400 + 20) / 836


def test_without_zeros_elsewhere_it_is_the_share_of_nonzero_numbers_in_the_file(model):
    state = {**tensors(), "fc.bias": torch.ones(20)}
    save_file(state, model)

    pruning = prune_checkpoint(model, HALF)

    written = [tensor for name, tensor in load_file(pruning.outputs.checkpoint).items() if name != "steps"]
    n_nonzero = sum(int((tensor != 0).sum()) for tensor in written)
    assert pruning.report.network["checkpoint_density"] == n_nonzero / sum(tensor.numel() for tensor in written)


def test_every_command_that_prunes_or_compares_has_the_same_density(model, tmp_path):
    pruning = prune_checkpoint(model, HALF)
    expected = {name: pruning.report.network[name] for name in ("n_checkpoint_weights", "checkpoint_density")}

    reports = [
        plan_pruning(model, HALF, output=tmp_path / "plan.safetensors").report,
        apply_mask(model, pruning.outputs.mask, output=tmp_path / "by-mask.safetensors").report,
        apply_mask(model, pruning.outputs.mask, repair=True, output=tmp_path / "repaired.safetensors").report,
        comparison_report(model, pruning.outputs.checkpoint),
        comparison_report(model, pruning.outputs.mask),
        comparison_report(model, pruning.outputs.checkpoint, patterns=LayerPatterns(view=View.CHANNEL)),
        prune_with_trainer(model, HALF, trainer=UNTRAINED, rewind="none", output=tmp_path / "run").report,
        comparison_report(tmp_path / "run", rounds=["last"]),
    ]

    for report in reports:
        assert {name: report.network[name] for name in expected} == expected
    assert comparison_report(tmp_path / "run").rounds[0]["checkpoint_density"] == 1  # round 0


def test_shards_and_groups_count_once(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    state = tensors()
    first = {name: state[name] for name in ("conv.weight", "embed_tokens.weight", "fc.bias")}
    second = {"fc.weight": state["fc.weight"]}
    save_file(first, folder / "model-00001-of-00002.safetensors")
    save_file(second, folder / "model-00002-of-00002.safetensors")
    places = {
        name: f"model-0000{k + 1}-of-00002.safetensors" for k, part in enumerate((first, second)) for name in part
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))

    groups = LayerPatterns(groups=(("fc.weight", 2),), exclude=("fc.weight[[]1]",))
    network = prune_checkpoint(folder, PruningOptions(sparsity=0.5, patterns=groups)).report.network

    assert network["n_checkpoint_weights"] == 836
    assert network["checkpoint_density"] == (108 + 50 + 100 + 400 + 20) / 836


def test_tied_tensors_and_a_weight_with_a_mask_beside_it_count_once(tmp_path):
    weight = torch.randn(20, 10)
    torch.save({"a.weight": weight, "b.weight": weight}, tmp_path / "tied.pt")
    torch.save({"fc.weight_orig": torch.randn(4, 5), "fc.weight_mask": torch.ones(4, 5)}, tmp_path / "m.pt")

    assert open_checkpoint(tmp_path / "tied.pt").n_weights == 200
    assert open_checkpoint(tmp_path / "m.pt").n_weights == 20


def test_a_bound_says_which_share_of_the_checkpoint_its_safe_sparsity_prunes(model):
    network = bound_report(model).network

    assert network["n_checkpoint_weights"] == 836
    n_pruned = network["n_weights"] - network["safe_count_global"]
    assert network["safe_sparsity_checkpoint"] == n_pruned / 836
    assert network["safe_sparsity_global"] == n_pruned / 416


def test_a_row_without_a_number_of_kept_weights_has_no_density(model):
    rows = [{"level": "layer", "n_weights": 5}, {"level": "network", "n_weights": 5, "n_kept": None}]

    found = with_checkpoint_columns(rows, open_checkpoint(model))

    assert found == [rows[0], {**rows[1], "n_checkpoint_weights": 836, "checkpoint_density": None}]


@pytest.mark.parametrize(("number", "status"), [("0.4", 3), ("0.6", 0)])
def test_a_gate_looks_at_the_density_of_the_checkpoint(topoimp, lenet, number, status):
    outcome = topoimp("prune", lenet, "--sparsity", 0.5, "--fail-if", f"checkpoint_density>{number}")

    assert outcome.status == status


def test_tables_say_both_densities(topoimp, model, tmp_path):
    pruned = tmp_path / "m.pruned.safetensors"
    line = "density 50.00% of the selected layers, 75.12% of the checkpoint; "

    assert line in topoimp("prune", model, "--sparsity", 0.5).out
    assert line in topoimp("compare", model, pruned).out
    assert "75.12%" in topoimp("compare", model, pruned, pruned).out
    assert "of the selected layers, " in topoimp("bound", SAMPLES / "lenet-5-mnist.safetensors").out
