"""``prune`` by a pattern N:M: the files that it writes, its report, and the options that it refuses."""

import json

import numpy as np
import pytest
import torch
from conftest import stream_of
from oracles import slow_forest
from pattern_oracle import slow_blocks, slow_pattern
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_torch_file
from safetensors.torch import save_file as save_torch_file

from topoimp.choices import Method
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.pruning_columns import PATTERN_COLUMNS
from topoimp.errors import GateError, OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.block_pattern import BlockPattern
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.pruning import ModulePruner, prune_module

METHODS = pytest.mark.parametrize("method", ["topological", "magnitude"])


def matrices(shapes, seed=0):
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for weight in weights.values():
        weight[rng.random(weight.shape) < 0.1] = 0
    return weights


SHAPES = {"a.weight": (9, 30), "b.weight": (6, 8, 3, 3), "c.weight": (5, 7)}


def forest_first(weight, pattern, method, by_column=False):
    """The mask of a tensor by either method."""
    matrix = weight.reshape(len(weight), -1)
    forest = slow_forest(matrix) if method == "topological" else []
    return slow_pattern(matrix, *pattern, forest, by_column).reshape(weight.shape)


@METHODS
def test_the_written_weights_and_the_mask_are_those_of_a_plain_sort(write, method):
    weights = matrices(SHAPES)
    path = write(weights)

    pruning = prune_checkpoint(path, PruningOptions(pattern="2:4", method=method, output_columns=("c*",)))

    written, masks = load_file(pruning.outputs.checkpoint), read_masks(pruning.outputs.mask)
    for name, weight in weights.items():
        mask = forest_first(weight, (2, 4), method, by_column=name == "c.weight")
        assert np.array_equal(masks[name].kept(), mask)
        assert np.array_equal(written[name], np.where(mask, weight, 0))


def test_settings_and_metadata_name_the_pattern(write):
    pruning = prune_checkpoint(write(matrices(SHAPES)), PruningOptions(pattern="2:4", output_columns=("c*",)))

    settings = pruning.report.settings
    assert (settings["pattern"], settings["rounds"], settings["output_columns"]) == ("2:4", 1, ["c*"])
    assert settings.keys().isdisjoint({"scope", "rate", "sparsity"})
    for path in (pruning.outputs.checkpoint, pruning.outputs.mask):
        with safe_open(path, "np") as file:
            assert json.loads(file.metadata()["topoimp.settings"])["pattern"] == "2:4"
            assert file.metadata()["topoimp.round"] == "1"


@METHODS
def test_the_report_counts_the_edges_that_do_not_fit(write, method):
    weights = matrices(SHAPES)

    report = prune_checkpoint(write(weights), PruningOptions(pattern="2:4", method=method)).report

    rows = {row["layer"]: row for row in report.layers}
    for name, weight in weights.items():
        matrix = weight.reshape(len(weight), -1)
        forest = set(slow_forest(matrix))
        unfit = sum(max(len(forest & set(block)) - 2, 0) for block in slow_blocks(matrix.shape, 4))
        assert rows[name]["n_forest_unfit"] == unfit
        assert rows[name]["target"] == rows[name]["n_kept"] == forest_first(weight, (2, 4), method).sum()
        assert rows[name]["barcode_kept"] == (method == "topological" and unfit == 0)
    assert report.network["n_forest_unfit"] == sum(row["n_forest_unfit"] for row in report.layers) > 0
    assert not report.network["floor_binds"]
    assert report.network["squared_norm_kept"] > 0.5


def test_its_columns_are_those_that_gates_know(lenet):
    report = prune_checkpoint(lenet, PruningOptions(pattern="2:4")).report

    assert {"layer": set(report.layers[0]), "network": set(report.network)} == PATTERN_COLUMNS


def test_a_forest_that_fits_is_kept_with_its_barcode(write):
    weight = np.ones((16, 8)) + np.random.default_rng(0).random((16, 8)) / 2
    weight[np.arange(16), np.arange(16) % 8] = 3 + np.arange(16)  # no row has two of the strongest

    plan = plan_pruning(write({"w": weight}), PruningOptions(pattern="7:8"), strict=True)
    pruning = prune_checkpoint(write({"w": weight}), PruningOptions(pattern="7:8"), strict=True)

    assert plan.report.network["n_forest_unfit"] == pruning.report.network["n_forest_unfit"] == 0
    assert pruning.report.network["barcode_kept"]
    assert pruning.report.network["retention"] == 1.0


