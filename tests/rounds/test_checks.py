"""Each check of a round notices the defect that it is there for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mask_files import pack_mask

from topoimp.checkpoint import open_checkpoint, write_arrays
from topoimp.errors import TrainingError, VerificationError
from topoimp.layers.block import Block
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.pruning.masks import PackedMask
from topoimp.rounds.checks import check_held, check_related, check_started, check_within, open_trained


def layers_of(path):
    return select_layers(open_checkpoint(path), LayerPatterns())


def test_a_mask_that_brings_a_weight_back_is_noticed():
    before = np.array([[True, False], [True, True]])

    check_within({"w": pack_mask(before, (2, 2))}, {"w": pack_mask(before | True, (2, 2))}, Path("mask"))
    with pytest.raises(VerificationError, match="mask: keeps a weight of 'w' that was pruned before"):
        check_within({"w": pack_mask(before | True, (2, 2))}, {"w": pack_mask(before, (2, 2))}, Path("mask"))


def test_a_trainer_that_started_elsewhere_is_noticed(write):
    init = write({"w": np.ones((3, 4), np.float32), "b": np.zeros(3, np.float32)}, "init")
    started = write({"w": np.ones((3, 4), np.float32), "b": np.array([0, 1, 0], np.float32)}, "started")

    check_started(init, open_checkpoint(init))
    with pytest.raises(VerificationError, match="other weights than it was given: tensor 'b' differs at index 1"):
        check_started(started, open_checkpoint(init))


def test_what_a_trainer_says_it_started_from_must_be_a_checkpoint(write, tmp_path):
    (tmp_path / "started.safetensors").write_bytes(b"nothing")
    init = write({"w": np.ones((3, 4), np.float32)}, "init")

    with pytest.raises(VerificationError, match="the weights that the trainer says it started from are none"):
        check_started(tmp_path / "started.safetensors", open_checkpoint(init))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"w": np.ones((3, 4), np.float32)}, "lacks tensor 'b' of .*init; both need the same"),
        ({"w": np.ones((4, 3), np.float32), "b": np.zeros(3, np.float32)}, r"'w' is F32 \[4, 3\]; .* has F32 \[3, 4\]"),
        ({"w": np.ones((3, 4), np.float16), "b": np.zeros(3, np.float32)}, r"'w' is F16 \[3, 4\]; .* has F32 \[3, 4\]"),
        (
            {"w": np.ones((3, 4), np.float32), "b": np.zeros(3, np.float32), "m": np.zeros(3, np.float32)},
            "has a tensor 'm' that .*init lacks",
        ),
        (
            {"w": np.full((3, 4), np.nan, np.float32), "b": np.zeros(3, np.float32)},
            "tensor 'w' is NaN or infinite at index 0; training diverged",
        ),
        (
            {"w": np.ones((3, 4), np.float32), "b": np.array([0, 0, np.inf], np.float32)},
            "tensor 'b' is NaN or infinite at index 2; training diverged",
        ),
    ],
)
def test_what_a_trainer_writes_must_be_the_same_tensors_with_finite_numbers(write, arrays, message):
    init = open_checkpoint(write({"w": np.ones((3, 4), np.float32), "b": np.zeros(3, np.float32)}, "init"))

    with pytest.raises(VerificationError, match=message):
        open_trained(write(arrays, "out"), init)


def test_a_trainer_must_write_something(write, tmp_path):
    init = open_checkpoint(write({"w": np.ones((3, 4), np.float32)}, "init"))

    with pytest.raises(TrainingError, match="ended without an error, but did not write this"):
        open_trained(tmp_path / "missing.safetensors", init)


@given(st.integers(0, 99), st.integers(1, 119))
def test_weights_that_came_back_are_counted(tmp_path_factory, seed, n_kept):
    rng = np.random.default_rng(seed)
    kept = np.zeros(120, bool)
    kept[rng.permutation(120)[:n_kept]] = True
    revived = np.zeros(120, bool)
    revived[rng.choice(np.flatnonzero(~kept))] = True
    path = tmp_path_factory.mktemp("held") / "out.safetensors"
    masks = {"w": pack_mask(kept, (10, 12))}
    write_arrays(path, {"w": np.where(kept, 1.0, -0.0).reshape(10, 12)}, {})
    check_held(layers_of(path), masks)
    write_arrays(path, {"w": (kept | revived).astype(np.float64).reshape(10, 12)}, {})

    with pytest.raises(
        VerificationError, match=f"1 pruned weights of 'w' came back .* the first at index {np.argmax(revived)};"
    ):
        check_held(layers_of(path), masks)


def related(write, trained, init, kept=None):
    shape = trained.shape
    masks = {"w": pack_mask(np.ones(shape, bool) if kept is None else kept, shape)}
    ours, theirs = write({"w": trained}, "out"), write({"w": init}, "init")
    return check_related(layers_of(ours), layers_of(theirs), masks)


def test_weights_trained_from_others_still_resemble_them(write):
    rng = np.random.default_rng(0)
    init = rng.normal(size=(40, 50)).astype(np.float32)

    deviations = related(write, (init + 2 * rng.normal(size=init.shape)).astype(np.float32), init)

    assert deviations == pytest.approx(2000**0.5 / 5**0.5, rel=0.15)  # correlation 1 / sqrt(5), by hand


@pytest.mark.parametrize("seed", range(20))
def test_weights_trained_from_elsewhere_do_not(write, seed):
    one, other = (np.random.default_rng(seed + k).normal(size=(40, 50)).astype(np.float32) for k in (0, 100))

    with pytest.raises(VerificationError, match=r"have nothing to do with those that training was to start"):
        related(write, one, other)


def test_too_few_weights_or_constant_ones_tell_nothing(write):
    one, other = (np.random.default_rng(k).normal(size=(9, 11)).astype(np.float32) for k in (0, 1))

    assert related(write, one, other) is None
    assert related(write, np.ones((20, 20), np.float32), np.ones((20, 20), np.float32)) is None
    assert (
        related(write, np.ones((20, 20), np.float32), np.ones((20, 20), np.float32), np.zeros((20, 20), bool)) is None
    )


def test_a_mask_says_which_weights_it_keeps():
    kept = np.random.default_rng(0).random(77) < 0.5
    mask = pack_mask(kept, (7, 11))

    assert mask.keeps(np.arange(77)).tolist() == kept.tolist()
    assert mask.n_kept_of(Block(3, 47, 47, 47)) == kept[3:50].sum()
    assert isinstance(mask, PackedMask)
