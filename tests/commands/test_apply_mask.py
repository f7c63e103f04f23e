"""Masks as artefacts: applied, rebuilt from zeros, compared."""

import numpy as np
import pytest
import torch
from mask_files import pack_mask, write_masks
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file, save_file

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import CheckpointError, LayerError, OptionError, VerificationError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.pruning.repaired_masks import RepairedMask

FACTS = ("n_kept", "density", "floor", "beta0", "beta1", "beta0_kept", "barcode_kept", "retention")


@pytest.fixture
def pruned(lenet):
    return prune_checkpoint(lenet, PruningOptions(rounds=5, method="magnitude"))


@pytest.mark.parametrize("source", ["mask", "zeros"])
def test_a_mask_and_the_zeros_it_left_give_the_same_again(lenet, pruned, tmp_path, source):
    by = pruned.outputs.mask if source == "mask" else pruned.outputs.checkpoint

    again = apply_mask(lenet, by, output=tmp_path / "again.safetensors")

    before, after = load_file(pruned.outputs.checkpoint), load_file(again.outputs.checkpoint)
    assert all(np.array_equal(before[name].view(np.uint32), after[name].view(np.uint32)) for name in before)
    masks = read_masks(again.outputs.mask)
    assert {name: mask.bits.tolist() for name, mask in masks.items()} == {
        name: mask.bits.tolist() for name, mask in read_masks(pruned.outputs.mask).items()
    }
    assert again.report.settings["method"] == source
    last = [row for row in pruned.report.rows if row["round"] == 5]
    for column in FACTS:
        assert [row[column] for row in again.report.rows] == [row[column] for row in last]


def kept_in(pruning):
    return {name: mask.kept() for name, mask in read_masks(pruning.outputs.mask).items()}


@pytest.mark.parametrize(("shuffle", "axes"), [("edges", []), ("rows", [1]), ("columns", [0]), ("degrees", [0, 1])])
def test_a_shuffled_mask_keeps_as_many_weights_elsewhere(lenet_init, pruned, tmp_path, shuffle, axes):
    output = tmp_path / "shuffled.safetensors"

    shuffled = apply_mask(lenet_init, pruned.outputs.mask, shuffle_mask=shuffle, seed=3, output=output)

    before, after = kept_in(pruned), kept_in(shuffled)
    assert list(after) == list(before) == ["fc1.weight", "fc2.weight", "fc3.weight"]
    last = {row.get("layer"): row["n_kept"] for row in pruned.report.rows if row["round"] == 5}
    assert {row.get("layer"): row["n_kept"] for row in shuffled.report.rows} == last
    weights, written = load_file(lenet_init), load_file(shuffled.outputs.checkpoint)
    for name, kept in after.items():
        assert kept.sum() == before[name].sum()
        assert all(np.array_equal(kept.sum(axis), before[name].sum(axis)) for axis in axes)
        assert_array_equal(written[name], np.where(kept, weights[name], 0))
        assert (kept != before[name]).mean() > 0.01
    settings = shuffled.report.settings
    assert (settings["method"], settings["shuffle_mask"], settings["seed"]) == ("mask", shuffle, 3)


def test_a_shuffled_mask_depends_on_the_seed_and_not_on_the_threads(lenet_init, pruned, tmp_path):
    def shuffled(number, **options):
        output = tmp_path / f"{number}.safetensors"
        return apply_mask(lenet_init, pruned.outputs.mask, shuffle_mask="rows", output=output, **options)

    one, two, other = shuffled(1, threads=1), shuffled(2, threads=2), shuffled(3, seed=1)

    assert one.outputs.mask.read_bytes() == two.outputs.mask.read_bytes()
    assert not np.array_equal(kept_in(one)["fc1.weight"], kept_in(other)["fc1.weight"])


