import numpy as np
import pytest
import torch

from topoimp.checkpoint import CheckpointCopy, open_checkpoint
from topoimp.checkpoint.torch_layout import tensor_places
from topoimp.errors import VerificationError
from topoimp.writing.torch_verification import verify_other_bytes

CONTENT = {"model": {"w": torch.ones(30, 40), "v": torch.ones(3)}, "optimizer": {"m": torch.ones(5)}, "epoch": 3}


@pytest.fixture(params=[True, False], ids=["zip", "older"])
def copied(tmp_path, request):
    """An original, and a copy of it in which ``w`` is exchanged."""
    original, copy = tmp_path / "m.pt", tmp_path / "copy.pt"
    torch.save(CONTENT, original, _use_new_zipfile_serialization=request.param)
    with CheckpointCopy(copy, open_checkpoint(original), {}, as_torch=True) as writer:
        writer.write("w", 0, np.zeros(1200, np.uint32))
    return original, copy


def verify(original, copy):
    verify_other_bytes(copy, original, open_checkpoint(original).files[0].loaded, ["w"])


def place_of(name, original):
    return tensor_places(original, open_checkpoint(original).files[0].loaded)[name]


def change(path, byte):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


def test_a_right_copy_is_right(copied):
    verify(*copied)


def test_every_byte_outside_the_tensor_is_compared(copied):
    original, copy = copied
    content = copy.read_bytes()

    # The storages of an older file lie in the order of their addresses, which differs from run to run.
    for byte in (0, 40, place_of("w", original).start - 1, place_of("v", original).start):
        change(copy, byte)
        with pytest.raises(VerificationError, match=r"copy.pt: a byte from \d+ on changed that is no part of a layer"):
            verify(original, copy)
        copy.write_bytes(content)


def test_a_copy_of_another_size_is_refused(copied):
    original, copy = copied
    copy.write_bytes(copy.read_bytes() + b"x")

    with pytest.raises(VerificationError, match=r"copy.pt: has another size than .*m.pt"):
        verify(original, copy)


def test_a_wrong_checksum_is_named(tmp_path):
    torch.save(CONTENT, tmp_path / "m.pt")
    (tmp_path / "copy.pt").write_bytes((tmp_path / "m.pt").read_bytes())
    change(tmp_path / "copy.pt", place_of("w", tmp_path / "m.pt").start)

    with pytest.raises(VerificationError, match=r"copy.pt: record m/data/0 has a wrong checksum"):
        verify(tmp_path / "m.pt", tmp_path / "copy.pt")
