import json
import os

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_torch_file
from safetensors.torch import save_file as save_torch_file
from strategies import FREE_METHODS

from topoimp.checkpoint import TensorWriter, open_checkpoint
from topoimp.choices import Method, Scope
from topoimp.commands.barcode import barcode_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import CheckpointError, GateError, OptionError, OutputError, VerificationError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_outputs_lie_beside_the_input(lenet):
    prune_checkpoint(lenet, PruningOptions(rounds=2))

    stem = "lenet-300-100-mnist"
    assert names_in(lenet.parent) == [
        f"{stem}.pruned.csv",
        f"{stem}.pruned.mask.safetensors",
        f"{stem}.pruned.safetensors",
        f"{stem}.safetensors",
    ]


def test_names_follow_the_output(lenet, tmp_path):
    outputs = prune_checkpoint(
        lenet, PruningOptions(rounds=3), output=tmp_path / "out.v2.safetensors", emit_rounds=[1, 3]
    ).outputs

    assert [path.name for path in outputs.in_order] == [
        "out.v2.mask.safetensors",
        "out.v2.csv",
        "out.v2.round-01.safetensors",
        "out.v2.round-03.safetensors",
        "out.v2.safetensors",
    ]
    assert all(path.is_file() for path in outputs.in_order)


def test_linear_rounds_of_a_file_keep_what_their_plan_says(lenet):
    options = PruningOptions(rounds=4, sparsity=0.98, preset="paper")

    planned = plan_pruning(lenet, options).report
    pruned = prune_checkpoint(lenet, options).report

    shares = [0.755, 0.51, 0.265, 0.02]
    assert [row["target"] for row in pruned.rounds] == [266_200 * share for share in shares]
    assert [[row["n_kept"], row["floor_binds"]] for row in pruned.rows] == [
        [row["n_kept"], row["floor_binds"]] for row in planned.rows
    ]
    assert pruned.network["floor_binds"] is True  # 20 of 1,000 weights are fewer than a forest of the output layer
    assert pruned.network["barcode_kept"] is True
    settings = pruned.settings
    assert (settings["schedule"], settings["preset"], settings["rate"]) == ("linear", "paper", 0.245)


def test_without_training_the_preset_paper_rewinds_to_no_other_weights(lenet, lenet_init):
    with pytest.raises(OptionError, match="the preset paper has the rewind none, not to the weights of `rewind_from`"):
        prune_checkpoint(lenet, PruningOptions(rounds=1, preset="paper"), rewind_from=lenet_init)

    ticket = prune_checkpoint(lenet, PruningOptions(rounds=1, preset="frankle-carbin"), rewind_from=lenet_init)
    assert ticket.report.settings["preset"] == "frankle-carbin"


def test_the_topological_method_keeps_every_barcode_at_every_round_and_magnitude_does_not(lenet, tmp_path):
    topological = prune_checkpoint(lenet, PruningOptions(rounds=10), emit_rounds=range(1, 10)).outputs
    magnitude = prune_checkpoint(
        lenet, PruningOptions(rounds=10, method=Method.MAGNITUDE), output=tmp_path / "m.safetensors"
    ).outputs

    for path in (*topological.rounds.values(), topological.checkpoint):
        assert all(row["barcode_kept"] for row in comparison_report(lenet, path).rows)
    assert not any(row["barcode_kept"] for row in comparison_report(lenet, magnitude.checkpoint).rows)


def test_emitted_rounds_hold_what_the_report_says_of_them(lenet):
    pruning = prune_checkpoint(lenet, PruningOptions(rounds=4), emit_rounds=[1, 2, 4])

    for number, path in pruning.outputs.rounds.items():
        compared = comparison_report(lenet, path)
        reported = [row for row in pruning.report.rows if row["round"] == number]
        assert [row["n_kept"] for row in compared.rows] == [row["n_kept"] for row in reported]
        assert open_checkpoint(path).metadata["topoimp.round"] == str(number)
    assert pruning.outputs.rounds[4].read_bytes() == pruning.outputs.checkpoint.read_bytes()