def test_a_mask_that_cannot_be_shuffled_is_refused(lenet, pruned, tmp_path):
    output = tmp_path / "small.safetensors"
    smaller = prune_checkpoint(lenet, PruningOptions(rounds=9), output=output).outputs.checkpoint

    with pytest.raises(LayerError, match=r"'fc1.weight' has \d+ nonzero weights where the mask keeps 77070; they c"):
        apply_mask(smaller, pruned.outputs.mask, shuffle_mask="edges")
    with pytest.raises(LayerError, match=r"'fc1.weight' has zeros; the shuffle degrees needs a layer without them"):
        apply_mask(smaller, pruned.outputs.mask, shuffle_mask="degrees")
    with pytest.raises(OptionError, match="there is no mask shuffle 'layer'; known are edges, rows, columns, degrees"):
        apply_mask(lenet, pruned.outputs.mask, shuffle_mask="layer")
    with pytest.raises(OptionError, match="the seed is -1; it must be at least 0"):
        apply_mask(lenet, pruned.outputs.mask, shuffle_mask="rows", seed=-1)


def test_a_repaired_mask_keeps_every_barcode_at_its_size(lenet, tmp_path):
    sparse = prune_checkpoint(lenet, PruningOptions(sparsity=0.95, method="magnitude"))
    before = {row.get("layer"): row for row in sparse.report.last_round()}

    repaired = apply_mask(lenet, sparse.outputs.mask, repair=True, output=tmp_path / "repaired.safetensors")

    after = {row.get("layer"): row for row in repaired.report.rows}
    for name, row in after.items():
        n_missing = round(row["floor"] * (1 - before[name]["retention"]))
        assert (row["n_repaired"], row["retention"], row["barcode_kept"]) == (n_missing, 1.0, True)
    assert [after[name]["n_kept"] for name in ("fc1.weight", "fc2.weight")] == [11760, 1500]
    assert repaired.held_at_floor == ["fc3.weight"]
    assert after["fc3.weight"]["n_kept"] == after["fc3.weight"]["floor"] == 109
    assert repaired.report.settings["repair"] is True


def test_a_mask_that_keeps_all_barcodes_needs_no_repair(lenet, tmp_path):
    topological = prune_checkpoint(lenet, PruningOptions(rounds=5))

    repaired = apply_mask(lenet, topological.outputs.mask, repair=True, output=tmp_path / "repaired.safetensors")

    assert repaired.report.network["n_repaired"] == 0
    before, after = kept_in(topological), kept_in(repaired)
    assert all((after[name] == kept).all() for name, kept in before.items())


def test_a_mask_of_other_weights_is_applied_to_these(sample):
    trained, initial = sample("lenet-300-100-mnist.safetensors"), sample("lenet-300-100-mnist-init.safetensors")
    mask = prune_checkpoint(trained, PruningOptions(rounds=5)).outputs.mask

    ticket = apply_mask(initial, mask).outputs.checkpoint

    weights, masks = load_file(initial), read_masks(mask)
    for name, array in load_file(ticket).items():
        kept = masks[name].kept() if name in masks else True
        assert_array_equal(array, np.where(kept, weights[name], 0))


def test_the_mask_is_the_truth_and_a_kept_weight_may_be_zero(write, tmp_path):
    path = write({"fc": np.array([[1.0, 0.0], [-0.0, 4.0]])})
    write_masks(tmp_path / "mask.safetensors", {"fc": pack_mask(np.array([[True, True], [True, False]]), (2, 2))}, {})

    done = apply_mask(path, tmp_path / "mask.safetensors")

    assert_array_equal(
        load_file(done.outputs.checkpoint)["fc"].view(np.uint64), np.array([[1.0, 0.0], [0.0, 0.0]]).view(np.uint64)
    )
    assert read_masks(done.outputs.mask)["fc"].kept().tolist() == [[True, True], [True, False]]
    assert done.report.network["n_kept"] == 1


