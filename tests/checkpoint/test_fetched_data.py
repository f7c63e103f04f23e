import gc
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from processes import PATIENCE
from range_server import range_server

from topoimp.checkpoint import Advice, fetched_data
from topoimp.checkpoint.fetched_data import FetchedData
from topoimp.checkpoint.header import TensorInfo
from topoimp.errors import CheckpointError
from topoimp.stores import as_place, fetching
from topoimp.stores.fetching import fetch_start

OCTETS = np.random.default_rng(0).integers(0, 256, 1000, np.uint8)
START = 37
TENSOR = TensorInfo("fc.weight", "U8", (900,), 60, 960)
"""A tensor whose data begin at the byte 97 of the file."""


@pytest.fixture
def server(monkeypatch):
    """A server with one file, of which blocks of 64 bytes are fetched, long parts in ranges of 64 to 128."""
    monkeypatch.setattr(fetched_data, "BLOCK", 64)
    monkeypatch.setattr(fetched_data, "MAX_RANGE", 128)
    monkeypatch.setattr(fetched_data, "KEPT", 256)
    monkeypatch.setattr(fetched_data, "_blocks", fetched_data._Blocks())
    monkeypatch.setattr(fetching, "FIRST_PAUSE", 0.0)
    with range_server() as server:
        server.files["a"] = OCTETS.tobytes()
        yield server


@pytest.fixture
def data(server):
    """The data of that file, which was opened."""
    address = as_place(server.url("a"))
    version, _ = fetch_start(address, 10)
    server.requests.clear()
    return FetchedData(address, version, START)


def stored_of(start, stop):
    """The bytes of the tensor, as the file has them."""
    return OCTETS[97 + start : 97 + stop]


STEPS = st.tuples(st.sampled_from(["read", *Advice]), st.integers(0, 900), st.integers(0, 900))


@given(steps=st.lists(STEPS, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_whatever_was_asked_for_and_released_the_bytes_are_right(data, steps):
    for step, *ends in steps:
        start, stop = sorted(ends)
        if step == "read":
            assert_array_equal(data.stored(TENSOR, start, stop), stored_of(start, stop))
        else:
            data.advise(step, TENSOR, start, stop)


def test_arrays_are_read_only_and_stay_as_they_are_when_memory_is_released(data, server):
    long, short = data.stored(TENSOR, 0, 900), data.stored(TENSOR, 3, 5)
    server.files["a"] = bytes(1000)
    data.advise(Advice.DONE_WITH, TENSOR, 0, 900)

    assert_array_equal(long, stored_of(0, 900))
    assert_array_equal(short, stored_of(3, 5))
    assert [long.flags.writeable, short.flags.writeable] == [False, False]


def test_a_long_part_is_fetched_alone_in_several_ranges(data, server):
    data.stored(TENSOR, 10, 310)

    assert sorted(server.requests) == [
        ("a", 107 + first, 107 + min(first + 64, 300) - 1) for first in range(0, 300, 64)
    ]


def test_ranges_are_not_longer_than_the_limit(data, server, monkeypatch):
    monkeypatch.setattr(fetched_data, "RANGES", 1)

    data.stored(TENSOR, 0, 900)

    assert max(last + 1 - first for _, first, last in server.requests) == 128


def test_a_short_part_comes_with_its_block_and_so_do_its_neighbours(data, server):
    parts = [data.stored(TENSOR, start, start + 10) for start in range(0, 90, 10)]

    assert_array_equal(np.concatenate(parts), stored_of(0, 90))
    assert sorted(server.requests) == [("a", 64, 127), ("a", 128, 191)]


def test_the_last_block_ends_with_the_file(data, server):
    data.stored(TENSOR, 890, 900)

    assert server.requests == [("a", 960, 999)]


def test_bytes_that_were_asked_for_ahead_are_not_fetched_again(data, server):
    data.advise(Advice.WILL_NEED, TENSOR, 0, 300)
    data.advise(Advice.NEED_NOW, TENSOR, 0, 300)

    found = [data.stored(TENSOR, start, start + 30) for start in range(0, 300, 30)]

    assert_array_equal(np.concatenate(found), stored_of(0, 300))
    assert server.n_bytes_of("a") == 300


def test_a_long_part_is_forgotten_once_it_was_read_and_is_used_no_more(data, server):
    part = data.stored(TENSOR, 0, 300)
    again = data.stored(TENSOR, 0, 300)
    assert np.shares_memory(part, again)
    assert server.n_bytes_of("a") == 300

    octets = weakref.ref(part.base)
    del part, again
    begin = time.monotonic()
    while (
        octets() is not None and time.monotonic() - begin < PATIENCE
    ):  # the thread of transfers lets go a little later
        gc.collect()
    data.stored(TENSOR, 0, 300)

    assert server.n_bytes_of("a") == 600


def test_blocks_stay_up_to_a_limit(data, server):
    for start in (0, 64, 128, 192, 256, 0):  # five blocks, of which the first has to go
        data.stored(TENSOR, start + 40, start + 50)

    firsts = [first for _, first, _ in server.requests]
    assert firsts == [128, 192, 256, 320, 384, 128]


def test_released_blocks_are_fetched_again(data, server):
    data.stored(TENSOR, 40, 50)
    data.advise(Advice.DONE_WITH, TENSOR, 0, 900)
    data.stored(TENSOR, 40, 50)

    assert server.requests == [("a", 128, 191)] * 2


def test_an_empty_part_asks_for_nothing(data, server):
    data.advise(Advice.WILL_NEED, TENSOR, 5, 5)

    assert data.stored(TENSOR, 5, 5).size == 0
    assert server.requests == []


def test_a_part_that_could_not_be_fetched_is_tried_again(data, server):
    server.faults.append(404)

    with pytest.raises(CheckpointError, match=r"/a: no such file$"):
        data.stored(TENSOR, 0, 10)

    assert_array_equal(data.stored(TENSOR, 0, 10), stored_of(0, 10))


def test_a_file_that_is_replaced_is_noticed(data, server):
    server.files["a"] = bytes(1000)

    with pytest.raises(CheckpointError, match=r"/a: changed while it was read$"):
        data.stored(TENSOR, 0, 300)


def test_threads_that_read_and_release_side_by_side_get_the_right_bytes(data):
    def read(number):
        start = 7 * number % 600
        data.advise(Advice.WILL_NEED, TENSOR, start, start + 100)
        found = data.stored(TENSOR, start, start + 100)
        data.advise(Advice.DONE_WITH, TENSOR, start, start + 100)
        short = data.stored(TENSOR, start, start + 20)
        return np.array_equal(found, stored_of(start, start + 100)) and np.array_equal(short, found[:20])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(200)))