@pytest.mark.parametrize("method", FREE_METHODS)
@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("name", ["lenet-300-100-mnist.safetensors", "lenet-5-mnist.safetensors"])
def test_compare_finds_what_prune_reported(sample, method, scope, name):
    path = sample(name)

    pruning = prune_checkpoint(path, PruningOptions(rounds=8, method=method, scope=scope))

    compared = comparison_report(path, pruning.outputs.checkpoint)
    reported = [row for row in pruning.report.rows if row["round"] == 8]
    for column in (
        "n_kept",
        "density",
        "sparsity",
        "beta0",
        "beta1",
        "barcode_kept",
        "beta0_kept",
        "retention",
        "floor",
    ):
        assert [row[column] for row in compared.rows] == [row[column] for row in reported]


@pytest.mark.parametrize("method", FREE_METHODS)
def test_the_number_of_zeros_is_exactly_the_number_asked_for(lenet, method):
    pruned = prune_checkpoint(
        lenet, PruningOptions(sparsity=0.75, method=method, scope=Scope.GLOBAL)
    ).outputs.checkpoint

    weights = [array for name, array in load_file(pruned).items() if name.endswith("weight")]
    assert sum(np.count_nonzero(array == 0) for array in weights) == 266_200 * 3 // 4


def test_survivors_are_untouched_and_pruned_weights_are_plus_zero(write):
    weight = np.array([[3.0, -0.0], [2.0, 0.5]], np.float32)
    pruned = prune_checkpoint(
        write({"fc": weight, "bias": np.array([-0.0, 1.0])}), PruningOptions(rounds=1, rate=0.9)
    ).outputs

    written = open_checkpoint(pruned.checkpoint)

    assert_array_equal(written.codes("fc"), np.array([3.0, 0.0, 2.0, 0.5], np.float32).view(np.uint32))
    assert_array_equal(written.codes("bias"), np.array([-0.0, 1.0]).view(np.uint64))


@pytest.mark.parametrize("scope", Scope)
def test_narrow_types_are_pruned_bit_for_bit(tmp_path, scope):
    generator = torch.Generator().manual_seed(0)
    types = (torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2, torch.float32, torch.float64)
    tensors = {str(dtype): torch.randn(20, 30, generator=generator).to(dtype) for dtype in types}
    save_torch_file(tensors, tmp_path / "model.safetensors")

    pruned = prune_checkpoint(
        tmp_path / "model.safetensors", PruningOptions(sparsity=0.7, scope=scope)
    ).outputs.checkpoint

    n_kept = 0
    for name, tensor in load_torch_file(pruned).items():
        before, after = tensors[name].view(torch.uint8).numpy(), tensor.view(torch.uint8).numpy()
        size = tensor.element_size()
        kept = after.reshape(20, 30, size).any(axis=2)
        assert_array_equal(after.reshape(20, 30, size)[kept], before.reshape(20, 30, size)[kept])
        n_kept += np.count_nonzero(kept)
    assert n_kept == 6 * 180


def test_metadata_are_kept_and_the_settings_added(write):
    path = write({"fc": np.random.default_rng(0).normal(size=(8, 8))}, metadata={"format": "pt", "mine": "x"})

    pruned = prune_checkpoint(path, PruningOptions(rounds=2, method=Method.RANDOM, seed=0)).outputs.checkpoint

    metadata = open_checkpoint(pruned).metadata
    assert (metadata["format"], metadata["mine"]) == ("pt", "x")
    assert (metadata["topoimp.method"], metadata["topoimp.round"]) == ("random", "2")
    settings = json.loads(metadata["topoimp.settings"])
    assert settings == {"method": "random", "scope": "layer", "rounds": 2, "rate": 0.2, "seed": 0, "view": "matrix"}


def test_the_mask_says_what_was_kept(lenet):
    outputs = prune_checkpoint(lenet, PruningOptions(rounds=4)).outputs

    masks, pruned = read_masks(outputs.mask), load_file(outputs.checkpoint)
    assert set(masks) == {"fc1.weight", "fc2.weight", "fc3.weight"}
    for name, mask in masks.items():
        assert_array_equal(mask.kept(), pruned[name] != 0)


def test_the_table_beside_the_output_is_the_report(lenet):
    pruning = prune_checkpoint(lenet, PruningOptions(rounds=2))

    assert pruning.outputs.table.read_text(encoding="utf-8") == pruning.report.to_csv()
    assert [row["round"] for row in pruning.report.rows] == [1, 1, 1, 1, 2, 2, 2, 2]


