import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from topoimp.checkpoint import open_checkpoint, write_arrays, write_like

ARRAYS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.arange(4, dtype=np.float64),
    "half": np.ones((2, 2), np.float16),
    "scalar": np.array(3.0, np.float32),
    "empty": np.empty((0, 3), np.float32),
    "bits": np.arange(3, dtype=np.uint8),
    "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
}


def test_the_safetensors_package_loads_what_is_written(tmp_path):
    write_arrays(tmp_path / "m.safetensors", ARRAYS, {"format": "pt", "umlaut": "ü"})

    loaded = load_file(tmp_path / "m.safetensors")

    assert set(loaded) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded[name].dtype == array.dtype
        assert_array_equal(loaded[name], array)
    with safe_open(tmp_path / "m.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt", "umlaut": "ü"}


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    write_arrays(tmp_path / "1", ARRAYS, {"x": "1", "y": "2"})
    write_arrays(tmp_path / "2", ARRAYS, {"x": "1", "y": "2"})

    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_copy_replaces_only_what_it_is_told_to_and_keeps_the_layout(tmp_path):
    save_file(
        {"w": np.ones((2, 2), np.float32), "i": np.arange(5), "z": np.ones(3, np.float16)}, tmp_path / "old", {"k": "v"}
    )
    original = open_checkpoint(tmp_path / "old")

    write_like(tmp_path / "new", original, {"added": "1"}, {"w": lambda: np.zeros((2, 2), np.uint32)})

    copy, loaded = open_checkpoint(tmp_path / "new"), load_file(tmp_path / "new")
    assert list(copy.tensors.values()) == list(original.tensors.values())
    assert dict(copy.metadata) == {"k": "v", "added": "1"}
    assert_array_equal(loaded["w"], np.zeros((2, 2)))
    assert copy.read_bytes("i") == original.read_bytes("i")
    assert copy.read_bytes("z") == original.read_bytes("z")


def test_tensors_described_in_another_order_than_they_lie_in_keep_both(tmp_path):
    header = (
        b'{"late":{"dtype":"U8","shape":[2],"data_offsets":[3,5]},'
        b'"early":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}'
    )
    (tmp_path / "old").write_bytes(len(header).to_bytes(8, "little") + header + b"abcde")

    write_like(tmp_path / "new", open_checkpoint(tmp_path / "old"), {}, {})

    copy = open_checkpoint(tmp_path / "new")
    assert list(copy.tensors) == ["late", "early"]
    assert (copy.read_bytes("late"), copy.read_bytes("early")) == (b"de", b"abc")


def test_a_replacement_of_another_size_is_a_bug(tmp_path):
    write_arrays(tmp_path / "old", {"w": np.ones((2, 2))}, {})

    with pytest.raises(ValueError, match="w: 8 bytes to replace 32"):
        write_like(tmp_path / "new", open_checkpoint(tmp_path / "old"), {}, {"w": lambda: np.zeros(1)})
