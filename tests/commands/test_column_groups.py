"""Groups of columns against the oracle of a checkpoint that has a tensor of its own for each block of columns."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from outputs import without_sizes
from safetensors.torch import load_file, save_file
from strategies import FREE_METHODS, KINDS, SEEDS, make_weight

from topoimp import LayerPatterns, layer_names, open_checkpoint, read_layer
from topoimp.choices import Scope, View
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_with_trainer
from topoimp.errors import CheckpointError, VerificationError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer
from topoimp.writing import pruned_copy

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]

UNTRAINED = parse_trainer('sh -c \'cp "$1" "$3"\' copy {init} {mask} {out}')
"""A trainer that returns the weights that it is given."""


def packed(seed, n_rows, n_groups, width, kind="normal", dtype=torch.float32):
    """Blocks of columns side by side."""
    return torch.from_numpy(make_weight(seed, n_rows, n_groups * width, kind)).to(dtype)


def two_files(folder, tensor, n_groups):
    """The packed checkpoint, and the same with a tensor for each block; both have another layer."""
    folder.mkdir(exist_ok=True)
    other = torch.from_numpy(make_weight(7, 3, 5, "normal")).to(tensor.dtype)
    blocks = {f"w[{k}]": block.contiguous() for k, block in enumerate(tensor.chunk(n_groups, dim=1))}
    save_file({"w": tensor, "z": other}, folder / "packed.safetensors")
    save_file({**blocks, "z": other}, folder / "blocks.safetensors")
    return folder / "packed.safetensors", folder / "blocks.safetensors"


def joined(path, n_groups):
    """The blocks of a checkpoint, side by side."""
    tensors = load_file(path)
    return torch.cat([tensors[f"w[{k}]"] for k in range(n_groups)], dim=1)


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def groups(n_groups, **patterns):
    return LayerPatterns(groups=(("w", n_groups, 1),), **patterns)


@settings(max_examples=20)
@given(SEEDS, st.integers(2, 9), st.integers(2, 4), st.integers(2, 7), st.sampled_from(KINDS), st.sampled_from(TYPES))
def test_each_block_of_columns_is_a_graph_of_its_own(tmp_path_factory, seed, n_rows, n_groups, width, kind, dtype):
    tensor = packed(seed, n_rows, n_groups, width, kind, dtype)
    path, blocks = two_files(tmp_path_factory.mktemp("g"), tensor, n_groups)
    patterns, options = groups(n_groups), BoundOptions(densities=(0.5, 0.2))

    report = barcode_report(path, patterns=LayerPatterns(groups=patterns.groups, embeddings=True))

    assert report.rows == barcode_report(blocks).rows
    assert report.settings["groups"] == [f"w={n_groups}@1"]
    assert bound_report(path, options, patterns=patterns).rows == bound_report(blocks, options).rows


@settings(max_examples=20)
@given(
    SEEDS,
    st.tuples(st.integers(2, 9), st.integers(2, 4), st.integers(2, 7)),
    st.sampled_from(KINDS),
    st.sampled_from(TYPES),
    st.sampled_from(FREE_METHODS),
    st.sampled_from(Scope),
    st.sampled_from([(), ("w[[]1]",)]),
)
def test_each_block_is_pruned_and_compared_as_a_tensor_of_its_own(
    tmp_path_factory, seed, sides, kind, dtype, method, scope, exclude
):
    n_rows, n_groups, width = sides
    tensor = packed(seed, n_rows, n_groups, width, kind, dtype)
    path, blocks = two_files(tmp_path_factory.mktemp("g"), tensor, n_groups)
    amounts = {"sparsity": 0.6, "rounds": 3, "method": method, "scope": scope, "seed": seed}

    pruning = prune_checkpoint(path, PruningOptions(**amounts, patterns=groups(n_groups, exclude=exclude)))

    expected = prune_checkpoint(blocks, PruningOptions(**amounts, patterns=LayerPatterns(exclude=exclude)))
    after = load_file(pruning.outputs.checkpoint)["w"]
    assert without_sizes(pruning.report) == without_sizes(expected.report)
    assert pruning.held_at_floor == expected.held_at_floor
    assert bits(after).equal(bits(joined(expected.outputs.checkpoint, n_groups)))
    masks, of_blocks = read_masks(pruning.outputs.mask), read_masks(expected.outputs.mask)
    parts = np.split(tensor.double().numpy() != 0, n_groups, axis=1)  # a block that is not pruned keeps its edges
    kept = [of_blocks[f"w[{k}]"].kept() if f"w[{k}]" in of_blocks else part for k, part in enumerate(parts)]
    assert masks["w"].kept().tolist() == np.hstack(kept).tolist()
    assert comparisons(path, pruning, groups(n_groups, exclude=exclude)) == comparisons(
        blocks, expected, LayerPatterns(exclude=exclude)
    )


def comparisons(path, pruning, patterns):
    """The rows of comparisons with the pruned checkpoint and with its mask."""
    others = pruning.outputs.checkpoint, pruning.outputs.mask
    return [comparison_report(path, other, patterns=patterns, null="shuffle:2").rows for other in others]


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32])
def test_masks_of_any_kind_are_applied_to_blocks_of_columns(tmp_path, dtype):
    tensor = packed(0, 9, 3, 5)
    path, _ = two_files(tmp_path, tensor, 3)
    kept = torch.from_numpy(np.random.default_rng(1).random(tensor.shape) < 0.4)
    torch.save({"w": kept.to(dtype)}, tmp_path / "mask.pt")

    pruning = apply_mask(path, tmp_path / "mask.pt", patterns=groups(3, include=("w",), exclude=("w[[]2]",)), threads=1)

    kept[:, 10:] = True
    assert load_file(pruning.outputs.checkpoint)["w"].equal(tensor * kept)
    again = apply_mask(
        path, pruning.outputs.mask, patterns=groups(3, include=("w",)), output=tmp_path / "again.safetensors"
    )
    assert load_file(again.outputs.checkpoint)["w"].equal(tensor * kept)


def test_convolutions_have_groups_of_input_channels_in_every_view(tmp_path):
    tensor = torch.from_numpy(make_weight(0, 4, 6 * 9, "sparse")).reshape(4, 6, 3, 3)
    path, blocks = two_files(tmp_path, tensor, 3)

    for view in (View.MATRIX, View.CHANNEL):
        report = barcode_report(path, patterns=groups(3, view=view))
        assert report.rows == barcode_report(blocks, patterns=LayerPatterns(view=view)).rows


def test_a_large_tensor_is_copied_in_several_rectangles_by_several_threads(tmp_path, monkeypatch):
    monkeypatch.setattr("topoimp.layers.block.SPAN", 100)
    tensor = packed(0, 301, 3, 7)
    path, blocks = two_files(tmp_path, tensor, 3)
    options = PruningOptions(sparsity=0.7, patterns=groups(3))

    pruning = prune_checkpoint(path, options, threads=3)

    expected = prune_checkpoint(blocks, PruningOptions(sparsity=0.7))
    assert without_sizes(pruning.report) == without_sizes(expected.report)
    assert load_file(pruning.outputs.checkpoint)["w"].equal(joined(expected.outputs.checkpoint, 3))


def test_torch_files_shards_and_masked_weights_have_groups_of_columns(tmp_path):
    tensor = packed(0, 9, 3, 5)
    mask = torch.from_numpy(np.random.default_rng(2).random(tensor.shape) < 0.8).float()
    _, blocks = two_files(tmp_path, tensor * mask, 3)
    expected = joined(prune_checkpoint(blocks, PruningOptions(sparsity=0.7)).outputs.checkpoint, 3)
    options = PruningOptions(sparsity=0.7, patterns=groups(3))

    torch.save({"state_dict": {"w_orig": tensor, "w_mask": mask}, "epoch": 3}, tmp_path / "masked.pt")
    state = torch.load(prune_checkpoint(tmp_path / "masked.pt", options).outputs.checkpoint)["state_dict"]
    assert state["w_orig"].equal(tensor)
    assert (state["w_orig"] * state["w_mask"]).equal(expected)

    shards = tmp_path / "model"
    shards.mkdir()
    save_file({"w": tensor * mask}, shards / "model-00001-of-00002.safetensors")
    save_file({"b": torch.ones(3)}, shards / "model-00002-of-00002.safetensors")
    places = {"w": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (shards / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    pruned = prune_checkpoint(shards, options).outputs.checkpoint
    assert load_file(pruned / "model-00001-of-00002.safetensors")["w"].equal(expected)


def test_rounds_with_training_keep_the_forest_of_each_block(tmp_path):
    tensor = packed(0, 12, 3, 8)
    save_file({"w": tensor}, tmp_path / "init.safetensors")
    options = PruningOptions(rounds=2, rate=0.5, patterns=groups(3))

    pruning = prune_with_trainer(
        tmp_path / "init.safetensors", options, trainer=UNTRAINED, rewind="none", output=tmp_path / "run"
    )

    last = [row for row in pruning.report.rows if row["round"] == 2]
    assert [(row["layer"], row["n_kept"]) for row in last if row["level"] == "layer"] == [
        (f"w[{k}]", 24) for k in range(3)
    ]
    assert all(row["barcode_kept"] for row in last)
    kept = read_masks(pruning.folders[0] / "round-02/mask.safetensors")["w"].kept()
    for block, its_kept in zip(tensor.chunk(3, dim=1), np.split(kept, 3, axis=1), strict=True):
        save_file({"w": block.contiguous()}, tmp_path / "block.safetensors")
        alone = prune_checkpoint(tmp_path / "block.safetensors", PruningOptions(rounds=2, rate=0.5), force=True)
        assert its_kept.tolist() == read_masks(alone.outputs.mask)["w"].kept().tolist()


def test_a_block_is_read_by_its_name(tmp_path):
    tensor = packed(0, 4, 3, 2)
    save_file({"w": tensor}, tmp_path / "m.safetensors")
    checkpoint = open_checkpoint(tmp_path / "m.safetensors")

    assert layer_names(checkpoint, patterns=groups(3)) == ["w[0]", "w[1]", "w[2]"]
    strengths = read_layer(checkpoint, "w[1]", patterns=groups(3)).strengths()
    assert strengths.tolist() == tensor[:, 2:4].abs().tolist()


@pytest.mark.parametrize("place", [(1, 3), (2, 1)])
def test_an_output_that_differs_inside_or_outside_the_pruned_blocks_is_noticed(tmp_path, monkeypatch, place):
    tensor = packed(0, 4, 3, 2)
    save_file({"w": tensor}, tmp_path / "m.safetensors")

    def write_and_damage(path, *arguments, **options):
        write(path, *arguments, **options)
        tensors = load_file(path)
        tensors["w"][place] += 1
        save_file(tensors, path)

    write = pruned_copy.write_pruned_copy
    monkeypatch.setattr("topoimp.commands.pruning_job.write_pruned_copy", write_and_damage)

    options = PruningOptions(sparsity=0.3, method="magnitude", patterns=groups(3, exclude=("w[[]0]",)))
    with pytest.raises(VerificationError):
        prune_checkpoint(tmp_path / "m.safetensors", options)
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_file_that_ends_too_early_is_no_crash(tmp_path):
    save_file({"w": packed(0, 400, 3, 20)}, tmp_path / "m.safetensors")
    checkpoint = open_checkpoint(tmp_path / "m.safetensors")
    (tmp_path / "m.safetensors").write_bytes((tmp_path / "m.safetensors").read_bytes()[:50_000])

    with pytest.raises(CheckpointError, match="changed while it was read"):
        read_layer(checkpoint, "w[1]", patterns=groups(3))
