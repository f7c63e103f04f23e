import numpy as np
import pytest

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import CheckpointError


def test_a_checkpoint_without_tensors_is_one(write):
    assert dict(open_checkpoint(write({})).tensors) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.safetensors", "none.safetensors: no such file"),
        ("empty", "is a folder without weights; a .safetensors file or an index is needed"),
        (
            "several",
            r"holds 2 files of weights \(a.safetensors, b.safetensors\); name one of them, such as .*/a.s",
        ),
        ("both", "both: holds model.safetensors and model.safetensors.index.json; name the one that is meant"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    for file in ("several/a.safetensors", "several/b.safetensors", "both/model.safetensors"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "both/model.safetensors.index.json").touch()

    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds 0 bytes; a safetensors file has at least 8"),
        (b"\xff" * 100, "starts with a header length of 18446744073709551615; this is not a safetensors file"),
        ((50).to_bytes(8, "little") + b"{}", "announces a header of 50 bytes, but the file holds 10; it is truncated"),
        ((2).to_bytes(8, "little") + b"no", "has a header that is not JSON"),
    ],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, content, message):
    (tmp_path / "bad").write_bytes(content)

    with pytest.raises(CheckpointError, match=f"bad: {message}|bad: .*{message}"):
        open_checkpoint(tmp_path / "bad")


@pytest.mark.parametrize("name", ["folder", "folder/only.safetensors"])
def test_a_folder_with_one_file_of_weights_is_that_file(tmp_path, write, name):
    path = write({"a": np.ones((2, 2))})
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder/only.safetensors")
    (tmp_path / "folder/config.json").write_text("{}")

    checkpoint = open_checkpoint(tmp_path / name)

    assert list(checkpoint.tensors) == ["a"]
    assert (checkpoint.paths.folder is None) == (name != "folder")


def test_of_several_files_the_one_with_the_usual_name_is_meant(tmp_path, write):
    write({"a": np.ones((2, 2))})
    write({"b": np.ones((2, 2))}, "model.pruned.safetensors")

    assert list(open_checkpoint(tmp_path).tensors) == ["a"]


@pytest.mark.parametrize("text", ["ftp://host/model.safetensors", "s3://", "hf:"])
def test_an_address_of_an_unknown_store_or_of_nothing_is_told_what_addresses_are(text):
    with pytest.raises(CheckpointError, match=r": no such file, and no address in a store; docs/stores\.md"):
        open_checkpoint(text)
