import pytest
from range_server import range_server

from topoimp.errors import CheckpointError
from topoimp.stores import Address
from topoimp.stores.fetching import fetch_whole
from topoimp.stores.hub import _looked_up
from topoimp.stores.listing import names_in

COMMIT = "c" * 40
FILES = {
    f"org/model/resolve/{COMMIT}/model.safetensors": b"weights",
    f"org/model/resolve/{COMMIT}/config.json": b"{}",
    f"org/model/resolve/{COMMIT}/unet/model.safetensors": b"more",
}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub of one model, which knows no user."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with range_server() as server:
        server.files.update(FILES)
        monkeypatch.setenv("HF_ENDPOINT", server.url().rstrip("/"))
        yield server
    _looked_up.cache_clear()


def test_a_file_of_a_model_is_fetched_by_the_commit(hub):
    assert fetch_whole(Address("hf://org/model/model.safetensors")) == b"weights"
    assert hub.requests[0][0] == f"org/model/resolve/{COMMIT}/model.safetensors"


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("revision", ["v1", "main", "refs%2Fpr%2F1"])
def test_a_revision_is_named_behind_an_at(revision):
    assert fetch_whole(Address(f"hf://org/model@{revision}/config.json")) == b"{}"


@pytest.mark.usefixtures("hub")
def test_the_files_of_a_model_and_of_its_folders_are_listed():
    assert names_in(Address("hf://org/model")) == ["config.json", "model.safetensors", "unet/model.safetensors"]
    assert names_in(Address("hf://org/model@v1/unet")) == ["model.safetensors"]


def test_the_token_is_sent_to_the_hub_and_not_to_the_servers_that_it_names(hub, monkeypatch):
    hub.token, hub.redirects = "mine", True
    monkeypatch.setenv("HF_TOKEN", "mine")

    assert fetch_whole(Address("hf://org/model/config.json")) == b"{}"
    assert hub.tokens == [None]


def test_the_token_is_not_sent_on_to_where_the_hub_sends_a_question_about_a_model(hub, monkeypatch):
    hub.redirects_models = True
    monkeypatch.setenv("HF_TOKEN", "mine")

    assert "config.json" in names_in(Address("hf://org/model"))
    assert hub.tokens == [None]


def test_the_token_is_read_from_the_file_of_huggingface_hub(hub, tmp_path):
    hub.token = "mine"  # noqa: S105  # of no hub
    (tmp_path / "token").write_text("mine\n")

    assert fetch_whole(Address("hf://org/model/config.json")) == b"{}"
    assert hub.tokens == ["Bearer mine"]


@pytest.mark.parametrize(("address", "status"), [("hf://org/none", 401), ("hf://org/model@none/config.json", 404)])
def test_a_model_or_revision_that_the_hub_does_not_show_is_named(hub, address, status):
    named = address.removesuffix("/config.json")
    reason = "no such model or revision, or HF_TOKEN is no token that may read it"

    with pytest.raises(CheckpointError) as caught:
        names_in(Address(address))

    assert str(caught.value) == f"{named}: {reason} ({hub.url().rstrip('/')} answers {status})"


@pytest.mark.usefixtures("hub")
def test_a_file_that_a_model_lacks_is_named():
    with pytest.raises(CheckpointError, match=r"^hf://org/model/none\.safetensors: no such file$"):
        fetch_whole(Address("hf://org/model/none.safetensors"))


def test_a_hub_out_of_reach_is_named(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(
        CheckpointError, match=r"^hf://org/model: cannot be read: http://127\.0\.0\.1:9 does not answer"
    ):
        names_in(Address("hf://org/model"))


def test_a_server_that_is_no_hub_is_named(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url("page?"))
    hub.files["page"] = b"<html>"

    with pytest.raises(CheckpointError, match=r"^hf://org/model: cannot be read: .* does not answer as the hub does"):
        names_in(Address("hf://org/model"))
