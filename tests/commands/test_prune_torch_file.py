"""Pruning a PyTorch file gives a PyTorch file that its owner's code loads as before, or a safetensors file if asked."""

import argparse
import zipfile

import pytest
import torch
import torch.nn.utils.prune
from safetensors.torch import load_file, save_file
from torch_files import random_tensors

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.compare import comparison_report
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import CheckpointError, OptionError, OutputError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.BatchNorm1d(20), torch.nn.Linear(20, 9))


@pytest.fixture
def training(tmp_path):
    """A training script's file: a network, its optimizer, and other things."""
    network = model()
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.randn(8, 30)).sum().backward()
    optimizer.step()
    content = {
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "config": {"alphabet": "abc", "widths": (30, 20, 9)},
    }
    torch.save(content, tmp_path / "training.pt")
    return tmp_path / "training.pt"


def assert_masked(after, before, masks):
    """Kept weights are bit for bit what they were, and the others +0.0."""
    for name, mask in masks.items():
        kept = torch.from_numpy(mask.kept().copy())
        expected = torch.where(kept, before[name], torch.zeros((), dtype=before[name].dtype))
        assert after[name].stride() == before[name].stride()
        assert after[name].contiguous().view(torch.uint8).equal(expected.contiguous().view(torch.uint8))


def test_the_owners_code_loads_the_pruned_file_as_it_loaded_the_old_one(training):
    pruning = prune_checkpoint(training, PruningOptions(sparsity=0.7))

    before, after = (torch.load(path) for path in (training, pruning.outputs.checkpoint))
    assert pruning.outputs.checkpoint.name == "training.pruned.pt"
    assert list(after) == list(before)
    assert (after["epoch"], after["config"]) == (3, {"alphabet": "abc", "widths": (30, 20, 9)})
    assert after["state_dict"]._metadata == before["state_dict"]._metadata
    masks = read_masks(pruning.outputs.mask)
    assert set(masks) == {"0.weight", "2.weight"}
    assert_masked(after["state_dict"], before["state_dict"], masks)
    for name in set(before["state_dict"]) - set(masks):
        assert torch.equal(after["state_dict"][name], before["state_dict"][name])
    network = model()
    network.load_state_dict(after["state_dict"])
    optimizer = torch.optim.Adam(network.parameters())
    optimizer.load_state_dict(after["optimizer"])
    for state, same in zip(
        before["optimizer"]["state"].values(), optimizer.state_dict()["state"].values(), strict=True
    ):
        assert torch.equal(same["exp_avg"], state["exp_avg"])
    assert pruning.not_copied == []
    assert comparison_report(training, pruning.outputs.checkpoint).network["barcode_kept"] is True
    with zipfile.ZipFile(pruning.outputs.checkpoint) as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("is_zip", [True, False])
def test_views_ties_and_types_of_both_formats_are_pruned_where_they_are(tmp_path, is_zip, scope):
    before = random_tensors(1, is_zip=is_zip)
    torch.save({"model": before}, tmp_path / "m.pth", _use_new_zipfile_serialization=is_zip)

    pruning = prune_checkpoint(tmp_path / "m.pth", PruningOptions(sparsity=0.4, scope=scope), threads=2)

    after = torch.load(pruning.outputs.checkpoint)["model"]
    masks = read_masks(pruning.outputs.mask)
    pruned = {"turned", "fused.first", "fused.second", "conv", "one", "other", "parameter", "plain.bfloat16"}
    assert set(masks) >= pruned
    assert_masked(after, before, masks)
    assert after["one"].data_ptr() == after["other"].data_ptr()
    assert torch.equal(after["complex"], before["complex"])
    assert torch.equal(after["sparse"].to_dense(), torch.eye(3))


def test_a_pytorch_file_and_a_safetensors_file_get_the_same_weights(training, tmp_path):
    as_torch = prune_checkpoint(training, PruningOptions(sparsity=0.7))
    pruning = prune_checkpoint(training, PruningOptions(sparsity=0.7), output=tmp_path / "new.safetensors")

    written = load_file(tmp_path / "new.safetensors")
    same = torch.load(as_torch.outputs.checkpoint)["state_dict"]
    assert set(written) == set(same)
    assert all(torch.equal(written[name], same[name]) for name in same)
    assert pruning.outputs.mask.read_bytes() == as_torch.outputs.mask.read_bytes()
    assert pruning.not_copied == ["optimizer", "epoch", "config"]