def test_pruning_twice_gives_the_same_bytes(lenet, tmp_path):
    one = prune_checkpoint(
        lenet, PruningOptions(rounds=3, method=Method.RANDOM), output=tmp_path / "1.safetensors"
    ).outputs
    two = prune_checkpoint(
        lenet, PruningOptions(rounds=3, method=Method.RANDOM), output=tmp_path / "2.safetensors"
    ).outputs

    assert one.checkpoint.read_bytes() == two.checkpoint.read_bytes()
    assert one.mask.read_bytes() == two.mask.read_bytes()


def test_embeddings_biases_and_other_types_are_left_alone(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {
        "embeddings.word.weight": rng.normal(size=(20, 6)).astype(np.float32),
        "layer.weight": rng.normal(size=(6, 6)).astype(np.float16),
        "layer.bias": rng.normal(size=6).astype(np.float32),
        "position_ids": np.arange(6)[None],
    }
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})

    pruned = prune_checkpoint(tmp_path / "model.safetensors", PruningOptions(rounds=3)).outputs.checkpoint

    loaded = load_file(pruned)
    assert {name for name in tensors if not np.array_equal(loaded[name], tensors[name])} == {"layer.weight"}
    with safe_open(pruned, "np") as file, safe_open(tmp_path / "model.safetensors", "np") as original:
        assert file.keys() == original.keys()


def test_a_recipe_is_named_if_the_file_lies_in_a_run_folder(lenet):
    folder = lenet.parent / "run/seed-0"
    folder.mkdir(parents=True)
    lenet.rename(folder / "model.safetensors")
    (lenet.parent / "run/recipe.toml").touch()

    assert (
        prune_checkpoint(folder / "model.safetensors", PruningOptions(rounds=1)).recipe
        == lenet.parent / "run/recipe.toml"
    )


def test_strict_writes_nothing_if_a_target_is_below_a_floor(lenet):
    with pytest.raises(
        GateError, match=r"round 10 asks fc3.weight for 107 weights, below its floor of 109; nothing was written"
    ):
        prune_checkpoint(lenet, PruningOptions(rounds=10), strict=True)

    assert names_in(lenet.parent) == [lenet.name]


def test_strict_does_not_mind_targets_that_are_met(lenet):
    assert prune_checkpoint(lenet, PruningOptions(rounds=9), strict=True).held_at_floor == []


def test_layers_held_at_their_floor_are_named(lenet):
    assert prune_checkpoint(lenet, PruningOptions(rounds=10)).held_at_floor == ["fc3.weight"]


def test_an_existing_output_is_refused_and_nothing_is_written(lenet):
    (lenet.parent / "lenet-300-100-mnist.pruned.csv").write_text("mine")

    with pytest.raises(OutputError, match=r"pruned.csv: exists already; `force` replaces it"):
        prune_checkpoint(lenet, PruningOptions(rounds=1))

    assert names_in(lenet.parent) == ["lenet-300-100-mnist.pruned.csv", lenet.name]


def test_force_replaces_outputs(lenet):
    prune_checkpoint(lenet, PruningOptions(rounds=1))

    prune_checkpoint(lenet, PruningOptions(rounds=2), force=True)

    assert barcode_report(lenet.with_name("lenet-300-100-mnist.pruned.safetensors")).network[
        "density"
    ] == pytest.approx(0.64)


def test_words_do_as_well_as_members(lenet, tmp_path):
    words, members = tmp_path / "words.safetensors", tmp_path / "members.safetensors"

    prune_checkpoint(lenet, PruningOptions(rounds=9, method="topological", scope="global"), output=words)
    prune_checkpoint(lenet, PruningOptions(rounds=9, method=Method.TOPOLOGICAL, scope=Scope.GLOBAL), output=members)

    assert words.read_bytes() == members.read_bytes()


def test_a_method_that_does_not_exist_is_refused(lenet):
    with pytest.raises(OptionError, match=r"there is no method 'magic'; known are topological, magnitude, random"):
        prune_checkpoint(lenet, PruningOptions(rounds=1, method="magic"))


