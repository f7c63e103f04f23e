import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from range_server import range_server
from s3_server import s3_server
from shards import write_shards
from travelling import arrived, travelled

from topoimp.checkpoint import open_checkpoint, other_files, remote_file, write_arrays
from topoimp.checkpoint.reading import _opened_again
from topoimp.errors import CheckpointError, OptionError
from topoimp.stores import Address, fetching


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "FIRST_PAUSE", 0.0)
    with range_server() as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    """A checkpoint of three shards, with files beside."""
    return write_shards(tmp_path / "model")


def assert_same(remote, local):
    """Check that two checkpoints have the same content."""
    assert remote.tensors == local.tensors
    assert remote.metadata == local.metadata
    for name, tensor in local.tensors.items():
        assert_array_equal(remote.codes(name), local.codes(name))
        assert_array_equal(remote.codes(name, 1, tensor.shape[0]), local.codes(name, 1, tensor.shape[0]))
        assert remote.stored(name).tobytes() == local.stored(name).tobytes()


def test_shards_by_their_index_are_those_of_this_machine(server, folder):
    server.serve(folder)

    assert_same(open_checkpoint(server.url("model.safetensors.index.json")), open_checkpoint(folder))


def test_opening_fetches_the_headers_alone_one_request_each(server, folder):
    server.serve(folder)
    index = "model.safetensors.index.json"

    open_checkpoint(server.url(index))

    shards = sorted(name for name in server.files if name.endswith(".safetensors"))
    assert sorted(name for name, _, _ in server.requests) == sorted([index, *shards])
    assert {(first, last) for name, first, last in server.requests if name != index} == {
        (0, len(server.files[name]) - 1) for name in shards
    }


def test_of_a_long_file_128_kib_are_fetched(server, write):
    path = write({"a": np.zeros((300, 300))})
    server.files["a.safetensors"] = path.read_bytes()

    open_checkpoint(server.url("a.safetensors"))

    assert server.requests == [("a.safetensors", 0, 2**17 - 1)]


def test_a_header_longer_than_the_first_bytes_is_fetched_whole(server, write, monkeypatch):
    monkeypatch.setattr(remote_file, "_FIRST", 16)
    path = write({"a": np.arange(9.0).reshape(3, 3), "b": np.ones((2, 2))})
    server.files["a.safetensors"] = path.read_bytes()

    assert_same(open_checkpoint(server.url("a.safetensors")), open_checkpoint(path))


@pytest.mark.parametrize("octets", [b"", b"1234567", b"<html>no file</html>", bytes(100)])
def test_what_is_no_safetensors_file_is_refused_as_on_this_machine(server, tmp_path, octets):
    server.files["a.safetensors"] = octets
    (tmp_path / "a.safetensors").write_bytes(octets)

    messages = []
    for path in (server.url("a.safetensors"), tmp_path / "a.safetensors"):
        with pytest.raises(CheckpointError) as caught:
            open_checkpoint(path)
        messages.append(str(caught.value).removeprefix(f"{path}: "))

    assert messages[0] == messages[1]


def test_a_truncated_file_is_refused(server, write):
    server.files["a.safetensors"] = write({"a": np.ones((20, 20))}).read_bytes()[:-8]

    with pytest.raises(CheckpointError, match=r"it is truncated$"):
        open_checkpoint(server.url("a.safetensors"))


def test_a_pytorch_file_is_to_be_downloaded(server):
    server.files["model.pt"] = b"PK"

    with pytest.raises(CheckpointError, match=r"model\.pt: is a PyTorch file, .* alone; download it first$"):
        open_checkpoint(server.url("model.pt"))


def test_a_key_is_for_pytorch_files(server, write):
    server.files["a.safetensors"] = write({"a": np.ones((2, 2))}).read_bytes()

    with pytest.raises(OptionError, match=r"`key` is 'ema', and http.*a\.safetensors is no PyTorch file"):
        open_checkpoint(server.url("a.safetensors"), key="ema")