@pytest.mark.parametrize("run", [plan_pruning, prune_checkpoint])
def test_strict_writes_nothing_if_a_forest_does_not_fit(lenet, run):
    needed = r"^the pattern 2:4 has no room for 26 of 1,192 forest edges: fc1.weight, fc3.weight; nothing was written$"

    with pytest.raises(GateError, match=needed):
        run(lenet, PruningOptions(pattern="2:4"), strict=True)

    assert [path.name for path in lenet.parent.iterdir()] == [lenet.name]


def test_strict_is_no_matter_of_magnitude_which_protects_no_forest(lenet):
    report = prune_checkpoint(lenet, PruningOptions(pattern="2:4", method="magnitude"), strict=True).report

    assert report.network["n_forest_unfit"] == 26


@METHODS
def test_a_plan_has_the_rows_of_the_pruning(lenet, method):
    options = PruningOptions(pattern="1:4", method=method)

    plan, pruning = plan_pruning(lenet, options), prune_checkpoint(lenet, options)

    shared = ("target", "n_kept", "beta0", "barcode_kept", "retention", "n_forest_unfit", "n_forest_added")
    for planned, done in zip(plan.report.rows, pruning.report.rows, strict=True):
        assert [planned[name] for name in shared] == [done[name] for name in shared]
    assert plan.first_changed.keys() == {"fc1.weight", "fc2.weight", "fc3.weight"}


@METHODS
def test_scores_take_the_place_of_magnitudes(write, tmp_path, method):
    weights = matrices({"a.weight": (9, 30), "c.weight": (5, 7)})
    norms = {name: np.random.default_rng(1).random(weight.shape[1]) for name, weight in weights.items()}
    save_file(norms, tmp_path / "norms.safetensors")

    pruning = prune_checkpoint(
        write(weights), PruningOptions(pattern="2:4", method=method), scores=tmp_path / "norms.safetensors"
    )

    masks = read_masks(pruning.outputs.mask)
    for name, weight in weights.items():
        assert np.array_equal(masks[name].kept(), forest_first(np.abs(weight) * norms[name], (2, 4), method))


def test_an_earlier_checkpoint_is_written_under_the_mask(write):
    trained, earlier = matrices(SHAPES), matrices(SHAPES, seed=1)
    path, start = write(trained), write(earlier, "start.safetensors")

    pruning = prune_checkpoint(path, PruningOptions(pattern="2:4"), rewind_from=start)

    written = load_file(pruning.outputs.checkpoint)
    for name, weight in trained.items():
        mask = forest_first(weight, (2, 4), "topological")
        assert np.array_equal(written[name], np.where(mask, earlier[name], 0))


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_every_type_of_weights_is_pruned(tmp_path, dtype):
    weight = (torch.randn(12, 23, generator=torch.Generator().manual_seed(0)) / 4).to(dtype)
    save_torch_file({"w": weight}, tmp_path / "m.safetensors")

    pruning = prune_checkpoint(tmp_path / "m.safetensors", PruningOptions(pattern="2:4"))

    written = load_torch_file(pruning.outputs.checkpoint)["w"].double().numpy()
    mask = forest_first(weight.double().numpy(), (2, 4), "topological")
    assert np.array_equal(written, np.where(mask, weight.double().numpy(), 0))


def test_shards_have_the_masks_of_one_file(write, tmp_path):
    weights = matrices(SHAPES)
    folder = tmp_path / "sharded"
    folder.mkdir()
    shards = {name: f"model-{number:05}-of-00003.safetensors" for number, name in enumerate(weights, 1)}
    for name, shard in shards.items():
        save_file({name: weights[name]}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))

    one, several = (prune_checkpoint(path, PruningOptions(pattern="2:4")) for path in (write(weights), folder))

    written = {name: load_file(several.outputs.checkpoint / shard)[name] for name, shard in shards.items()}
    assert all(np.array_equal(load_file(one.outputs.checkpoint)[name], written[name]) for name in weights)
    card = (several.outputs.checkpoint / "README.md").read_text()
    assert "| pattern | 2:4 |" in card