@pytest.mark.parametrize("force", [False, True])
def test_the_input_is_never_an_output(lenet, force):
    before = lenet.read_bytes()
    (lenet.parent / "link.safetensors").symlink_to(lenet)

    for options in ({"output": lenet}, {"output": lenet.parent / "link.safetensors"}, {"mask_out": lenet}):
        with pytest.raises(OptionError, match=r"is the input; an output needs another name"):
            prune_checkpoint(lenet, PruningOptions(rounds=1), force=force, **options)

    assert lenet.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "out.bin"}, "the output is named out.bin; the name of a checkpoint ends in .safetensors"),
        ({"emit_rounds": [0]}, "round 0 is to be written; there are rounds 1 to 2"),
        ({"emit_rounds": [3]}, "round 3 is to be written; there are rounds 1 to 2"),
    ],
)
def test_outputs_that_make_no_sense_are_refused(lenet, options, message):
    with pytest.raises(OptionError, match=message):
        prune_checkpoint(lenet, PruningOptions(rounds=2), **options)


def write_other_bytes(monkeypatch, changed):
    """Have the mask, or the weights, of fc1.weight written as something else than was meant."""
    write = TensorWriter.write

    def write_wrongly(writer, name, start, data):
        is_meant = name == "fc1.weight" and (data.dtype == np.uint8) == (changed is all_kept)
        write(writer, name, start, changed(data) if is_meant else data)

    monkeypatch.setattr(TensorWriter, "write", write_wrongly)


def all_kept(bits):
    return np.full_like(bits, 255)


def nothing_pruned(codes):
    return np.maximum(codes, 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (all_kept, r"a surviving weight of 'fc1.weight' changed"),
        (nothing_pruned, r"a pruned weight of 'fc1.weight' is not zero"),
    ],
)
def test_what_was_written_wrongly_is_noticed_and_not_left_behind(lenet, monkeypatch, changed, message):
    write_other_bytes(monkeypatch, changed)

    with pytest.raises(VerificationError, match=message):
        prune_checkpoint(lenet, PruningOptions(rounds=1))

    assert names_in(lenet.parent) == [lenet.name]


@pytest.mark.parametrize("spelling", ["sub/../out.safetensors", "link/out.safetensors"])
def test_two_spellings_of_one_output_are_refused(lenet, tmp_path, spelling):
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)

    with pytest.raises(OutputError, match=r"out.safetensors: named for two outputs"):
        prune_checkpoint(
            lenet, PruningOptions(rounds=1), output=tmp_path / "out.safetensors", mask_out=tmp_path / spelling
        )

    assert names_in(tmp_path) == [lenet.name, "link", "sub"]


def test_a_special_file_is_never_replaced(lenet, tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OutputError, match=r"pipe: is no regular file; the output is one"):
        prune_checkpoint(lenet, PruningOptions(rounds=1), mask_out=tmp_path / "pipe", force=True)


@pytest.mark.parametrize("name", ["x" * 300 + ".safetensors", "loop/x.safetensors"])
def test_an_output_that_no_file_system_takes_is_said(lenet, tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(OutputError, match=r"cannot be written: "):
        prune_checkpoint(lenet, PruningOptions(rounds=1), output=tmp_path / name)


def test_a_missing_input_leaves_nothing_behind(tmp_path):
    with pytest.raises(CheckpointError, match=r"none.safetensors: no such file"):
        prune_checkpoint(tmp_path / "none.safetensors", PruningOptions(rounds=1))

    assert names_in(tmp_path) == []


def test_a_layer_of_zeros_stays_one(write):
    path = write({"dead": np.zeros((3, 3)), "live": np.eye(3)})

    pruning = prune_checkpoint(path, PruningOptions(rounds=2, patterns=LayerPatterns()))

    dead = pruning.report.layers[0]
    assert (dead["n_kept"], dead["beta0"], dead["retention"], dead["barcode_kept"]) == (0, 6, None, True)


@pytest.mark.parametrize("emit_rounds", [[], [1, 2]])
def test_somebody_is_told_how_much_has_been_done(lenet, emit_rounds):
    told = []

    prune_checkpoint(lenet, PruningOptions(rounds=2), emit_rounds=emit_rounds, on_step=lambda *step: told.append(step))

    n_steps = 3 + (len(emit_rounds) + 1) * (3 + 6)
    assert told == [(k + 1, n_steps) for k in range(n_steps)]
