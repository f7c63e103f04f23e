import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from topoimp.checkpoint import open_checkpoint, tensors_as_checkpoint
from topoimp.checkpoint.flags import INTEGERS, NotAFlag, can_be_flags, flags_in, stored_flags
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import CheckpointError

TYPES = [
    *(torch.bool, torch.uint8, torch.int8, torch.uint16, torch.int16, torch.uint32, torch.int32, torch.uint64),
    *(torch.int64, torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.float8_e5m2, torch.float8_e4m3fn),
]


def stored(tensor):
    checkpoint = tensors_as_checkpoint({"a": tensor}, name="memory")
    return checkpoint.stored("a"), checkpoint.tensors["a"].dtype


@pytest.mark.parametrize("dtype", TYPES)
def test_0_and_1_of_every_type_are_flags_and_written_as_torch_writes_them(dtype):
    flags = [True, False, False, True, True]
    numbers = torch.tensor(flags).to(dtype)

    bits, name = stored(numbers)

    assert can_be_flags(name)
    assert_array_equal(flags_in(bits, name), flags)
    assert_array_equal(stored_flags(np.array(flags), name), bits)


def test_every_type_of_a_mask_is_tested():
    assert {stored(torch.zeros(1).to(dtype))[1] for dtype in TYPES} == {*INTEGERS, *NUMBER_FORMATS}


def test_minus_zero_is_zero_and_nothing_has_no_flags():
    assert flags_in(np.float32([-0.0, 1]).view(np.uint8), "F32").tolist() == [False, True]
    assert flags_in(np.uint8([]), "I64").tolist() == []


@given(st.lists(st.sampled_from([0, 1, 2, -1, 100]), max_size=9))
def test_the_first_number_that_is_neither_is_named(numbers):
    found = flags_in(np.int64(numbers).view(np.uint8), "I64")

    wrong = [(index, str(number)) for index, number in enumerate(numbers) if number not in (0, 1)]
    if wrong:
        assert found == NotAFlag(*wrong[0])
    else:
        assert_array_equal(found, [number == 1 for number in numbers])


@pytest.mark.parametrize(
    ("dtype", "number", "text"),
    [
        (torch.float32, 0.5, "0.5"),
        (torch.float16, float("nan"), "nan"),
        (torch.bfloat16, -1.0, "-1"),
        (torch.float8_e4m3fn, 0.5, "0.5"),
        (torch.uint8, 255, "255"),
        (torch.int16, -1, "-1"),
    ],
)
def test_a_number_that_is_no_flag_is_named_with_its_tensor_and_its_place(tmp_path, dtype, number, text):
    torch.save({"fc.weight": torch.tensor([[0, 1], [number, 1]]).to(dtype)}, tmp_path / "mask.pt")
    checkpoint = open_checkpoint(tmp_path / "mask.pt")

    assert checkpoint.flags("fc.weight", 0, 2).tolist() == [False, True]
    assert checkpoint.are_flags("fc.weight", 3, 4)
    assert not checkpoint.are_flags("fc.weight", 1, 4)
    with pytest.raises(
        CheckpointError, match=rf"mask.pt: tensor 'fc.weight' holds {text} at index 2; as a mask it needs 0 and 1 alone"
    ):
        checkpoint.flags("fc.weight", 1, 4)


def test_packed_and_complex_numbers_are_no_flags():
    assert not any(map(can_be_flags, ("F4", "F8_E8M0", "C64", "F8_E4M3FNUZ")))
