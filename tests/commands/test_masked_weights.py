"""State dicts of modules with the masks of torch.nn.utils.prune on: read, pruned, and loaded by their owners again."""

import json
import sys

import numpy as np
import pytest
import torch
from outputs import without_sizes
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import prune

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_with_trainer
from topoimp.commands.tensor_list import tensor_list
from topoimp.errors import CheckpointError, LayerError, VerificationError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer
from topoimp.writing import pruned_copy


def net(amount=0.4, seed=0):
    """A network whose weights, and one bias, have masks."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(2, 6, 3), nn.Flatten(), nn.Linear(24, 12), nn.ReLU(), nn.Linear(12, 5))
    prune.random_unstructured(model[0], "weight", amount=0.2)
    prune.l1_unstructured(model[2], "weight", amount=amount)
    prune.random_unstructured(model[2], "bias", amount=0.5)
    return model


def folded(plain):
    """A network with its masks made permanent."""
    for module, name in [(plain[0], "weight"), (plain[2], "weight"), (plain[2], "bias")]:
        prune.remove(module, name)
    return plain


@pytest.fixture
def files(tmp_path):
    """The state dict with masks, and that of the same network without them."""
    torch.save(net().state_dict(), tmp_path / "masked.pt")
    torch.save(folded(net()).state_dict(), tmp_path / "plain.pt")
    return tmp_path / "masked.pt", tmp_path / "plain.pt"


def as_safetensors(path):
    save_file(torch.load(path), path.with_suffix(".safetensors"))
    return path.with_suffix(".safetensors")


def outputs_of(model, state):
    """The outputs of a network for some inputs once it has loaded a state dict."""
    model.load_state_dict(state)
    return model(torch.linspace(-1, 1, 96).reshape(3, 2, 4, 4))


def test_every_command_reads_the_product_as_the_layer(files):
    masked, plain = files
    other = prune_checkpoint(plain, PruningOptions(sparsity=0.7)).outputs.checkpoint
    options = BoundOptions(densities=(0.3,))

    assert tensor_list(masked).rows == tensor_list(plain).rows
    assert barcode_report(masked).rows == barcode_report(plain).rows
    assert bound_report(masked, options).rows == bound_report(plain, options).rows
    assert comparison_report(masked, other).rows == comparison_report(plain, other).rows
    assert comparison_report(other, masked).rows == comparison_report(other, plain).rows
    assert comparison_report(plain, masked).network["barcode_kept"] is True


@pytest.mark.parametrize("method", ["topological", "magnitude", "random"])
@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("to_safetensors", [False, True])
def test_a_pruned_file_computes_with_the_pruned_weight_in_its_owners_module(files, method, scope, to_safetensors):
    masked, plain = map(as_safetensors, files) if to_safetensors else files
    options = PruningOptions(rounds=3, rate=0.3, method=method, scope=scope)

    pruned = prune_checkpoint(masked, options)
    expected = prune_checkpoint(plain, options)

    assert without_sizes(pruned.report) == without_sizes(expected.report)
    before, after = torch.load(files[0]), state_of(pruned)
    assert set(after) == set(before)
    changed = {"0.weight_mask", "2.weight_mask", "4.weight"}
    assert {name for name, tensor in before.items() if not after[name].equal(tensor)} == changed
    assert all(after[name].dtype == tensor.dtype for name, tensor in before.items())
    assert outputs_of(net(seed=1), after).equal(outputs_of(folded(net()), state_of(expected)))
    masks = [read_masks(each.outputs.mask) for each in (pruned, expected)]
    assert {name: mask.bits.tolist() for name, mask in masks[0].items()} == {
        name: mask.bits.tolist() for name, mask in masks[1].items()
    }


def state_of(pruning):
    """The state dict of a pruning's output, in whichever format."""
    path = pruning.outputs.checkpoint
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path)


