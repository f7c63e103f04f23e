import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import CheckpointError


def test_every_float_type_that_the_safetensors_package_writes_is_read_bit_for_bit(tmp_path):
    values = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    names = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    names |= {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
    tensors = {name: values.to(dtype) for name, dtype in names.items()}
    save_file(tensors, tmp_path / "all.safetensors", {"format": "pt"})

    checkpoint = open_checkpoint(tmp_path / "all.safetensors")

    assert checkpoint.metadata == {"format": "pt"}
    assert {name: tensor.dtype for name, tensor in checkpoint.tensors.items()} == {name: name for name in names}
    for name, tensor in tensors.items():
        assert checkpoint.read_bytes(name) == tensor.view(torch.uint8).numpy().tobytes()
        assert checkpoint.read_codes(name).shape == (24,)


def test_codes_are_read_only(write):
    checkpoint = open_checkpoint(write({"a": np.ones((2, 2))}))

    assert not checkpoint.read_codes("a").flags.writeable


def test_a_checkpoint_without_tensors_is_one(write):
    assert dict(open_checkpoint(write({})).tensors) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.safetensors", "none.safetensors: no such file"),
        ("empty", "is a folder without weights; a .safetensors file is needed"),
        ("model", "is a folder; name one of the files in it, such as .*model/model.safetensors"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").touch()

    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds 0 bytes; a safetensors file has at least 8"),
        (b"PK\x03\x04" + b"x" * 100, "this is not a safetensors file"),
        ((50).to_bytes(8, "little") + b"{}", "announces a header of 50 bytes, but the file holds 10; it is truncated"),
        ((2).to_bytes(8, "little") + b"no", "has a header that is not JSON"),
    ],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, content, message):
    (tmp_path / "bad").write_bytes(content)

    with pytest.raises(CheckpointError, match=f"bad: {message}|bad: .*{message}"):
        open_checkpoint(tmp_path / "bad")


def test_a_file_that_shrinks_while_it_is_read_is_noticed(write):
    path = write({"a": np.ones((2, 2))})
    checkpoint = open_checkpoint(path)
    path.write_bytes(path.read_bytes()[:-8])

    with pytest.raises(CheckpointError, match="tensor 'a' ends too early; the file changed while it was read"):
        checkpoint.read_bytes("a")


def test_bits_survive_whatever_they_mean(write):
    weight = np.array([[0.0, -0.0], [np.pi, -1e-310]])

    codes = open_checkpoint(write({"a": weight})).read_codes("a")

    assert_array_equal(codes, weight.view(np.uint64).ravel())