@pytest.mark.parametrize("name", ["model.pt", "pytorch_model.bin"])
def test_a_pytorch_file_becomes_a_safetensors_file_if_its_output_is_named_so(tmp_path, name):
    torch.manual_seed(0)
    shared = torch.randn(20, 30)
    state = {
        "a.weight": shared,
        "b.weight": shared,
        "c.weight": torch.randn(8, 9, dtype=torch.float64).T,
        "bias": torch.ones(3),
    }
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / name)

    pruning = prune_checkpoint(tmp_path / name, PruningOptions(rounds=4), output=tmp_path / "new.safetensors")

    after = load_file(pruning.outputs.checkpoint)
    assert set(after) == set(state)
    assert torch.equal(after["a.weight"], after["b.weight"])
    assert torch.equal(after["bias"], state["bias"])
    masks = read_masks(pruning.outputs.mask)
    assert set(masks) == {"a.weight", "b.weight", "c.weight"}
    for key, mask in masks.items():
        kept = torch.from_numpy(mask.kept().copy())
        assert torch.equal(after[key], torch.where(kept, state[key], torch.zeros((), dtype=state[key].dtype)))
    assert pruning.not_copied == ["epoch"]
    again = apply_mask(pruning.outputs.checkpoint, pruning.outputs.mask)
    assert load_file(again.outputs.checkpoint)["c.weight"].equal(after["c.weight"])
    assert comparison_report(tmp_path / name, pruning.outputs.checkpoint).network["barcode_kept"] is True


@pytest.mark.parametrize(
    ("name", "output", "written"),
    [
        ("model.pt", None, "model.pruned.pt"),
        ("pytorch_model.bin", None, "pytorch_model.pruned.bin"),
        ("last.ckpt", None, "last.pruned.ckpt"),
        ("v1.weights", None, "v1.pruned.weights"),
        ("weights", None, "weights.pruned"),
        ("model.pt", "out.pth", "out.pth"),
        ("weights", "sparse", "sparse"),
        ("v1.weights", "v2.weights", "v2.weights"),
    ],
)
def test_names_follow_the_input_or_the_output(training, tmp_path, name, output, written):
    path = training.rename(tmp_path / name)

    given = None if output is None else tmp_path / output
    pruning = prune_checkpoint(path, PruningOptions(rounds=2), output=given, emit_rounds=[1])

    stem, dot, ending = written.rpartition(".")
    if written == "weights.pruned" or not dot:
        stem, dot, ending = written, "", ""
    assert {file.name for file in tmp_path.iterdir()} - {name} == {
        written,
        f"{stem}.mask.safetensors",
        f"{stem}.csv",
        f"{stem}.round-01{dot}{ending}",
    }
    assert pruning.outputs.checkpoint == tmp_path / written
    assert set(torch.load(tmp_path / f"{stem}.round-01{dot}{ending}")) == {"state_dict", "optimizer", "epoch", "config"}


def test_a_name_of_another_kind_is_refused(training, lenet, tmp_path):
    with pytest.raises(
        OptionError,
        match=r"named .*out.onnx; the name of a checkpoint ends in .pt, .pth, .bin, .ckpt or .safetensors$",
    ):
        prune_checkpoint(training, PruningOptions(rounds=1), output=tmp_path / "out.onnx")
    with pytest.raises(OptionError, match=r"named .*out.pt; the name of a checkpoint ends in .safetensors$"):
        prune_checkpoint(lenet, PruningOptions(rounds=1), output=tmp_path / "out.pt")


def test_an_existing_file_is_replaced_by_force_alone(training):
    prune_checkpoint(training, PruningOptions(rounds=1))

    with pytest.raises(OutputError, match=r"training.pruned.*: exists already; `force` replaces it"):
        prune_checkpoint(training, PruningOptions(rounds=5))
    pruning = prune_checkpoint(training, PruningOptions(rounds=5), force=True)

    after = torch.load(pruning.outputs.checkpoint)["state_dict"]
    assert after["0.weight"].count_nonzero() == round(600 * 0.8**5)


def test_a_mask_is_applied_in_the_file_too(training, tmp_path):
    mask = prune_checkpoint(training, PruningOptions(sparsity=0.7), output=tmp_path / "a.pt").outputs.mask

    again = apply_mask(training, mask, output=tmp_path / "b.pt")

    assert again.outputs.checkpoint.read_bytes() == (tmp_path / "a.pt").read_bytes()