def test_a_pruned_file_is_pruned_further_and_its_rounds_are_those_of_the_network_without_masks(files, tmp_path):
    twice = []
    for number, path in enumerate(files):
        first = prune_checkpoint(path, PruningOptions(rounds=3), emit_rounds=[1, 2])
        assert comparison_report(path, first.outputs.rounds[1]).network["n_kept"] > first.report.network["n_kept"]
        output = tmp_path / f"twice-{number}.safetensors"
        twice.append(prune_checkpoint(first.outputs.checkpoint, PruningOptions(rounds=2), output=output))

    assert without_sizes(twice[0].report) == without_sizes(twice[1].report)
    assert outputs_of(net(seed=1), state_of(twice[0])).equal(outputs_of(folded(net()), state_of(twice[1])))


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.bfloat16])
@pytest.mark.parametrize("weights", [torch.float16, torch.bfloat16, torch.float64])
def test_a_mask_of_any_type_stays_of_its_type(tmp_path, weights, dtype):
    torch.manual_seed(0)
    parts = {"a_orig": torch.randn(30, 20).to(weights), "a_mask": (torch.rand(30, 20) < 0.7).to(dtype)}
    save_file(parts, tmp_path / "m.safetensors")

    pruned = prune_checkpoint(tmp_path / "m.safetensors", PruningOptions(sparsity=0.6))

    after = state_of(pruned)
    assert after["a_orig"].equal(parts["a_orig"])
    assert after["a_mask"].dtype == dtype
    assert after["a_mask"].to(torch.bool).numpy().tolist() == read_masks(pruned.outputs.mask)["a"].kept().tolist()
    assert int(after["a_mask"].to(torch.float64).sum()) == pruned.report.network["n_kept"] == 240