def test_a_page_of_the_hub_is_named_as_the_hub_names_models():
    with pytest.raises(
        CheckpointError, match=r"model/tree/main: is a page of the hub; its checkpoint is hf://org/model$"
    ):
        open_checkpoint("https://huggingface.co/org/model/tree/main")


def test_a_shard_that_is_missing_is_named(server, folder):
    server.serve(folder)
    del server.files["model-00002-of-00003.safetensors"]

    with pytest.raises(CheckpointError, match=r"model-00002-of-00003\.safetensors: no such file$"):
        open_checkpoint(server.url("model.safetensors.index.json"))


def test_a_checkpoint_travels_as_its_address_and_is_opened_there(server, folder):
    server.serve(folder)
    opened = open_checkpoint(server.url("model.safetensors.index.json"))

    copy = travelled(opened)

    assert_same(copy, opened)
    assert copy.path == opened.path


def test_nothing_that_fetches_is_imported_for_a_file_of_this_machine(write):
    code = (
        "import sys; from topoimp.checkpoint import open_checkpoint; open_checkpoint(sys.argv[1]).codes('a');"
        "print({'asyncio', 'obstore', 'urllib.request', 'topoimp.stores.fetching'} & {*sys.modules})"
    )
    path = write({"a": np.ones((2, 2))})

    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_a_file_that_is_replaced_on_the_way_is_refused_where_it_arrives(server, write):
    server.files["a.safetensors"] = write({"a": np.ones((2, 2))}).read_bytes()
    import pickle

    pickled = pickle.dumps(open_checkpoint(server.url("a.safetensors")))
    server.files["a.safetensors"] = write({"a": np.zeros((2, 2))}).read_bytes()
    _opened_again.cache_clear()

    with pytest.raises(CheckpointError, match=r"a\.safetensors: is another file on .* than where the work began$"):
        arrived(pickled)


@pytest.fixture(scope="module")
def bucket():
    with s3_server() as bucket:
        yield bucket


def test_a_folder_of_a_bucket_is_a_checkpoint(bucket, folder, monkeypatch):
    bucket.set_environment(monkeypatch)
    bucket.put_folder(folder, "llama/3")

    remote, local = open_checkpoint("s3://models/llama/3"), open_checkpoint(folder)

    assert_same(remote, local)
    assert remote.paths.folder == Address("s3://models/llama/3")
    assert other_files(remote.paths) == other_files(local.paths)
    assert open_checkpoint("s3://models/llama/3/").path == remote.path


def test_a_file_of_a_bucket_is_a_checkpoint(bucket, write, monkeypatch):
    bucket.set_environment(monkeypatch)
    path = write({"a": np.arange(6.0).reshape(2, 3)})
    bucket.put("one/model.safetensors", path.read_bytes())

    assert_same(open_checkpoint("s3://models/one/model.safetensors"), open_checkpoint(path))
    assert_same(open_checkpoint("s3://models/one"), open_checkpoint(path))


def test_a_folder_with_two_checkpoints_is_refused_as_on_this_machine(bucket, tmp_path, monkeypatch):
    bucket.set_environment(monkeypatch)
    for name in ("a.safetensors", "b.safetensors"):
        write_arrays(tmp_path / name, {"w": np.ones((2, 2))}, {})
    bucket.put_folder(tmp_path, "two")

    with pytest.raises(CheckpointError, match=r"^s3://models/two: holds 2 files of weights \(a\.safetensors, b\.saf"):
        open_checkpoint("s3://models/two")


def test_a_folder_without_weights_is_refused_with_its_files(bucket, monkeypatch):
    bucket.set_environment(monkeypatch)
    bucket.put("empty/config.json", b"{}")

    with pytest.raises(CheckpointError, match=r"^s3://models/empty: is a folder without weights, with config\.json; a"):
        open_checkpoint("s3://models/empty")
    with pytest.raises(CheckpointError, match=r"^s3://models/none: no such file, nor a folder with files$"):
        open_checkpoint("s3://models/none")