@pytest.mark.parametrize("axis", [0, 1])
def test_groups_of_a_tensor_have_blocks_of_their_own(write, axis):
    weight = matrices({"w": (9, 30)})["w"]
    groups = LayerPatterns(groups=(("w", 3, axis),))

    pruning = prune_checkpoint(write({"w": weight}), PruningOptions(pattern="2:4", patterns=groups))

    parts = [forest_first(part, (2, 4), "topological") for part in np.split(weight, 3, axis=axis)]
    mask = np.concatenate(parts, axis=axis)
    assert np.array_equal(load_file(pruning.outputs.checkpoint)["w"], np.where(mask, weight, 0))


def test_threads_change_no_byte(write, tmp_path):
    path = write(matrices({"a": (1030, 1023), "b": (64, 50)}))

    files = [
        prune_checkpoint(path, PruningOptions(pattern="3:5"), output=tmp_path / f"{n}.safetensors", threads=n).outputs
        for n in (1, 2, 3)
    ]

    assert len({(each.checkpoint.read_bytes(), each.mask.read_bytes()) for each in files}) == 1


@METHODS
def test_a_module_is_pruned_as_its_saved_weights_are(tmp_path, method):
    model = torch.nn.Sequential(torch.nn.Linear(30, 9), torch.nn.ReLU(), torch.nn.Linear(9, 5))
    save_torch_file(model.state_dict(), tmp_path / "m.safetensors")
    options = PruningOptions(pattern="2:4", method=method)

    in_memory, on_disk = prune_module(model, options), prune_checkpoint(tmp_path / "m.safetensors", options)

    written = load_torch_file(on_disk.outputs.checkpoint)
    assert all(torch.equal(weight, written[name]) for name, weight in model.state_dict().items())
    assert in_memory.report.network["n_forest_unfit"] == on_disk.report.network["n_forest_unfit"]
    assert ModulePruner(model, options).n_rounds == 1


@pytest.mark.parametrize(
    "options",
    [
        {"rounds": 1},
        {"sparsity": 0.5},
        {"rate": 0.0},
        {"schedule": "linear"},
        {"preset": "paper"},
        {"scope": "layer"},
        {"layer_rates": {"a*": 0.1}},
        {"layer_sparsity": {"a*": 0.5}},
        {"output_rate": "half"},
        {"output_layer": "c.weight"},
        {"epsilon": 0.1},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_about_amounts_are_refused(options):
    name = next(iter(options))

    with pytest.raises(OptionError, match=f"^`pattern` alone decides how much is kept, in one round; leave `{name}`"):
        PruningOptions(pattern="2:4", **options)


@pytest.mark.parametrize("method", [each for each in Method if each not in ("topological", "magnitude")])
def test_other_methods_are_refused(method):
    needed = f"^`pattern` goes with the methods topological and magnitude, not with {method}$"

    with pytest.raises(OptionError, match=needed):
        PruningOptions(pattern="2:4", method=method)


def test_a_method_of_ones_own_is_refused():
    with pytest.raises(OptionError, match="goes with the methods topological and magnitude"):
        PruningOptions(pattern="2:4", method=np.abs)


def test_the_schedule_is_one_round(write):
    options = PruningOptions(pattern="2:4")

    scheme = options.scheme(stream_of(write(matrices(SHAPES))).layers.infos)

    assert scheme.schedule.n_rounds == 1
    assert scheme.pattern == BlockPattern(2, 4)
    assert not scheme.protects_forests


@pytest.mark.parametrize("pattern", ["1:4", "2:4", "4:4"])
def test_a_layer_of_zeros_keeps_nothing(write, pattern):
    report = prune_checkpoint(write({"w": np.zeros((3, 9))}), PruningOptions(pattern=pattern), strict=True).report

    assert (report.network["n_kept"], report.network["n_forest_unfit"]) == (0, 0)
    assert report.network["barcode_kept"]
