import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import stream_of
from hypothesis import given, settings
from hypothesis import strategies as st

from topoimp.errors import LayerError
from topoimp.layers import streaming
from topoimp.layers.layer import as_layer
from topoimp.layers.streaming import InHand, counted


@pytest.fixture
def sizes(monkeypatch):
    """Have layers of 800 bytes count as large, none as small, and 2,000 bytes as much to look at side by side."""
    monkeypatch.setattr(streaming, "SMALL", 0)
    monkeypatch.setattr(streaming, "LARGE", 800)
    monkeypatch.setattr(streaming, "SIDE_BY_SIDE", 2000)


SHAPES = st.lists(st.tuples(st.integers(2, 20), st.integers(2, 20)), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("streaming") / "model.safetensors"


@settings(max_examples=50)
@given(SHAPES, st.integers(1, 4), st.randoms(use_true_random=False))
def test_each_layer_is_looked_at_once_and_results_come_in_the_order_of_names(scratch, shapes, threads, random):
    from topoimp.checkpoint import write_arrays

    names = [f"w{k}" for k in range(len(shapes))]
    random.shuffle(names)
    write_arrays(
        scratch, {name: np.full(shape, 1.0 + k) for k, (name, shape) in enumerate(zip(names, shapes, strict=True))}, {}
    )
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "SMALL", 200)
        patch.setattr(streaming, "LARGE", 800)
        patch.setattr(streaming, "SIDE_BY_SIDE", 2000)
        patch.setattr(streaming, "AHEAD", 1500)

        found = stream_of(scratch, threads).each(lambda layer, n: (seen.append(layer.name), layer.name, n)[1:])

    assert sorted(seen) == sorted(names)
    assert list(found) == sorted(names, key=lambda name: int(name[1:]))
    assert all(name == own and 1 <= n <= threads for name, (own, n) in found.items())


@pytest.mark.usefixtures("sizes")
def test_small_layers_are_looked_at_side_by_side_and_large_ones_by_all_threads(write):
    small, large = np.ones((3, 3)), np.ones((20, 20))
    path = write({"a": small, "b": small, "c": large, "d": small})
    at_once = threading.Barrier(2, timeout=10)

    def look(layer, threads):
        if layer.name in "ab":
            at_once.wait()
        return threads

    assert stream_of(path, 2).each(look) == {"a": 1, "b": 1, "c": 2, "d": 1}


def test_quick_looks_at_small_layers_are_those_of_the_calling_thread(write, monkeypatch):
    monkeypatch.setattr(streaming, "LONG", float("inf"))
    stream = stream_of(write({f"w{k}": np.ones((3, 3)) for k in range(40)}), 2)

    found = stream.each(lambda _layer, threads: (threads, threading.current_thread() is threading.main_thread()))

    assert set(found.values()) == {(1, True)}


def test_long_looks_at_small_layers_are_those_of_other_threads_but_for_a_trial_now_and_then(write, monkeypatch):
    monkeypatch.setattr(streaming, "LONG", 0.0)
    stream = stream_of(write({f"w{k}": np.ones((3, 3)) for k in range(40)}), 2)

    found = stream.each(lambda _layer, _threads: threading.current_thread() is threading.main_thread())

    tried = [number for number, is_here in enumerate(found.values()) if is_here]
    assert tried == [0, streaming.TRIED, 2 * streaming.TRIED]


def test_fewer_layers_than_threads_are_looked_at_by_all_threads(write):
    stream = stream_of(write({"a": np.ones((3, 3)), "b": np.ones((3, 3))}), 3)

    assert stream.each(lambda _, threads: threads) == {"a": 3, "b": 3}


@pytest.mark.usefixtures("sizes")
def test_the_error_of_the_first_layer_in_the_file_is_raised(write):
    path = write({name: np.ones((3, 3)) for name in "abcdef"})

    def fail(layer, _threads):
        raise LayerError(layer.name)

    with pytest.raises(LayerError, match=r"^a$"):
        stream_of(path, 3).each(fail)


@pytest.mark.usefixtures("sizes")
def test_nobody_looks_at_anything_any_more_once_an_error_is_raised(write):
    path, looking = write({name: np.ones((3, 3)) for name in "abcdef"}), []

    def fail_or_take_long(layer, _threads):
        if layer.name == "a":
            raise LayerError(layer.name)
        looking.append(layer.name)
        time.sleep(0.05)
        looking.remove(layer.name)

    with pytest.raises(LayerError):
        stream_of(path, 3).each(fail_or_take_long)

    assert looking == []


def test_a_layer_in_hand_is_its_own_source():
    source = InHand(as_layer(np.ones((2, 3)), name="a"), threads=3)

    assert source.each(lambda layer, threads: (layer.n_columns, threads)) == {"a": (3, 3)}


def test_somebody_is_told_of_every_layer(write):
    told = []
    stream = replace(
        stream_of(write({name: np.ones((3, 3)) for name in "abcd"}), 2),
        on_layer=counted(lambda done, total: told.append((done, total)), 8),
    )

    stream.each(lambda _layer, _threads: None)

    assert told == [(1, 8), (2, 8), (3, 8), (4, 8)]
