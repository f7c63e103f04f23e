"""The bytes of written checkpoints and masks, plain and under zstd, against the files themselves."""

import json
import sys

import numpy as np
import pytest
import torch
import zstandard
from safetensors.torch import save_file
from strategies import make_weight

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_with_trainer
from topoimp.errors import OutputError
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer
from topoimp.writing.sizes import compressed_size

UNTRAINED = parse_trainer('sh -c \'cp "$1" "$3"\' copy {init} {mask} {out}')


def unpacked(path):
    """The content of a file after compression by the same settings, and back."""
    packed = zstandard.ZstdCompressor(level=3, threads=1).compress(path.read_bytes())
    return len(packed), zstandard.ZstdDecompressor().decompress(packed)


@pytest.fixture
def model(tmp_path):
    save_file({"fc": torch.from_numpy(make_weight(0, 300, 200, "normal")).float()}, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def test_the_sizes_are_those_of_the_files(model):
    pruning = prune_checkpoint(model, PruningOptions(rounds=3), emit_rounds=[2], compressed_size=True)

    first, second, last = pruning.report.rounds
    names = ("bytes", "bytes_mask", "bytes_zstd")
    assert [first[name] for name in names] == [None, None, None]
    assert (second["bytes"], second["bytes_mask"]) == (pruning.outputs.rounds[2].stat().st_size, None)
    assert (last["bytes"], last["bytes_mask"]) == (
        pruning.outputs.checkpoint.stat().st_size,
        pruning.outputs.mask.stat().st_size,
    )
    assert last["bytes_zstd"] < second["bytes_zstd"] < second["bytes"]
    assert not any(name in row for row in pruning.report.layers for name in names)


def test_the_compressed_size_is_that_of_something_that_unpacks_to_the_file(model):
    pruned = prune_checkpoint(model, PruningOptions(sparsity=0.9), compressed_size=True)

    size, content = unpacked(pruned.outputs.checkpoint)
    assert content == pruned.outputs.checkpoint.read_bytes()
    assert pruned.report.network["bytes_zstd"] == pytest.approx(
        size, rel=0.001
    )  # in one call, its size is in the frame


def test_the_compressed_size_does_not_depend_on_the_number_of_threads(tmp_path):
    weight = np.random.default_rng(0).normal(size=(2500, 2000)).astype(np.float32)
    np.where(np.abs(weight) > 1, weight, 0).tofile(tmp_path / "weights")

    assert len({compressed_size([tmp_path / "weights"], threads) for threads in (0, 1, 2, 3)}) == 1


def test_a_folder_has_the_bytes_of_its_weights_alone(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for number in (1, 2):
        tensor = {f"fc{number}": torch.from_numpy(make_weight(number, 30, 20, "normal"))}
        save_file(tensor, folder / f"model-0000{number}-of-00002.safetensors")
    places = {f"fc{number}": f"model-0000{number}-of-00002.safetensors" for number in (1, 2)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))

    pruning = prune_checkpoint(folder, PruningOptions(sparsity=0.5), compressed_size=True)

    shards = sorted(pruning.outputs.checkpoint.glob("*.safetensors"))
    assert pruning.report.network["bytes"] == sum(shard.stat().st_size for shard in shards)
    assert pruning.report.network["bytes_zstd"] == sum(compressed_size([shard], 2) for shard in shards)


def test_masks_and_trained_rounds_have_sizes_too(model, tmp_path):
    pruned = prune_checkpoint(model, PruningOptions(sparsity=0.5))
    by_mask = apply_mask(model, pruned.outputs.mask, output=tmp_path / "o.safetensors", compressed_size=True).report
    trained = prune_with_trainer(
        model, PruningOptions(rounds=1), trainer=UNTRAINED, rewind="none", output=tmp_path / "run"
    )

    assert "bytes_zstd" not in pruned.report.network
    assert by_mask.network["bytes"] == (tmp_path / "o.safetensors").stat().st_size
    assert by_mask.network["bytes_zstd"] == compressed_size([tmp_path / "o.safetensors"], 1)
    for number, row in enumerate(trained.report.rounds):
        folder = trained.folders[0] / f"round-0{number}"
        assert row["bytes"] == (folder / "model.safetensors").stat().st_size
        assert row["bytes_mask"] == (folder / "mask.safetensors").stat().st_size


def test_the_missing_package_is_named_before_anything_is_written(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)

    with pytest.raises(OutputError, match=r"sizes under zstd need zstandard; install it by: pip install 'topoimp"):
        prune_checkpoint(model, PruningOptions(sparsity=0.5), compressed_size=True)
    assert [path.name for path in model.parent.iterdir()] == ["m.safetensors"]


def test_the_command_line_prints_the_sizes_and_has_gates_on_them(topoimp, model):
    outcome = topoimp("prune", model, "--sparsity", 0.5, "--compressed-size", "--fail-if", "bytes_zstd>1000")

    assert outcome.status == 3
    assert "\nthe checkpoint takes 240." in outcome.out
    assert topoimp("prune", model, "--sparsity", 0.5, "--force", "--fail-if", "bytes_mask>1e6").status == 0
    assert topoimp("prune", model, "--sparsity", 0.5, "--force", "--fail-if", "bytes_zstd>1").status == 2
    assert topoimp("prune", model, "--sparsity", 0.5, "--dry-run", "--compressed-size").status == 2