def sharded(state, folder):
    """Save a state dict in shards, each original in another than its mask."""
    shards = {"1": [name for name in state if "_mask" not in name], "2": [name for name in state if "_mask" in name]}
    places = {name: f"model-{number}.safetensors" for number, names in shards.items() for name in names}
    folder.mkdir()
    for number, names in shards.items():
        save_file({name: state[name] for name in names}, folder / f"model-{number}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def test_the_two_parts_may_lie_in_different_shards(files, tmp_path):
    folder = sharded(torch.load(files[0]), tmp_path / "model")
    options = PruningOptions(sparsity=0.8)

    pruned, expected = prune_checkpoint(folder, options), prune_checkpoint(files[1], options)

    assert without_sizes(pruned.report) == without_sizes(expected.report)
    first, second = (load_file(pruned.outputs.checkpoint / f"model-{number}.safetensors") for number in (1, 2))
    before = load_file(folder / "model-1.safetensors")
    assert {name for name, tensor in before.items() if not first[name].equal(tensor)} == {"4.weight"}
    assert outputs_of(net(seed=1), first | second).equal(outputs_of(folded(net()), state_of(expected)))


def test_only_the_mask_of_pruned_groups_changes(tmp_path):
    torch.manual_seed(0)
    parts = {"a_orig": torch.randn(3, 7, 5), "a_mask": (torch.rand(3, 7, 5) < 0.7).float()}
    parts["a_orig"][2, 0, :3] = 0  # a mask may be 1 where the weight is 0
    parts["a_mask"][2, 0, :3] = 1
    save_file(parts, tmp_path / "m.safetensors")
    patterns = LayerPatterns(groups=(("a", 3),), include=(r"re:\[1\]$",))

    pruned = prune_checkpoint(tmp_path / "m.safetensors", PruningOptions(sparsity=0.6, patterns=patterns))

    after = state_of(pruned)
    assert after["a_orig"].equal(parts["a_orig"])
    assert after["a_mask"][[0, 2]].equal(parts["a_mask"][[0, 2]])
    assert int(after["a_mask"][1].sum()) == pruned.report.network["n_kept"] == 14
    product = parts["a_orig"] * parts["a_mask"]
    kept = read_masks(pruned.outputs.mask)["a"].kept()
    assert (kept[[0, 2]] == (product[[0, 2]] != 0).numpy()).all()


def test_a_ticket_has_the_earlier_weights_and_a_mask_that_revives_none(files, tmp_path):
    earlier = net(amount=0.6, seed=1)
    torch.save(earlier.state_dict(), tmp_path / "earlier.pt")
    output = tmp_path / "ticket.safetensors"

    ticket = prune_checkpoint(
        files[0], PruningOptions(sparsity=0.7), rewind_from=tmp_path / "earlier.pt", output=output
    )

    after, masks = load_file(output), read_masks(ticket.outputs.mask)
    for name in ("0.weight", "2.weight"):
        kept = torch.tensor(masks[name].kept())
        before = earlier.state_dict()[f"{name}_mask"]
        assert after[f"{name}_orig"].equal(earlier.state_dict()[f"{name}_orig"])
        assert after[f"{name}_mask"].equal(before * kept)
        assert (kept & (before == 0)).any()


def test_a_mask_or_the_zeros_of_a_network_with_masks_serve_one_without_and_the_reverse(files, tmp_path):
    masked, plain = files
    pruned = prune_checkpoint(masked, PruningOptions(sparsity=0.8))

    by_zeros = apply_mask(plain, pruned.outputs.checkpoint, output=tmp_path / "a.safetensors")
    by_mask = apply_mask(masked, pruned.outputs.mask, output=tmp_path / "b.safetensors")
    shuffled = apply_mask(
        plain, pruned.outputs.checkpoint, shuffle_mask="edges", seed=1, output=tmp_path / "c.safetensors"
    )

    assert outputs_of(folded(net()), state_of(by_zeros)).equal(outputs_of(net(), state_of(pruned)))
    assert outputs_of(net(), state_of(by_mask)).equal(outputs_of(net(), state_of(pruned)))
    assert shuffled.report.network["n_kept"] == pruned.report.network["n_kept"]


def test_tied_weights_with_tied_masks_are_pruned_once(tmp_path):
    torch.manual_seed(0)
    original, mask = torch.randn(30, 20), torch.ones(30, 20)
    torch.save(
        {f"{name}_{part}": each for name in "ab" for part, each in (("orig", original), ("mask", mask))},
        tmp_path / "tied.pt",
    )

    pruned = prune_checkpoint(tmp_path / "tied.pt", PruningOptions(sparsity=0.7), output=tmp_path / "o.safetensors")

    after = state_of(pruned)
    assert {row["layer"] for row in pruned.report.layers} == {"a"}
    assert after["a_mask"].equal(after["b_mask"])
    assert int(after["b_mask"].sum()) == 180
    assert after["b_orig"].equal(original)


def test_a_tensor_that_shares_the_data_of_an_original_is_left_alone(tmp_path):
    original = torch.randn(30, 20)
    torch.save({"a": original, "b_orig": original, "b_mask": torch.ones(30, 20)}, tmp_path / "tied.pt")

    pruned = prune_checkpoint(tmp_path / "tied.pt", PruningOptions(sparsity=0.7), output=tmp_path / "o.safetensors")

    assert {row["layer"] for row in pruned.report.layers} == {"b"}
    assert pruned.report.left_out == {"a": "tied to b_orig, and looked at there"}
    assert state_of(pruned)["a"].equal(original)


TRAINER = """
import sys, torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import prune
init, _, out = sys.argv[1:]
model = nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 5))
for module in (model[0], model[2]):
    prune.identity(module, "weight")
model.load_state_dict(load_file(init))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
torch.manual_seed(0)
for _ in range(5):
    optimizer.zero_grad()
    model(torch.randn(8, 20)).square().mean().backward()
    optimizer.step()
save_file(model.state_dict(), out)
"""


def test_a_trainer_that_holds_the_masks_by_torchs_own_means_trains_rounds(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 5))
    for module in (model[0], model[2]):
        prune.l1_unstructured(module, "weight", amount=0.3)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "trainer.py").write_text(TRAINER)
    trainer = parse_trainer(f"{sys.executable} {tmp_path / 'trainer.py'} {{init}} {{mask}} {{out}}")

    pruning = prune_with_trainer(
        tmp_path / "model.safetensors", PruningOptions(rounds=2, rate=0.3), trainer=trainer, rewind="none"
    )

    (folder,) = pruning.folders
    last = load_file(folder / "round-02" / "model.safetensors")
    masks = read_masks(folder / "round-02" / "mask.safetensors")
    kept = {name: last[f"{name}_mask"].bool().numpy().tolist() for name in masks}
    assert {name: mask.kept().tolist() for name, mask in masks.items()} == kept
    assert pruning.report.rows[-1]["n_kept"] == int(last["0.weight_mask"].sum() + last["2.weight_mask"].sum()) == 103
    assert comparison_report(folder.parent.parent).rows


