import json
import os

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from topoimp.checkpoint import open_checkpoint, other_files
from topoimp.checkpoint.finding import find_files
from topoimp.checkpoint.index import read_index
from topoimp.errors import CheckpointError

A, B = np.eye(3, dtype=np.float32), np.ones((2, 2), np.float32)
PLACED = {"a": "model-1.safetensors", "b": "model-2.safetensors"}


@pytest.fixture
def sharded(tmp_path):
    """A checkpoint in two shards with an index, in a folder of its own."""

    def write(weight_map=PLACED, shards=None, **more):
        folder = tmp_path / "model"
        folder.mkdir()
        for name, tensors in (shards or {"model-1.safetensors": {"a": A}, "model-2.safetensors": {"b": B}}).items():
            save_file(tensors, folder / name, {"format": "pt", "shard": name})
        index = {"metadata": {"total_size": 52}, "weight_map": weight_map, **more}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return folder

    return write


@pytest.mark.parametrize("named", [".", "model.safetensors.index.json"])
def test_a_shard_that_is_a_pipe_is_refused_before_any_is_opened(sharded, named):
    folder = sharded()
    (folder / "model-2.safetensors").unlink()
    os.mkfifo(folder / "model-2.safetensors")

    with pytest.raises(CheckpointError) as caught:
        find_files(folder / named)

    reason = "is a pipe; a checkpoint is a file, of which any part can be read at any time"
    assert str(caught.value) == f"{folder / 'model-2.safetensors'}: {reason}"


@pytest.mark.parametrize("named", [".", "model.safetensors.index.json"])
def test_shards_are_one_checkpoint_by_folder_or_by_index(sharded, named):
    checkpoint = open_checkpoint(sharded() / named)

    assert list(checkpoint.tensors) == ["a", "b"]
    assert checkpoint.stored("a").tobytes() == A.tobytes()
    assert checkpoint.stored("b").tobytes() == B.tobytes()
    assert checkpoint.metadata == {"format": "pt", "shard": "model-1.safetensors"}


@pytest.mark.parametrize(
    "name",
    [
        "../model-1.safetensors",
        "/etc/passwd",
        "sub/model.safetensors",
        "..",
        ".",
        "",
        "C:\\m",
        "..\\m",
        "a\0b",
        "a\nb",
        3,
        None,
    ],
)
def test_an_index_that_names_anything_but_a_file_beside_it_is_refused(sharded, name):
    with pytest.raises(
        CheckpointError, match=r"index.json: places tensor 'b' in .*; shards must lie beside their index"
    ):
        open_checkpoint(sharded({**PLACED, "b": name}))


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": "model-1.safetensors"}, "its index does not place|shard model-2|holds tensor 'b'"),
        (
            {**PLACED, "c": "model-1.safetensors"},
            "its index places tensor 'c' in model-1.safetensors, which does not hold it",
        ),
        (
            {**PLACED, "a": "model-2.safetensors"},
            "its index places tensor 'a' in model-2.safetensors, which does not hold it",
        ),
        ({**PLACED, "b": "model-3.safetensors"}, "its index names model-3.safetensors, which is not there"),
    ],
)
def test_an_index_and_shards_that_contradict_each_other_are_refused(sharded, weight_map, message):
    folder = sharded(weight_map)
    if list(weight_map) == ["a"]:
        assert list(open_checkpoint(folder).tensors) == ["a"]  # a shard that is not named is not part of it
        return

    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(folder)


def test_the_index_decides_which_tensors_of_a_shard_count(sharded):
    shards = {"model-1.safetensors": {"a": A, "more": B}, "model-2.safetensors": {"b": B, "a": 2 * A, "inv_freq": A}}

    checkpoint = open_checkpoint(sharded(shards=shards))

    assert list(checkpoint.tensors) == ["a", "b"]
    assert checkpoint.stored("a").tobytes() == A.tobytes()
    assert checkpoint.stored("b").tobytes() == B.tobytes()
    assert checkpoint.unindexed == [
        "model-1.safetensors: more",
        "model-2.safetensors: a",
        "model-2.safetensors: inv_freq",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON .nested too deeply."),
        (b"[]", "is no index of shards; it needs a weight_map from tensors to files"),
        (b"{}", "is no index of shards"),
        (b'{"weight_map": []}', "is no index of shards"),
        (b'{"weight_map": {}}', "is no index of shards"),
    ],
)
def test_what_is_no_index_is_refused(tmp_path, content, message):
    path = tmp_path / "model.safetensors.index.json"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=f"index.json: {message}"):
        read_index(path)


