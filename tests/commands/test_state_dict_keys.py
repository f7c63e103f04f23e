"""``--key``: which state dict of a PyTorch file every command reads, and that it says so."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from topoimp.checkpoint import open_checkpoint, open_checkpoints
from topoimp.errors import OptionError


def weights(seed):
    generator = torch.Generator().manual_seed(seed)
    return {"fc.weight": torch.randn(5, 4, generator=generator), "fc.bias": torch.randn(5, generator=generator)}


RAW, AVERAGE = weights(0), weights(1)


@pytest.fixture
def trained(tmp_path):
    """A checkpoint of a training script, with the weights and their moving average."""
    torch.save({"model": RAW, "ema": AVERAGE, "epoch": 3}, tmp_path / "m.pt")
    return tmp_path / "m.pt"


@pytest.fixture
def gan(tmp_path):
    torch.save({"generator": RAW, "discriminator": AVERAGE}, tmp_path / "gan.pt")
    return tmp_path / "gan.pt"


@pytest.mark.parametrize("arguments", [["barcode"], ["barcode", "--list"], ["bound"], ["prune", "--rounds", "1"]])
def test_the_state_dict_that_was_read_is_said_on_stderr_and_in_the_report(topoimp, trained, arguments):
    outcome = topoimp(*arguments, trained, "--format", "json")

    report = json.loads(outcome.out)
    assert outcome.status == 0
    assert (
        "left out as other state dicts of the file: ema, 1 in all; model was read (--key reads another)" in outcome.err
    )
    assert outcome.err.count("state dict") == 1  # in this one line
    assert report["settings"]["key"] == "model"
    assert report["left_out"]["ema"] == "another state dict of the file"


@pytest.mark.parametrize("arguments", [["barcode"], ["bound"], ["prune", "--rounds", "1", "--force"]])
def test_another_state_dict_gives_what_a_file_of_its_own_gives(topoimp, trained, tmp_path, arguments):
    save_file({name: value.numpy() for name, value in AVERAGE.items()}, tmp_path / "own.safetensors")

    by_key = json.loads(topoimp(*arguments, trained, "--key", "ema", "--format", "json").out)
    alone = json.loads(topoimp(*arguments, tmp_path / "own.safetensors", "--format", "json").out)

    assert by_key["settings"]["key"] == "ema"
    assert by_key["layers"] == alone["layers"]
    assert by_key["left_out"]["model"] == "another state dict of the file"


@pytest.mark.parametrize("arguments", [["barcode"], ["barcode", "--list"], ["bound"], ["prune", "--rounds", "1"]])
def test_without_a_usual_key_one_must_be_named(topoimp, gan, arguments):
    without = topoimp(*arguments, gan)
    wrong = topoimp(*arguments, gan, "--key", "critic")
    right = topoimp(*arguments, gan, "--key", "discriminator")

    assert (without.status, wrong.status, right.status) == (1, 2, 0)
    assert "gan.pt: holds several state dicts (generator, discriminator); --key names the one to read" in without.err
    assert "gan.pt has no such state dict; its state dicts are generator, discriminator" in wrong.err


def test_one_state_dict_needs_no_key_and_no_note(topoimp, tmp_path):
    torch.save({"state_dict": RAW, "optimizer": {"state": {}, "param_groups": []}}, tmp_path / "m.pt")

    outcome = topoimp("barcode", tmp_path / "m.pt", "--format", "json")

    assert outcome.err == "tensors left out: 1 (one axis)\n"
    assert "key" not in json.loads(outcome.out)["settings"]


def test_a_pruned_safetensors_file_holds_the_state_dict_that_was_named(topoimp, trained, tmp_path):
    outcome = topoimp("prune", trained, "--key", "ema", "--sparsity", 0.3, "-o", tmp_path / "out.safetensors")

    pruned = load_file(tmp_path / "out.safetensors")["fc.weight"]
    assert outcome.status == 0
    assert np.array_equal(pruned[pruned != 0], AVERAGE["fc.weight"].numpy()[pruned != 0])


@pytest.mark.parametrize(("key", "other"), [("model", "ema"), ("ema", "model")])
def test_a_pruned_pytorch_file_keeps_the_other_state_dict_as_it_was(topoimp, trained, key, other):
    outcome = topoimp("prune", trained, "--key", key, "--sparsity", 0.3)

    before, after = torch.load(trained), torch.load(trained.with_name("m.pruned.pt"))
    assert outcome.status == 0
    assert int((after[key]["fc.weight"] == 0).sum()) == 6  # 0.3 of 20 weights
    assert torch.equal(after[key]["fc.bias"], before[key]["fc.bias"])
    assert all(torch.equal(after[other][name], before[other][name]) for name in before[other])
    assert after["epoch"] == 3


@pytest.mark.parametrize("key", ["model", "ema"])
def test_a_ticket_has_the_earlier_weights_below_the_same_key(topoimp, trained, tmp_path, key):
    earlier = {"model": weights(2), "ema": weights(3)}
    torch.save(earlier, tmp_path / "earlier.pt")
    out = tmp_path / "ticket.safetensors"

    outcome = topoimp(
        *("prune", trained, "--key", key, "--rewind-from", tmp_path / "earlier.pt", "--sparsity", 0.3, "-o", out)
    )

    ticket, initial = load_file(out)["fc.weight"], earlier[key]["fc.weight"].numpy()
    assert outcome.status == 0
    assert int((ticket == 0).sum()) == 6
    assert np.array_equal(ticket[ticket != 0], initial[ticket != 0])


@pytest.mark.parametrize("key", ["model", "ema"])
def test_a_mask_is_applied_to_the_state_dict_that_was_named(topoimp, trained, tmp_path, key):
    save_file({"fc.weight": np.tri(5, 4, dtype=np.float32)}, tmp_path / "mask.safetensors")
    out = tmp_path / "out.safetensors"

    outcome = topoimp("prune", trained, "--key", key, "--apply-mask", tmp_path / "mask.safetensors", "-o", out)

    expected = {"model": RAW, "ema": AVERAGE}[key]["fc.weight"].numpy() * np.tri(5, 4, dtype=np.float32)
    assert outcome.status == 0
    assert np.array_equal(load_file(out)["fc.weight"], expected)


@pytest.mark.parametrize("key", ["model", "ema"])
def test_a_mask_is_read_below_the_same_key_if_it_has_it(topoimp, trained, tmp_path, key):
    masks = {"model": torch.eye(5, 4), "ema": 1 - torch.eye(5, 4)}
    torch.save({name: {"fc.weight": mask} for name, mask in masks.items()}, tmp_path / "mask.pt")
    out = tmp_path / "out.safetensors"

    outcome = topoimp("prune", trained, "--key", key, "--apply-mask", tmp_path / "mask.pt", "-o", out)

    expected = {"model": RAW, "ema": AVERAGE}[key]["fc.weight"] * masks[key]
    assert outcome.status == 0
    assert np.array_equal(load_file(out)["fc.weight"], expected.numpy())


def test_a_mask_beside_its_state_dict_is_the_one_that_is_applied(topoimp, trained, tmp_path):
    torch.save({"state_dict": RAW, "mask": {"fc.weight": torch.eye(5, 4)}}, tmp_path / "both.pt")
    out = tmp_path / "out.safetensors"

    outcome = topoimp("prune", trained, "--apply-mask", tmp_path / "both.pt", "-o", out)

    assert np.array_equal(load_file(out)["fc.weight"], (RAW["fc.weight"] * torch.eye(5, 4)).numpy())
    passed_over = "left out as other state dicts of the file: state_dict, 1 in all; mask was read (--key reads another)"
    assert f"both.pt: {passed_over}" in outcome.err


def test_compare_reads_the_key_where_there_is_one(topoimp, trained, tmp_path):
    save_file({name: value.numpy() for name, value in AVERAGE.items()}, tmp_path / "own.safetensors")

    same = topoimp("compare", trained, tmp_path / "own.safetensors", "--key", "ema", "--format", "json")
    other = topoimp("compare", tmp_path / "own.safetensors", trained, "--format", "json")

    assert json.loads(same.out)["network"]["sorted_linf"] == 0
    assert json.loads(same.out)["settings"]["key"] == "ema"
    assert json.loads(other.out)["network"]["sorted_linf"] > 0
    assert json.loads(other.out)["left_out"][f"{trained}: ema"] == "another state dict of the file"


def test_a_key_that_no_checkpoint_has_is_refused(trained, gan, write):
    plain = write({"a": np.ones((2, 2))})

    with pytest.raises(OptionError, match="its state dicts are model, ema"):
        open_checkpoints(plain, [trained], key="generator")
    with pytest.raises(OptionError, match=r"model.safetensors is no PyTorch file"):
        open_checkpoints(plain, [plain], key="ema")
    assert [file.key for file in open_checkpoints(plain, [gan], key="generator")] == [None, "generator"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bound", "--arch", "lenet-5"], "--key, --include, .* are about a CHECKPOINT; --arch has none"),
        (
            ["prune", "{trained}", "--trainer", "x {init} {mask} {out}"],
            "--key does not go with rounds that are trained",
        ),
        (["barcode", "{own}"], "--key is 'ema', and .*own.safetensors is no PyTorch file"),
    ],
)
def test_a_key_is_refused_where_it_means_nothing(topoimp, trained, tmp_path, arguments, message):
    save_file({"a": np.ones((2, 2), np.float32)}, tmp_path / "own.safetensors")
    places = {"{trained}": trained, "{own}": tmp_path / "own.safetensors"}

    outcome = topoimp(*(places.get(word, word) for word in arguments), "--key", "ema")

    assert outcome.status == 2
    assert re.search(message, outcome.err), outcome.err


def test_tensors_that_no_index_names_are_said_and_left_out_of_a_copy(topoimp, tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    ones = np.ones((3, 4), np.float32)
    save_file({"a.weight": ones}, folder / names[0])
    save_file({"stale.weight": ones, "b.weight": 2 * ones, "a.weight": 3 * ones}, folder / names[1])
    index = {"weight_map": {"a.weight": names[0], "b.weight": names[1]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    outcome = topoimp("prune", folder, "--sparsity", 0.4, "--format", "json")

    said = f"left out as the index does not name them: {names[1]}: a.weight, {names[1]}: stale.weight, 2 in all"
    assert outcome.status == 0
    assert said in outcome.err
    assert json.loads(outcome.out)["left_out"][f"{names[1]}: stale.weight"] == "not in the index"
    pruned = open_checkpoint(tmp_path / "m.pruned")
    assert sorted(pruned.tensors) == ["a.weight", "b.weight"]
    assert pruned.unindexed == []
    assert set(load_file(tmp_path / "m.pruned" / names[1])) == {"b.weight"}
