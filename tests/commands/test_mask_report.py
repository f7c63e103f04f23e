"""Masks made elsewhere: reported, and written as a mask file."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import slow_forest
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from strategies import weights

import topoimp
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.compare import comparison_report
from topoimp.commands.mask_report import mask_report
from topoimp.errors import CheckpointError, OptionError, OutputError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.masks_in_memory import write_masks
from topoimp.torch_modules.holding import hold_mask

WEIGHTS = weights(rows=st.integers(2, 6), columns=st.integers(2, 6))
RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(6, 5)).astype(np.float32)
KEPT = RNG.random((6, 5)) < 0.6


def numbers(report):
    return [
        {name: row.get(name) for name in ("layer", "n_kept", "beta0", "barcode_kept", "retention")}
        for row in report.rows
    ]


@given(WEIGHTS, st.data())
def test_the_facts_are_those_of_the_masked_weights(weight, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=weight.size, max_size=weight.size))).reshape(
        weight.shape
    )

    row = mask_report({"fc": weight}, {"fc": mask}).network

    masked = np.where(mask, weight, 0)
    forest = slow_forest(weight)
    assert row["n_kept"] == np.count_nonzero(masked)
    assert row["beta0"] == sum(weight.shape) - len(slow_forest(masked))
    assert row["retention"] == (np.count_nonzero(masked.ravel()[forest]) / len(forest) if forest else None)
    squares = weight.astype(np.float64) / (np.abs(weight).max().astype(np.float64) or 1)
    share = np.sum(squares[mask] ** 2) / np.sum(squares**2) if weight.any() else None
    assert row["squared_norm_kept"] == (None if share is None else pytest.approx(share, rel=1e-12))
    deaths = [sorted(np.abs(w.ravel()[slow_forest(w)]).tolist()) for w in (weight, masked)]
    assert row["barcode_kept"] is (deaths[0] == deaths[1])


@pytest.mark.parametrize(
    "mask",
    [KEPT, KEPT.astype(np.uint8), KEPT.astype(np.float32), torch.from_numpy(KEPT), torch.from_numpy(KEPT).bfloat16()],
)
def test_masks_of_every_type_and_place_have_one_report(tmp_path, mask):
    model = torch.nn.Linear(5, 6, bias=False)
    model.weight.data = torch.from_numpy(WEIGHT.copy())
    save_file({"weight": WEIGHT}, tmp_path / "model.safetensors")
    write_masks(tmp_path / "mask.safetensors", {"weight": mask})

    reports = [
        mask_report(tmp_path / "model.safetensors", {"weight": mask}),
        mask_report(model, {"module.weight": mask}),
        mask_report({"weight": torch.from_numpy(WEIGHT)}, tmp_path / "mask.safetensors"),
        apply_mask(tmp_path / "model.safetensors", tmp_path / "mask.safetensors").report,
    ]

    assert [numbers(report) for report in reports] == [numbers(reports[0])] * 4
    assert reports[0].network["n_kept"] == np.count_nonzero(KEPT)
    assert_array_equal(model.weight.detach().numpy(), WEIGHT)


def test_several_tensors_are_written_and_read_back(tmp_path):
    masks = {"conv": RNG.random((3, 2, 3, 3)) < 0.5, "fc": np.zeros((2, 2), bool), "fc.bias": np.ones(7, bool)}

    write_masks(tmp_path / "mask.safetensors", masks)

    read = read_masks(tmp_path / "mask.safetensors")
    assert {name: mask.kept().tolist() for name, mask in read.items()} == {
        name: m.tolist() for name, m in masks.items()
    }


@pytest.mark.parametrize("name", ["weight", "weight_mask"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.int64, torch.float32, torch.bfloat16])
def test_a_mask_file_of_another_tool_is_read_and_held(tmp_path, name, dtype):
    save_torch({name: torch.from_numpy(KEPT).to(dtype)}, tmp_path / "mask.safetensors")
    model = torch.nn.Linear(5, 6, bias=False)

    hold_mask(model, tmp_path / "mask.safetensors").remove()

    assert_array_equal(topoimp.read_masks(tmp_path / "mask.safetensors")["weight"].kept(), KEPT)
    assert_array_equal(model.weight.detach().numpy() != 0, KEPT)


def test_a_numpy_mask_is_held_too():
    model = torch.nn.Linear(5, 6, bias=False)

    hold_mask(model, {"weight": KEPT.astype(np.uint8)}).remove()

    assert_array_equal(model.weight.detach().numpy() != 0, KEPT)


def test_weights_are_no_mask(tmp_path):
    save_file({"weight": WEIGHT}, tmp_path / "model.safetensors")

    with pytest.raises(CheckpointError, match=r"model.safetensors: is no mask; its metadata lacks topoimp.mask.shapes"):
        read_masks(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("reference", "masks", "message"),
    [
        ({"fc": WEIGHT}, {}, "there is no mask for layer 'fc'; `masks` needs one for each selected layer"),
        ({"fc": WEIGHT}, {"fc": KEPT.T}, r"the mask of 'fc' has the shape \[5, 6\]; it must be \[6, 5\]"),
        ({"fc": WEIGHT}, {"fc": WEIGHT}, "the mask of 'fc' has values besides 0 and 1; it must say which weights"),
        ({"fc": WEIGHT}, {"fc": "all"}, "the mask of 'fc' has values besides 0 and 1; it must say which weights"),
        (3, {"fc": KEPT}, "`reference` is int; it must be a path, a module of torch, or arrays by name"),
    ],
)
def test_masks_that_do_not_fit_are_refused(reference, masks, message):
    with pytest.raises(OptionError, match=f"^{message}"):
        mask_report(reference, masks)


def test_no_mask_and_an_existing_file_are_refused(tmp_path):
    with pytest.raises(OptionError, match="`masks` is empty; it must have a mask for at least one weight"):
        write_masks(tmp_path / "mask.safetensors", {})

    write_masks(tmp_path / "mask.safetensors", {"fc": KEPT})
    with pytest.raises(OutputError, match="exists"):
        write_masks(tmp_path / "mask.safetensors", {"fc": KEPT})
    write_masks(tmp_path / "mask.safetensors", {"fc": ~KEPT}, force=True)
    assert_array_equal(read_masks(tmp_path / "mask.safetensors")["fc"].kept(), ~KEPT)


def test_comparing_modules_is_refused_in_one_sentence():
    model = torch.nn.Linear(5, 6)

    with pytest.raises(OptionError, match=r"^`paths` has a Linear; paths of checkpoints, masks or rounds are needed"):
        comparison_report(model, model)


def test_a_rate_of_0_keeps_all_weights_and_reports_them():
    model = torch.nn.Linear(5, 6)
    before = model.weight.detach().clone()

    pruning = topoimp.prune_module(model, topoimp.PruningOptions(rounds=1, rate=0.0))

    assert torch.equal(model.weight, before)
    assert (pruning.report.network["n_kept"], pruning.report.network["barcode_kept"]) == (30, True)
