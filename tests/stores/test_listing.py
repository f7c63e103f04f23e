import pytest
from range_server import range_server
from s3_server import s3_server

from topoimp.errors import CheckpointError
from topoimp.stores import Address, fetching
from topoimp.stores.fetching import fetch_start, fetch_whole
from topoimp.stores.listing import is_listed, names_in


@pytest.fixture(scope="module")
def bucket():
    with s3_server() as bucket:
        for name in ("llama/model.safetensors", "llama/config.json", "llama/onnx/model.onnx", "llama-2/config.json"):
            bucket.put(name, name.encode())
        yield bucket


@pytest.fixture(autouse=True)
def _credentials(bucket, monkeypatch):
    bucket.set_environment(monkeypatch)


def test_the_objects_of_a_folder_are_listed_with_those_of_its_folders():
    assert names_in(Address("s3://models/llama")) == ["config.json", "model.safetensors", "onnx/model.onnx"]


def test_the_objects_of_a_bucket_are_listed():
    assert len(names_in(Address("s3://models"))) == 4


def test_a_bucket_of_too_many_objects_is_no_checkpoint(monkeypatch):
    monkeypatch.setattr(fetching, "MAX_LISTED", 3)

    with pytest.raises(
        CheckpointError, match=r"^s3://models: holds more than 3 files, subfolders counted; name a folder"
    ):
        names_in(Address("s3://models"))


def test_a_folder_without_objects_is_empty():
    assert names_in(Address("s3://models/none")) == []


def test_an_object_is_fetched():
    assert fetch_whole(Address("s3://models/llama/config.json")) == b"llama/config.json"


def test_a_replaced_object_is_noticed(bucket):
    bucket.put("replaced", b"before")
    version, _ = fetch_start(Address("s3://models/replaced"), 3)
    bucket.put("replaced", b"after!")
    again, _ = fetch_start(Address("s3://models/replaced"), 3)

    assert version.n_bytes == again.n_bytes
    assert version != again


def test_a_bucket_that_does_not_exist_is_named():
    with pytest.raises(CheckpointError, match=r"^s3://none/llama: no such file$"):
        names_in(Address("s3://none/llama"))


def test_a_web_server_lists_nothing():
    assert [is_listed(Address(f"{scheme}://a/b")) for scheme in ("s3", "gs", "az", "hf", "https", "http")] == [
        *[True] * 4,
        *[False] * 2,
    ]


def test_a_store_that_refuses_is_a_sentence_about_credentials(monkeypatch):
    with range_server() as server:
        server.files["models/llama"] = b""
        server.faults.extend([403] * 2)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url().rstrip("/"))
        from topoimp.stores.clients import _client

        _client.cache_clear()
        needed = r"may not be read: credentials are needed, as in AWS_ACCESS_KEY_ID .* public buckets$"
        with pytest.raises(CheckpointError, match=rf"^s3://models/llama: {needed}"):
            fetch_start(Address("s3://models/llama"), 3)
    assert fetching.ATTEMPTS > len(server.requests) == 1