def test_compare_takes_a_mask_for_what_it_leaves(lenet, pruned):
    by_mask = comparison_report(lenet, pruned.outputs.mask)
    by_weights = comparison_report(lenet, pruned.outputs.checkpoint)

    assert by_mask.rows == by_weights.rows


def test_layers_can_be_chosen(lenet, pruned, tmp_path):
    one = apply_mask(
        lenet, pruned.outputs.mask, output=tmp_path / "one.safetensors", patterns=LayerPatterns(include=("fc2*",))
    )

    assert list(read_masks(one.outputs.mask)) == ["fc2.weight"]
    assert barcode_report(one.outputs.checkpoint).network["n_edges"] == 266_200 - 30_000 + 9_830


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"fc": (3, 3)}, r"mask.safetensors: has a mask of shape \[3, 3\] for 'fc'; .*model.safetensors has \[2, 2\]"),
        (
            {"other": (2, 2)},
            r"mask.safetensors: has no mask for layer 'fc' of .*model.safetensors; `include`",
        ),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(write, tmp_path, masks, message):
    path = write({"fc": np.ones((2, 2))})
    made = {name: pack_mask(np.ones(shape, bool), shape) for name, shape in masks.items()}
    write_masks(tmp_path / "mask.safetensors", made, {})

    with pytest.raises(CheckpointError, match=message):
        apply_mask(path, tmp_path / "mask.safetensors")
    with pytest.raises(CheckpointError, match=message):
        comparison_report(path, tmp_path / "mask.safetensors")

    assert sorted(file.name for file in tmp_path.iterdir()) == ["mask.safetensors", "model.safetensors"]


@pytest.mark.parametrize("name", ["model.safetensors", "mask.safetensors"])
def test_neither_input_is_ever_an_output(write, tmp_path, name):
    path = write({"fc": np.ones((2, 2))})
    write_masks(tmp_path / "mask.safetensors", {"fc": pack_mask(np.eye(2, dtype=bool), (2, 2))}, {})

    with pytest.raises(OptionError, match=f"{name}: is the input; an output needs another name"):
        apply_mask(path, tmp_path / "mask.safetensors", output=tmp_path / name, force=True)


def test_a_mask_is_no_reference_and_has_no_channels(lenet, pruned):
    with pytest.raises(CheckpointError, match=r"pruned.mask.safetensors: is a mask; the reference needs weights"):
        comparison_report(pruned.outputs.mask, lenet)
    with pytest.raises(
        OptionError, match=r"the view is channel; .*pruned.mask.safetensors is a mask, and needs the view matrix"
    ):
        comparison_report(lenet, pruned.outputs.mask, patterns=LayerPatterns(view="channel"))


def test_a_mask_is_no_checkpoint_to_prune(pruned):
    with pytest.raises(LayerError, match="holds 3 tensors, and no layer: "):
        prune_checkpoint(pruned.outputs.mask, PruningOptions(rounds=1))


def test_zeros_of_a_tied_tensor_are_those_of_each_of_its_names(write, tmp_path):
    shared = torch.tensor([[1.0, 0.0], [2.0, 3.0]], dtype=torch.float64)
    torch.save({"a": shared, "b": shared}, tmp_path / "tied.pt")
    path = write({"a": np.ones((2, 2)), "b": np.ones((2, 2))})

    done = apply_mask(path, tmp_path / "tied.pt")

    assert load_file(done.outputs.checkpoint)["b"].tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float32])
def test_a_mask_of_another_tool_says_what_a_mask_file_says(lenet, pruned, tmp_path, dtype):
    flags = {f"module.{name}": torch.tensor(kept.astype(dtype)) for name, kept in kept_in(pruned).items()}
    torch.save(flags, tmp_path / "flags.pt")

    again = apply_mask(lenet, tmp_path / "flags.pt", output=tmp_path / "again.safetensors")

    before, after = load_file(pruned.outputs.checkpoint), load_file(again.outputs.checkpoint)
    assert all(np.array_equal(before[name].view(np.uint32), after[name].view(np.uint32)) for name in before)
    assert all(np.array_equal(kept, kept_in(again)[name]) for name, kept in kept_in(pruned).items())
    assert again.report.settings["method"] == "mask"
    by_flags, by_mask = (comparison_report(lenet, path).rows for path in (tmp_path / "flags.pt", pruned.outputs.mask))
    assert by_flags == by_mask