def test_tensors_that_share_a_part_of_their_bytes_become_a_safetensors_file_or_nothing(tmp_path):
    torch.manual_seed(0)
    base = torch.randn(20, 30)
    torch.save({"whole": base, "part": base[:10]}, tmp_path / "m.pt")

    with pytest.raises(
        CheckpointError, match=r"tensors 'whole' and 'part' share a part of their bytes; `output` can end"
    ):
        prune_checkpoint(tmp_path / "m.pt", PruningOptions(rounds=3))
    assert [file.name for file in tmp_path.iterdir()] == ["m.pt"]

    pruning = prune_checkpoint(tmp_path / "m.pt", PruningOptions(rounds=3), output=tmp_path / "m.safetensors")
    assert_masked(
        load_file(tmp_path / "m.safetensors"), {"whole": base, "part": base[:10]}, read_masks(pruning.outputs.mask)
    )


@pytest.mark.parametrize(
    ("trained", "earlier"), [("a.pt", "b.pt"), ("a.safetensors", "b.pt"), ("a.pt", "b.safetensors")]
)
def test_a_ticket_is_a_copy_of_the_earlier_file(tmp_path, trained, earlier):
    torch.manual_seed(0)
    weights = {name: {"w": torch.randn(20, 30), "b": torch.randn(3)} for name in (trained, earlier)}
    for name, tensors in weights.items():
        if name.endswith(".pt"):
            torch.save({"model": tensors, "step": 0 if name == earlier else 9}, tmp_path / name)
        else:
            save_file(tensors, tmp_path / name)

    pruning = prune_checkpoint(tmp_path / trained, PruningOptions(sparsity=0.8), rewind_from=tmp_path / earlier)

    path = pruning.outputs.checkpoint
    assert path.name == f"a.pruned{(tmp_path / earlier).suffix}"
    ticket = torch.load(path) if path.suffix == ".pt" else {"model": load_file(path), "step": 0}
    assert ticket["step"] == 0
    assert_masked(ticket["model"], weights[earlier], read_masks(pruning.outputs.mask))
    assert torch.equal(ticket["model"]["b"], weights[earlier]["b"])


def test_a_plan_knows_the_size_of_the_file(training):
    plan = plan_pruning(training, PruningOptions(rounds=1))

    assert plan.bytes_to_write == training.stat().st_size + (600 + 7) // 8 + (180 + 7) // 8
    assert plan.existing == []


def test_objects_that_are_not_loaded_stay_for_the_owner_and_only_the_read_state_dict_is_pruned(tmp_path):
    torch.manual_seed(0)
    weights = {name: {"w": torch.randn(20, 30)} for name in ("net", "average")}
    content = {"args": argparse.Namespace(width=3), "model": {"state_dict": weights["net"], "ema": weights["average"]}}
    torch.save(content, tmp_path / "m.pt")

    pruning = prune_checkpoint(tmp_path / "m.pt", PruningOptions(sparsity=0.5))

    after = torch.load(pruning.outputs.checkpoint, weights_only=False)
    assert after["args"] == argparse.Namespace(width=3)
    assert_masked(after["model"]["state_dict"], weights["net"], read_masks(pruning.outputs.mask))
    assert torch.equal(after["model"]["ema"]["w"], weights["average"]["w"])


def test_a_pytorch_file_named_safetensors_becomes_what_its_name_says(training, tmp_path):
    path = training.rename(tmp_path / "m.safetensors")

    pruning = prune_checkpoint(path, PruningOptions(rounds=1))

    assert set(load_file(pruning.outputs.checkpoint)) == set(model().state_dict())
    assert pruning.outputs.checkpoint == tmp_path / "m.pruned.safetensors"


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_module_pruned_by_torch_gets_its_masks_exchanged(tmp_path, is_zip):
    network = model()
    torch.nn.utils.prune.random_unstructured(network[0], "weight", amount=0.3)
    torch.save({"net": network.state_dict(), "epoch": 3}, tmp_path / "m.pt", _use_new_zipfile_serialization=is_zip)

    pruning = prune_checkpoint(tmp_path / "m.pt", PruningOptions(sparsity=0.7))

    after = torch.load(pruning.outputs.checkpoint)["net"]
    same = {name for name, tensor in network.state_dict().items() if torch.equal(tensor, after[name])}
    assert set(after) - same == {"0.weight_mask", "2.weight"}
    before = network[0].weight.detach() + 0.0  # torch's products are -0.0 as well
    network.load_state_dict(after)
    network(torch.randn(4, 30))
    masks = read_masks(pruning.outputs.mask)
    assert_masked({"0.weight": network[0].weight.detach() + 0.0}, {"0.weight": before}, {"0.weight": masks["0.weight"]})
