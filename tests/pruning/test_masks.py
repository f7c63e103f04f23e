import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mask_files import pack_mask, write_masks
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file

from topoimp.checkpoint import write_arrays
from topoimp.errors import CheckpointError
from topoimp.pruning.masks import SHAPES_KEY, PackedMask, read_masks

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_packing_loses_nothing(kept):
    mask = pack_mask(kept, kept.shape)

    assert_array_equal(mask.kept(), kept)
    assert mask.n_kept == np.count_nonzero(kept)
    assert mask.bits.nbytes == -(-kept.size // 8)


@given(MASKS, st.integers(0, 2**32 - 1))
def test_a_mask_is_within_another_if_it_keeps_nothing_more(kept, seed):
    less = kept & (np.random.default_rng(seed).random(kept.shape) < 0.5)

    assert pack_mask(less, kept.shape).is_within(pack_mask(kept, kept.shape))
    assert pack_mask(kept, kept.shape).is_within(pack_mask(less, kept.shape)) == np.array_equal(less, kept)


def test_masks_of_other_shapes_are_not_within_each_other():
    kept = np.zeros((2, 3), bool)

    assert not pack_mask(kept, (2, 3)).is_within(pack_mask(kept, (3, 2)))


@given(MASKS, st.data())
def test_a_part_of_a_mask_is_that_part(kept, data):
    start = data.draw(st.integers(0, kept.size))
    stop = data.draw(st.integers(start, kept.size))

    assert_array_equal(pack_mask(kept, kept.shape).part(start, stop), kept.ravel()[start:stop])


def test_the_first_weight_is_in_the_lowest_bit():
    assert PackedMask((2, 3), np.uint8([0b100001])).kept().tolist() == [[True, False, False], [False, False, True]]


def test_a_mask_file_is_read_back(tmp_path):
    masks = {"a": pack_mask(np.eye(3, dtype=bool), (3, 3)), "conv": pack_mask(np.ones((2, 4), bool), (2, 1, 2, 2))}

    write_masks(tmp_path / "mask.safetensors", masks, {"topoimp.method": "random"})

    read = read_masks(tmp_path / "mask.safetensors")
    assert list(read) == ["a", "conv"]
    assert_array_equal(read["a"].kept(), np.eye(3, dtype=bool))
    assert read["conv"].kept().shape == (2, 1, 2, 2)
    assert load_file(tmp_path / "mask.safetensors")["conv"].tolist() == [255]


@pytest.mark.parametrize(
    ("arrays", "metadata", "message"),
    [
        ({"a": np.zeros(2, np.uint8)}, {}, f"is no mask; its metadata lacks {SHAPES_KEY}"),
        ({"a": np.zeros(2, np.uint8)}, {SHAPES_KEY: "[1]"}, "is no mask"),
        (
            {"a": np.zeros(2, np.uint8)},
            {SHAPES_KEY: '{"a": [3, 3, 3]}'},
            "tensor 'a' does not hold one bit for each weight",
        ),
        ({"a": np.zeros(2, np.uint8)}, {SHAPES_KEY: "{}"}, "tensor 'a' does not hold one bit for each weight"),
        ({"a": np.zeros((2, 1), np.uint8)}, {SHAPES_KEY: '{"a": [3, 3]}'}, "tensor 'a' does not hold one bit"),
        (
            {"a": np.full(2, 255, np.uint8)},
            {SHAPES_KEY: '{"a": [3, 3]}'},
            "tensor 'a' has bits set beyond its last weight",
        ),
        ({"a": np.zeros(2, np.uint8)}, {SHAPES_KEY: '{"a": [-4, -4]}'}, "tensor 'a' does not hold one bit"),
        ({"a": np.zeros(2, np.uint8)}, {SHAPES_KEY: "[" * 100_000}, "is no mask"),
        ({"a": np.zeros(2, np.uint8)}, {SHAPES_KEY: '{"a": [Infinity]}'}, "is no mask"),
        ({"a": np.zeros(2, np.uint8)}, {SHAPES_KEY: '{"a": "44"}'}, "is no mask"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, arrays, metadata, message):
    write_arrays(tmp_path / "mask", arrays, metadata)

    with pytest.raises(CheckpointError, match=message):
        read_masks(tmp_path / "mask")
