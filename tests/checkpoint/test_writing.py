import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from topoimp.checkpoint import CheckpointCopy, TensorWriter, bytes_of_copy, laid_out, open_checkpoint, write_arrays
from topoimp.errors import CheckpointError

ARRAYS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.arange(4, dtype=np.float64),
    "half": np.ones((2, 2), np.float16),
    "scalar": np.array(3.0, np.float32),
    "empty": np.empty((0, 3), np.float32),
    "bits": np.arange(3, dtype=np.uint8),
    "steps": np.array(7, np.int64),
    "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
}


def copy_of(original, place, metadata=(), changed=None):
    with CheckpointCopy(place, original, dict(metadata)) as copy:
        for name in original.tensors:
            if name in (changed or {}):
                copy.write(name, 0, changed[name])
            else:
                copy.copy_tensor(name)
        copy.copy_other_files()
    return open_checkpoint(place)


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


def test_a_copy_changes_only_what_it_is_told_to_and_keeps_the_layout(tmp_path):
    tensors = {"w": np.ones((2, 2), np.float32), "i": np.arange(5), "z": np.ones(3, np.float16)}
    save_file(tensors, tmp_path / "old", {"k": "v"})
    original = open_checkpoint(tmp_path / "old")

    copy = copy_of(original, tmp_path / "new", {"added": "1"}, {"w": np.zeros((2, 2), np.uint32)})

    assert list(copy.tensors.values()) == list(original.tensors.values())
    assert dict(copy.metadata) == {"k": "v", "added": "1"}
    loaded = load_file(tmp_path / "new")
    assert_array_equal(loaded["w"], np.zeros((2, 2)))
    assert_array_equal(loaded["i"], tensors["i"])
    assert_array_equal(loaded["z"], tensors["z"])


def test_tensors_described_in_another_order_than_they_lie_in_keep_both(tmp_path):
    header = (
        b'{"late":{"dtype":"U8","shape":[2],"data_offsets":[3,5]},'
        b'"early":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}'
    )
    (tmp_path / "old").write_bytes(len(header).to_bytes(8, "little") + header + b"abcde")

    copy = copy_of(open_checkpoint(tmp_path / "old"), tmp_path / "new")

    assert list(copy.tensors) == ["late", "early"]
    assert (copy.stored("late").tobytes(), copy.stored("early").tobytes()) == (b"de", b"abc")


def test_a_tensor_larger_than_a_piece_is_copied_whole(tmp_path):
    weight = np.random.default_rng(0).normal(size=400_001)
    write_arrays(tmp_path / "old", {"small": np.ones(3), "w": weight}, {})

    copy_of(open_checkpoint(tmp_path / "old"), tmp_path / "new")

    assert_array_equal(load_file(tmp_path / "new")["w"], weight)


def test_pieces_may_come_in_any_order_but_must_lie_within_their_tensor(tmp_path):
    with TensorWriter(tmp_path / "m", laid_out({"w": ("U8", (4,))}), {}) as writer:
        writer.write("w", 2, np.array([3, 4], np.uint8))
        writer.write("w", 0, np.array([1, 2], np.uint8))
        with pytest.raises(ValueError, match="w: bytes 3 to 5 of 4"):
            writer.write("w", 3, np.array([3, 4], np.uint8))

    assert load_file(tmp_path / "m")["w"].tolist() == [1, 2, 3, 4]


@pytest.fixture
def folder(tmp_path):
    """A model folder as people have them: shards, an index, configuration, and things that are not to be copied."""
    place = tmp_path / "model"
    files = {
        "model.safetensors.index.json": {"weight_map": {"a": "s1.safetensors", "b": "s2.safetensors"}, "extra": [1]},
        "config.json": {"model_type": "bert"},
        "1_Pooling/config.json": {"pooling": True},
        ".cache/x": {},
        "pytorch_model.bin": {},
        "onnx/model.onnx": {},
    }
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(json.dumps(content))
    save_file({"a": np.ones((2, 2))}, place / "s1.safetensors", {"format": "pt"})
    save_file({"b": np.zeros((2, 3))}, place / "s2.safetensors")
    (place / "vocabulary.txt").symlink_to(place / "config.json")
    return place