def by_module(masks):
    """The masks of weights, as NNI saves them."""
    return {name.removesuffix(".weight"): {"weight": mask, "bias": None} for name, mask in masks.items()}


@pytest.mark.parametrize(
    "saved",
    [
        by_module,
        lambda masks: [by_module(masks)],
        lambda masks: {"masks": by_module(masks)},
        lambda masks: {"mask": [by_module({name: mask}) for name, mask in masks.items()]},
        lambda masks: by_module({f"module.{name}": mask for name, mask in masks.items()}),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_masks_by_module_say_what_a_mask_file_says(lenet, pruned, tmp_path, saved, dtype):
    masks = {name: torch.tensor(kept).to(dtype) for name, kept in kept_in(pruned).items()}
    torch.save(saved(masks), tmp_path / "nni.pt")

    again = apply_mask(lenet, tmp_path / "nni.pt", output=tmp_path / "again.safetensors")

    before, after = load_file(pruned.outputs.checkpoint), load_file(again.outputs.checkpoint)
    assert all(np.array_equal(before[name].view(np.uint32), after[name].view(np.uint32)) for name in before)
    assert again.report.settings["method"] == "mask"
    assert comparison_report(lenet, tmp_path / "nni.pt").rows == comparison_report(lenet, pruned.outputs.mask).rows


def renamed(path, prefix, target):
    save_file({f"{prefix}{name}": array for name, array in load_file(path).items()}, target)
    return target


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_a_wrapper_of_the_network_changes_nothing(lenet, pruned, tmp_path, prefix):
    wrapped = renamed(pruned.outputs.checkpoint, prefix, tmp_path / "wrapped.safetensors")
    patterns = LayerPatterns(include=("fc1*",), exclude=("re:^fc2",))

    plain_rows = comparison_report(lenet, pruned.outputs.checkpoint).rows
    assert comparison_report(lenet, wrapped).rows == plain_rows
    (one,) = [row for row in comparison_report(lenet, wrapped, patterns=patterns).rows if row["level"] == "layer"]
    assert one["n_kept"] == plain_rows[0]["n_kept"]
    assert [row["layer"] for row in comparison_report(wrapped, lenet).rows[:-1]] == [
        f"{prefix}fc{number}.weight" for number in (1, 2, 3)
    ]

    again = apply_mask(lenet, wrapped, output=tmp_path / "again.safetensors")
    assert_array_equal(load_file(again.outputs.checkpoint)["fc1.weight"], load_file(wrapped)[f"{prefix}fc1.weight"])
    to_wrapped = apply_mask(wrapped, pruned.outputs.mask, output=tmp_path / "again-wrapped.safetensors")
    assert list(read_masks(to_wrapped.outputs.mask)) == [f"{prefix}fc{number}.weight" for number in (1, 2, 3)]


def test_a_repaired_mask_that_breaks_its_promise_is_a_defect_and_leaves_nothing(lenet, tmp_path, monkeypatch):
    monkeypatch.setattr(RepairedMask, "on", lambda self, layer, threads: self.mask.on(layer, threads))
    monkeypatch.chdir(tmp_path)
    broken = prune_checkpoint(lenet, PruningOptions(sparsity=0.95, method="magnitude"), output="sparse.safetensors")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(
        VerificationError, match=r"'fc1.weight': its repaired mask keeps 11760 weights, and another barc"
    ):
        apply_mask(lenet, broken.outputs.mask, repair=True, output="repaired.safetensors")

    assert sorted(tmp_path.iterdir()) == before