def test_an_absurdly_long_index_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "model.safetensors.index.json"
    with path.open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(CheckpointError, match="has 1099511627776 bytes; an index has at most 100000000"):
        read_index(path)


def test_shards_of_pytorch_files_are_read_too(tmp_path):
    torch.save({"a": torch.from_numpy(A)}, tmp_path / "pytorch_model-1.bin")
    torch.save({"b": torch.from_numpy(B)}, tmp_path / "pytorch_model-2.bin")
    index = {"weight_map": {"a": "pytorch_model-1.bin", "b": "pytorch_model-2.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))

    checkpoint = open_checkpoint(tmp_path)

    assert list(checkpoint.tensors) == ["a", "b"]
    assert checkpoint.stored("b").tobytes() == B.tobytes()


@pytest.fixture
def linked(tmp_path):
    """A folder with links to a file and to folders elsewhere, and to a file in it."""
    folder = tmp_path / "m"
    for name in ("m/sub", "elsewhere/deep"):
        (tmp_path / name).mkdir(parents=True)
    save_file({"a": np.ones((2, 2))}, folder / "model.safetensors")
    for file in ("m/config.json", "m/sub/x.txt", "elsewhere/y.txt", "elsewhere/deep/z.txt", "elsewhere/other.bin"):
        (tmp_path / file).write_text(file)
    (folder / "link.json").symlink_to("config.json")
    (folder / "far.txt").symlink_to(tmp_path / "elsewhere/y.txt")
    (folder / "folder").symlink_to("../elsewhere")
    (folder / "sub/again").symlink_to(tmp_path / "elsewhere/deep")
    (folder / "._link.json").symlink_to("gone")
    (folder / ".hidden").symlink_to("../elsewhere")
    return folder


def others_in(folder):
    return [[str(file) for file in files] for files in other_files(open_checkpoint(folder).paths)]


def test_links_stand_for_the_files_and_folders_that_they_lead_to(linked):
    copied, left_out = others_in(linked)

    assert copied == [
        "config.json",
        "far.txt",
        "folder/deep/z.txt",
        "folder/y.txt",
        "link.json",
        "sub/again/z.txt",
        "sub/x.txt",
    ]
    assert left_out == ["folder/other.bin"]


@pytest.mark.parametrize("name", ["tokenizer.json", "sub/tokenizer.json", "folder/tokenizer.json"])
def test_a_link_that_leads_nowhere_is_refused_by_its_name(linked, name):
    (linked / name).symlink_to("../../blobs/gone")

    with pytest.raises(CheckpointError) as caught:
        others_in(linked)

    assert str(caught.value) == (
        f"{linked / name}: is a link to ../../blobs/gone, which is not there; "
        "a copy would lack it; fetch the file, or remove the link"
    )


def test_a_link_to_itself_leads_nowhere(linked):
    (linked / "self").symlink_to("self")

    with pytest.raises(CheckpointError, match="self: is a link to self, which is not there"):
        others_in(linked)


def test_weights_that_are_not_copied_and_hidden_links_may_lead_nowhere_and_what_is_no_file_is_left_out(linked):
    for name in ("pytorch_model.bin", ".#config.json"):
        (linked / name).symlink_to("gone")
    os.mkfifo(linked / "pipe")
    (linked / "nothing").symlink_to("/dev/null")

    _, left_out = others_in(linked)

    assert left_out == [".#config.json", "folder/other.bin", "nothing", "pipe", "pytorch_model.bin"]


@pytest.mark.parametrize(
    ("name", "leads_to", "named"),
    [
        ("loop", ".", "loop"),
        ("loop", "..", "loop/m"),
        ("sub/loop", "..", "sub/loop"),
        ("folder/loop", "../m", "folder/loop"),
        ("folder/deep/loop", ".", "folder/deep/loop"),
    ],
)
def test_a_link_to_a_folder_that_it_lies_in_is_refused(linked, name, leads_to, named):
    (linked / name).symlink_to(leads_to)

    with pytest.raises(CheckpointError) as caught:
        others_in(linked)

    assert str(caught.value).startswith(f"{linked / named}: is a link to /")
    assert str(caught.value).endswith(", which it lies in; a copy would have no end")