def test_threads_that_close_a_file_at_once_close_it_once(tmp_path, monkeypatch):
    # A second close would hit whatever file has the number by then. Without turns, all threads meet in the close.
    n_threads = 4
    closed = []
    together = Barrier(n_threads)
    close = os.close

    def close_when_all_are_there(number):
        closed.append(number)
        with suppress(BrokenBarrierError):
            together.wait(timeout=0.2)  # they never are there if they take turns
        if closed.count(number) == 1:
            close(number)

    with TensorWriter(tmp_path / "a", laid_out({"a": ("F32", (2,))}), {}) as writer:
        writer.write("a", 0, np.ones(2, np.float32))
        monkeypatch.setattr(os, "close", close_when_all_are_there)
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(lambda _: writer.close(), range(n_threads)))
        monkeypatch.undo()

    assert len(closed) == 1
    assert_array_equal(load_file(tmp_path / "a")["a"], [1, 1])


def test_a_folder_is_copied_with_its_index_and_everything_that_holds_no_weights(folder, tmp_path):
    (tmp_path / "copy").mkdir()

    copy = copy_of(open_checkpoint(folder), tmp_path / "copy", {"added": "1"})

    written = {str(path.relative_to(copy.path)) for path in copy.path.rglob("*") if path.is_file()}
    assert written == {
        "model.safetensors.index.json",
        "config.json",
        "1_Pooling/config.json",
        "s1.safetensors",
        "s2.safetensors",
        "vocabulary.txt",
    }
    index = "model.safetensors.index.json"
    assert (copy.path / index).read_bytes() == (folder / index).read_bytes()
    assert not (copy.path / "vocabulary.txt").is_symlink()
    assert [dict(file.metadata) for file in copy.files] == [{"format": "pt", "added": "1"}, {"added": "1"}]


def test_the_size_of_a_copy_is_known_before_it_is_made(folder):
    others = sum(
        len((folder / name).read_bytes()) for name in ("config.json", "1_Pooling/config.json", "vocabulary.txt")
    )

    assert bytes_of_copy(open_checkpoint(folder)) == 80 + others


def test_a_pytorch_file_becomes_a_safetensors_file_with_everything_written_out(tmp_path):
    tied, turned = torch.randn(3, 4), torch.arange(6.0).reshape(2, 3).T
    torch.save({"a": tied, "turned": turned, "b": tied}, tmp_path / "m.pt")

    copy_of(open_checkpoint(tmp_path / "m.pt"), tmp_path / "new.safetensors")

    loaded = load_file(tmp_path / "new.safetensors")
    assert_array_equal(loaded["a"], tied.numpy())
    assert_array_equal(loaded["b"], tied.numpy())
    assert_array_equal(loaded["turned"], turned.numpy())
    with safe_open(tmp_path / "new.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt"}


def test_shards_of_pytorch_files_become_shards_under_the_usual_names(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    torch.save({"a": torch.ones(2, 2)}, tmp_path / "old/pytorch_model-00001-of-00001.bin")
    index = {"metadata": {"total_size": 16}, "weight_map": {"a": "pytorch_model-00001-of-00001.bin"}}
    (tmp_path / "old/pytorch_model.bin.index.json").write_text(json.dumps(index))

    copy_of(open_checkpoint(tmp_path / "old"), tmp_path / "new")

    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "model-00001-of-00001.safetensors",
        "model.safetensors.index.json",
    ]
    index["weight_map"] = {"a": "model-00001-of-00001.safetensors"}
    assert json.loads((tmp_path / "new/model.safetensors.index.json").read_text()) == index


def test_a_type_that_safetensors_does_not_have_is_refused_before_anything_is_written(tmp_path):
    torch.save({"a": torch.ones(2, 2), "odd": torch.ones(2, dtype=torch.complex128)}, tmp_path / "m.pt")

    with pytest.raises(
        CheckpointError, match=r"m.pt: tensor 'odd' has the type complex128, which safetensors does not have"
    ):
        copy_of(open_checkpoint(tmp_path / "m.pt"), tmp_path / "new.safetensors")

    assert not (tmp_path / "new.safetensors").exists()
