import re
import sys

import numpy as np
import pytest
from range_server import range_server

from topoimp.errors import CheckpointError
from topoimp.stores import Address, as_place, fetching
from topoimp.stores.fetching import fetch_range, fetch_start, fetch_whole

OCTETS = np.random.default_rng(0).bytes(100_000)


@pytest.fixture
def server(monkeypatch):
    """A server with one file, that is asked again at once."""
    monkeypatch.setattr(fetching, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(fetching, "_CHUNK", 1000)
    with range_server() as server:
        server.files["a.bin"] = OCTETS
        yield server


def address_of(server, path="a.bin"):
    return as_place(server.url(path))


def fetched(address, start, stop):
    """The bytes of an object between two places."""
    version, _ = fetch_start(address, 10)
    into = np.zeros(stop - start, np.uint8)
    fetch_range(address, version, start, into).result()
    return into.tobytes()


def test_the_first_bytes_come_with_the_size(server):
    version, first = fetch_start(address_of(server), 1000)

    assert first == OCTETS[:1000]
    assert version.n_bytes == 100_000
    assert server.requests == [("a.bin", 0, 999)]


def test_of_a_short_object_all_bytes_come(server):
    version, first = fetch_start(address_of(server), 1 << 20)

    assert first == OCTETS
    assert version.n_bytes == 100_000


def test_a_range_is_fetched_into_an_array(server):
    assert fetched(address_of(server), 70_000, 100_000) == OCTETS[70_000:]
    assert server.requests[1:] == [("a.bin", 70_000, 99_999)]


def test_an_object_is_fetched_whole(server):
    assert fetch_whole(address_of(server)) == OCTETS


def test_an_object_without_bytes_is_fetched_whole(server):
    server.files["empty"] = b""

    assert fetch_whole(address_of(server, "empty")) == b""


def test_an_object_too_large_to_be_fetched_whole_is_refused(server, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_WHOLE", 99_999)

    with pytest.raises(CheckpointError, match=r"a\.bin: has 100000 bytes; at most 99999 are fetched at once$"):
        fetch_whole(address_of(server))


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_request_that_fails_is_made_again(server, status):
    server.faults.extend([status] * (fetching.ATTEMPTS - 1))

    assert fetch_start(address_of(server), 1000)[1] == OCTETS[:1000]
    assert len(server.requests) == fetching.ATTEMPTS


def test_a_request_that_goes_on_failing_is_given_up(server):
    server.faults.extend([503] * 100)

    with pytest.raises(CheckpointError) as caught:
        fetch_start(address_of(server), 1000)

    address = address_of(server)
    reason = "Server returned non-2xx status code: 503 Service Unavailable"
    assert str(caught.value) == f"{address}: cannot be read: {reason}"
    assert len(server.requests) == fetching.ATTEMPTS


def test_a_transfer_that_is_cut_goes_on_where_it_was_cut(server):
    address = address_of(server)
    version, _ = fetch_start(address, 10)
    server.faults.extend(["cut"] * 3)
    into = np.zeros(80_000, np.uint8)

    fetch_range(address, version, 10_000, into).result()

    assert into.tobytes() == OCTETS[10_000:90_000]
    starts = [first for _, first, _ in server.requests[1:]]
    assert starts == sorted(starts)
    assert starts[-1] > 10_000
    assert {last for _, _, last in server.requests[1:]} == {89_999}


def test_cuts_do_not_add_up_while_bytes_come(server):
    server.faults.extend(["cut"] * (fetching.ATTEMPTS + 2))

    assert fetch_start(address_of(server), 100_000)[1] == OCTETS


def test_a_slow_server_is_waited_for(server):
    server.faults.append("slow")

    assert fetch_start(address_of(server), 100_000)[1] == OCTETS
    assert len(server.requests) == 1


def test_a_silent_server_is_asked_again(server, monkeypatch):
    from topoimp.stores import clients

    monkeypatch.setattr(clients, "_SILENCE", "1s")
    monkeypatch.setattr(fetching, "ATTEMPTS", 100)
    server.faults.append("silent")

    assert fetch_start(address_of(server), 1000)[1] == OCTETS[:1000]
    assert len(server.requests) > 1


def test_a_replaced_object_is_noticed(server):
    address = address_of(server)
    version, _ = fetch_start(address, 10)
    server.files["a.bin"] = OCTETS[::-1]

    with pytest.raises(CheckpointError, match=r"a\.bin: changed while it was read$"):
        fetch_range(address, version, 0, np.zeros(10, np.uint8)).result()


def test_an_object_that_is_replaced_between_two_halves_of_a_transfer_is_noticed(server):
    address = address_of(server)
    version, _ = fetch_start(address, 10)
    server.faults.extend(["cut", lambda: server.files.update({"a.bin": OCTETS[::-1]})])
    into = np.zeros(80_000, np.uint8)

    with pytest.raises(CheckpointError, match=r"a\.bin: changed while it was read$"):
        fetch_range(address, version, 0, into).result()


def test_a_missing_object_is_asked_for_once(server):
    with pytest.raises(CheckpointError, match=r"none\.bin: no such file$"):
        fetch_start(address_of(server, "none.bin"), 10)

    assert server.requests == []


def test_a_server_without_parts_is_refused(server):
    server.sends_ranges = False

    with pytest.raises(CheckpointError, match=r"a\.bin: its server sends whole files alone, and topoimp reads parts"):
        fetch_start(address_of(server), 10)


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_is_not_asked_again(server, status):
    server.faults.append(status)

    with pytest.raises(CheckpointError, match=r"a\.bin: may not be read: the server asks for credentials$"):
        fetch_start(address_of(server), 10)

    assert len(server.requests) == 1


def test_no_server_is_a_sentence_without_the_signature(monkeypatch):
    monkeypatch.setattr(fetching, "FIRST_PAUSE", 0.0)
    address = as_place("http://127.0.0.1:9/model.safetensors?signature=secret")

    with pytest.raises(CheckpointError) as caught:
        fetch_start(address, 10)

    assert re.fullmatch(r"http://127\.0\.0\.1:9/model\.safetensors: cannot be read: [^\n]+", str(caught.value))
    assert "secret" not in str(caught.value)


def test_a_query_is_sent_and_not_shown(server):
    server.faults.append(403)
    address = as_place(server.url("a.bin?signature=secret"))

    with pytest.raises(CheckpointError) as caught:
        fetch_start(address, 10)

    assert "secret" not in str(caught.value)
    assert fetch_start(address, 10)[1] == OCTETS[:10]


def test_without_obstore_a_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)

    with pytest.raises(CheckpointError, match=r"^s3://bucket/m: .* not installed: pip install 'topoimp\[remote\]'$"):
        fetch_start(Address("s3://bucket/m"), 10)
