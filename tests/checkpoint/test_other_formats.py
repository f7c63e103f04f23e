import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from topoimp.checkpoint import open_checkpoint
from topoimp.checkpoint.other_formats import other_format
from topoimp.errors import CheckpointError


def npy():
    content = io.BytesIO()
    np.save(content, np.ones((3, 3)))
    return content.getvalue()


def npz():
    content = io.BytesIO()
    np.savez(content, a=np.ones((3, 3)))
    return content.getvalue()


def zipped(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return content.getvalue()


def tarred():
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.safetensors"))
    return content.getvalue()


FORMATS = {
    "git-lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n",
        "Git LFS pointer.*git lfs pull",
    ),
    "gguf": (b"GGUF\3\0\0\0" + bytes(64), "GGUF or GGML file of llama.cpp; name the checkpoint that it was conv"),
    "ggml": (b"tjgg\1\0\0\0" + bytes(64), "GGUF or GGML file"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5 file, as Keras writes them; export its weights"),
    "npy": (npy(), r"NumPy array \(.npy\); save its arrays with safetensors.numpy"),
    "npz": (npz(), r"NumPy archive \(.npz\); save its arrays with safetensors.numpy"),
    "onnx": (
        b"\x08\x07\x12\x07pytorch\x1a\x052.1.0" + bytes(64),
        "ONNX model; of the network that it was export",
    ),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(64), "TensorFlow Lite model"),
    "pytorch mobile": (b"\x18\0\0\0PTMF" + bytes(64), "PyTorch Mobile file"),
    "flax": (b"\x81\xa6params\x82\xa5Dense" + bytes(64), "MessagePack file, as Flax writes them"),
    "gzip": (gzip.compress(b"x" * 100), "compressed with gzip; unpack it with gunzip"),
    "bzip2": (bz2.compress(b"x" * 100), "compressed with bzip2"),
    "xz": (lzma.compress(b"x" * 100), "compressed with xz"),
    "zstandard": (b"\x28\xb5\x2f\xfd\x24\x01" + bytes(64), "compressed with Zstandard; unpack it with 'zstd -d'"),
    "lz4": (b"\x04\x22\x4d\x18" + bytes(64), "compressed with LZ4"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(64), "7z archive; unpack it"),
    "rar": (b"Rar!\x1a\x07\x01\0" + bytes(64), "RAR archive; unpack it"),
    "tar": (tarred(), "tar archive; unpack it"),
    "zip": (zipped("model.safetensors"), "zip archive without PyTorch's data.pkl; unpack it"),
    "keras": (zipped("config.json", "model.weights.h5"), r"Keras archive \(.keras\)"),
    "torchscript": (
        zipped("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"),
        "TorchScript archive, which holds a program; load it with torch.jit.load",
    ),
    "torch.export": (zipped("m/archive_format", "m/data/weights/w.pt"), "archive of torch.export"),
    "old torch.export": (zipped("serialized_exported_program.json"), "archive of torch.export"),
    "appledouble": (b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(64), "AppleDouble file, which macOS writes beside a file"),
    "html": (
        b"\n<!DOCTYPE HTML><html>Not found</html>",
        "web page, such as one with an error; download",
    ),
    "xml": (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "XML text, .*; download the file again"),
    "json": (b'{"error": "gated repository"}', "JSON text; the name of an index of shards ends in .index.json"),
    "text": (b"Entry not found", "a text that begins with 'Entry not found', and no weights; download the file again"),
    "long text": ("Zutritt verwehrt ✗ ".encode() * 90, r"a text that begins with 'Zutritt .*\.\.\.', and no weights"),
    "zeros": (bytes(4096), "all zeros at its beginning, as after a download that did not finish"),
}


@pytest.mark.parametrize("name", ["m.safetensors", "m.pt", "m.bin", "m"])
@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_of_another_format_is_called_what_it_is_whatever_its_name(tmp_path, name, format_):
    content, message = FORMATS[format_]
    (tmp_path / name).write_bytes(content)

    with pytest.raises(CheckpointError, match=f"{name}: is .*{message}") as caught:
        open_checkpoint(tmp_path / name)

    assert "weights_only" not in str(caught.value)


def test_a_pickle_under_another_name_is_no_checkpoint(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"a": [1.0]}))

    with pytest.raises(CheckpointError, match=r"model.pkl: is a pickle that torch.save did not write, and loading one"):
        open_checkpoint(tmp_path / "model.pkl")


@given(st.integers(0, 99_999_999), st.binary(max_size=600))
def test_nothing_that_begins_like_a_safetensors_file_is_taken_for_another_format(tmp_path_factory, length, rest):
    path = tmp_path_factory.mktemp("m") / "m.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b"{" + rest)

    assert other_format(path) is None


def test_a_pytorch_file_of_any_age_is_taken_for_no_other_format(tmp_path):
    for name, is_zip in (("new.pt", True), ("old.pt", False)):
        torch.save({"a": torch.ones(2)}, tmp_path / name, _use_new_zipfile_serialization=is_zip)

    (tmp_path / "one.safetensors").write_bytes(save({"a": np.ones(2)}))

    assert [other_format(path) for path in sorted(tmp_path.iterdir())] == [None, None, None]


@given(st.binary(max_size=700))
def test_any_bytes_have_an_answer(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("m") / "m"
    path.write_bytes(content)

    answer = other_format(path)

    assert answer is None or answer.startswith(("a ", "an ", "all ", "compressed "))
