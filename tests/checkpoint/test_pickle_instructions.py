import io
import pickle
from pathlib import Path

import pytest
import torch
from torch_damage import exchanged, instructions, main_pickle, pushed

from topoimp.checkpoint import open_checkpoint
from topoimp.checkpoint.pickle_instructions import MAX_DEPTH, RefusedPickleError, follow
from topoimp.errors import CheckpointError


def followed(content):
    return follow(io.BytesIO(content))


def saved(content, *, is_zip=True):
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def with_value(content, value):
    """Return the file with one more value in its state dict; ``value`` holds the instructions that push it."""
    before, finished = main_pickle(content)
    place = next(start for name, _, start, _ in reversed(instructions(before)) if name == "SETITEMS")
    return finished(exchanged(before, place, place, pushed("more") + value))


def assert_refused(content, path: Path, reason):
    path.write_bytes(content)

    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)

    assert str(caught.value) == f"{path}: is no PyTorch file that can be loaded ({reason})"


TENSORS = {"a": torch.ones(2, 3), "b": torch.ones(4)}


def test_storages_are_named_once_and_in_their_order():
    fused = torch.ones(10)
    content, _ = main_pickle(saved({"x": fused[:4], "y": torch.ones(3, 5), "z": fused[4:], "none": torch.ones(0)}))

    assert list(followed(content).n_elements.items()) == [("0", 10), ("1", 15), ("2", 0)]
    assert followed(content).is_whole


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02", b"\x80\x02}", b"\x80\x02.", b"\x80\x02h\x07.", b"\x80\x02\x8b\xff"]
)
def test_a_pickle_that_torch_load_refuses_is_followed_as_far_as_it_goes(content):
    assert not followed(content).is_whole
    assert followed(content).n_elements == {}


def test_tuples_may_be_nested_up_to_the_limit():
    def nested(depth):
        return b"\x80\x02)" + b"\x85" * (depth - 1) + b"."

    assert followed(nested(MAX_DEPTH)).is_whole
    with pytest.raises(RefusedPickleError, match="its pickle nests more than 1000 tuples"):
        followed(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_name_of_nested_tuples_whose_hash_would_overflow_the_stack_is_refused(tmp_path, is_zip):
    content = saved(TENSORS, is_zip=is_zip)
    before, finished = main_pickle(content)
    place = next(start for name, _, start, _ in reversed(instructions(before)) if name == "SETITEMS")
    damaged = finished(exchanged(before, place, place, b")" + b"\x85" * 200_000 + pushed("deep")))

    assert_refused(damaged, tmp_path / "m.pt", "its pickle nests more than 1000 tuples")


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (b"cbuiltins\nbytearray\n" + pushed(2**40) + b"\x85R", "its pickle makes a byte array of any length"),
        (b"c__builtin__\nbytearray\n" + pushed([1]) + b"\x85R", "its pickle makes a byte array of any length"),
        (b"ctorch\nTensor\n" + pushed(2**40) + b"\x85R", "its pickle makes a tensor of any length"),
        (b"ctorch\nFloatTensor\n" + pushed((2**20, 2**20)) + b"R", "its pickle makes a tensor of any length"),
    ],
)
def test_memory_of_a_given_length_is_not_made(tmp_path, call, reason, is_zip):
    assert_refused(with_value(saved(TENSORS, is_zip=is_zip), call), tmp_path / "m.pt", reason)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(
    "value", [bytearray(b"text"), bytearray(), b"bytes", (1, (2, (3,))), torch.nn.Parameter(torch.ones(2))]
)
def test_values_that_torch_save_writes_are_read(tmp_path, value, is_zip):
    (tmp_path / "m.pt").write_bytes(saved({**TENSORS, "value": value}, is_zip=is_zip))

    assert {"a", "b"} <= set(open_checkpoint(tmp_path / "m.pt").tensors)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("size", [4, 2**34, 2**61])
def test_a_tensor_beyond_the_end_of_its_storage_is_refused_before_any_memory_is_taken(tmp_path, size, is_zip):
    before, finished = main_pickle(saved({"a": torch.ones(2, 3)}, is_zip=is_zip))
    sizes = [each for each in instructions(before) if each[0] == "BININT1" and each[1] == 2]
    _, _, start, stop = sizes[0]
    damaged = finished(exchanged(before, start, stop, pushed(size)))

    assert_refused(damaged, tmp_path / "m.pt", "its pickle places a tensor beyond the end of its storage")


def test_a_list_of_texts_is_known():
    assert followed(pickle.dumps(["0", "1"], protocol=2)).texts == ["0", "1"]
    assert followed(pickle.dumps({"0": "1"}, protocol=2)).texts is None
