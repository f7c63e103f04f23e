from pathlib import Path

import pytest
from travelling import travelled

from topoimp.errors import CheckpointError
from topoimp.stores import Address, as_local, as_place


@pytest.mark.parametrize(
    "text",
    ["s3://bucket/a/model.safetensors", "gs://b/k", "az://c/k", "https://host:8/a/b.json", "hf://org/model@v1/x.json"],
)
def test_an_address_is_read_back_from_its_text(text):
    address = as_place(text)

    assert isinstance(address, Address)
    assert str(address) == text
    assert f"{address}: cannot" == f"{text}: cannot"


def test_a_path_that_lost_one_of_the_two_slashes_is_an_address_again():
    assert as_place(Path("s3://bucket/model")) == Address("s3://bucket/model")
    assert str(as_place(Path("s3://bucket/model"))) == "s3://bucket/model"


@pytest.mark.parametrize("text", ["model.safetensors", "/s3/bucket", "s3", "s3:", "ftp://host/model", "./s3:/x"])
def test_other_texts_are_paths(text):
    place = as_place(text)

    assert place == Path(text)
    assert not isinstance(place, Address)


def test_parts_name_and_folder_are_those_of_a_path():
    address = Address("s3://bucket/llama/model.safetensors")

    assert (address.scheme, address.root, address.key) == ("s3", "bucket", "llama/model.safetensors")
    assert (address.name, address.suffix, address.stem) == ("model.safetensors", ".safetensors", "model")
    assert address.parent / "config.json" == Address("s3://bucket/llama/config.json")
    assert str(address.with_name("a.json")) == "s3://bucket/llama/a.json"


def test_a_signature_is_part_of_the_url_alone():
    address = as_place("https://host/a/model.safetensors?X-Signature=secret&path=b/c")

    assert str(address) == "https://host/a/model.safetensors"
    assert address.url == "https://host/a/model.safetensors?X-Signature=secret&path=b%2Fc"
    assert address.query == "X-Signature=secret&path=b%2Fc"
    assert (address.name, address.suffix) == ("model.safetensors", ".safetensors")


def test_a_question_mark_in_the_name_of_an_object_is_no_query():
    address = Address("s3://bucket/what?.safetensors")

    assert str(address) == "s3://bucket/what?.safetensors"
    assert (address.name, address.query) == ("what?.safetensors", "")


def test_a_web_address_is_decoded_for_the_name_of_the_object():
    assert Address("https://host/my%20model.safetensors").key == "my model.safetensors"
    assert Address("s3://host/my%20model.safetensors").key == "my%20model.safetensors"


def test_an_address_is_the_same_in_every_folder_and_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = Address("https://host/model.safetensors?signature=x")

    copy = travelled(address)

    assert address.absolute() == address.resolve() == copy == address
    assert copy.url == address.url


def test_the_file_system_knows_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = Address("s3://bucket/model.safetensors")

    assert [address.exists(), address.is_file(), address.is_dir(), address.is_symlink()] == [False] * 4
    assert [str(parent) for parent in address.parents][:1] == ["s3://bucket"]
    assert [parent.name for parent in address.parents] == ["bucket", "s3:", ""]


def test_a_path_on_this_machine_is_asked_for_in_one_sentence():
    assert as_local("model.safetensors") == Path("model.safetensors")
    with pytest.raises(CheckpointError, match=r"^s3://b/m: is in a store; here a path .* download it first$"):
        as_local(Path("s3://b/m"))