@pytest.mark.parametrize("value", [0.5, 2.0])
def test_a_mask_that_is_not_of_0_and_1_is_refused_by_every_command(files, value):
    state = torch.load(files[0])
    state["2.weight_mask"][0, 3] = value
    torch.save(state, files[0])
    message = f"masked.pt: tensor '2.weight_mask' holds {value:g} at index 3; as a mask it needs 0 and 1 alone"

    for command in (barcode_report, bound_report):
        with pytest.raises(CheckpointError, match=message):
            command(files[0])
    for paths in (files, files[::-1]):
        with pytest.raises(CheckpointError, match=message):
            comparison_report(*paths)
    with pytest.raises(CheckpointError, match=message):
        prune_checkpoint(files[0], PruningOptions(sparsity=0.8))
    assert barcode_report(files[0], patterns=LayerPatterns(exclude=("2.weight",))).network["beta0"] >= 2


def test_nan_under_a_mask_is_refused_as_the_network_computes_nan(files):
    state = torch.load(files[0])
    state["2.weight_orig"][0, 3] = float("nan")
    state["2.weight_mask"][0, 3] = 0
    torch.save(state, files[0])

    with pytest.raises(LayerError, match=r"masked.pt: tensor '2.weight' holds 1 NaN, the first at index 3"):
        barcode_report(files[0])


def test_one_part_without_the_other_is_a_tensor_like_any_other(tmp_path):
    torch.save({"a_orig": torch.ones(3, 3), "b_mask": torch.ones(3, dtype=torch.bool)}, tmp_path / "m.pt")

    assert [row["layer"] for row in tensor_list(tmp_path / "m.pt").rows] == ["a_orig", "b_mask"]
    assert list(open_checkpoint(tmp_path / "m.pt").tensors) == ["a_orig", "b_mask"]


@pytest.mark.parametrize(
    ("part", "message"),
    [("original", "tensor 'a_orig' changed, though it was not pruned"), ("mask", "'a_mask' is not the mask that was")],
)
def test_a_part_that_was_written_wrongly_is_noticed(tmp_path, monkeypatch, part, message):
    torch.manual_seed(0)
    original = torch.randn(30, 20)
    original[0] = 0  # so that the product does not tell
    save_file({"a_orig": original, "a_mask": torch.ones(30, 20)}, tmp_path / "m.safetensors")

    class DamagedCopy(pruned_copy.CheckpointCopy):
        def write(self, name, start, data):
            super().write(name, start, np.zeros_like(data) if name == f"a_{part[:4]}" else data)

    if part == "mask":
        monkeypatch.setattr(pruned_copy, "pruned_mask", lambda _c, _w, _i, _s, kept: ones_in_row_0(kept))
    else:
        monkeypatch.setattr(pruned_copy, "CheckpointCopy", DamagedCopy)
    with pytest.raises(VerificationError, match=message):
        prune_checkpoint(tmp_path / "m.safetensors", PruningOptions(sparsity=0.5))
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def ones_in_row_0(kept):
    """A mask, as stored, that keeps zeros which were not kept."""
    wrong = kept.copy()
    wrong[:20] = True
    return wrong.astype(np.float32).view(np.uint8)
