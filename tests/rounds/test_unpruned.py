import numpy as np
import pytest
from conftest import stream_of

from topoimp.chance.forest_by_chance import forest_edges_by_chance
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.unpruned import read_unpruned


@pytest.fixture
def stream(write):
    """A dense layer, one with zeros and ties, and one without edges."""
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(20, 30))
    ties = rng.integers(0, 4, size=(12, 15)) / 4
    return stream_of(write({"dense": dense, "ties": ties, "zero": np.zeros((3, 4))}))


def unread():
    raise AssertionError("the weights were read again")


def unpruned_of(stream, reopen=unread, **options):
    scheme = PruningOptions(rounds=4, **options).scheme(stream.layers.infos)
    return read_unpruned(stream, scheme, reopen)


def expected(stream, n_kept):
    layers = {info.name: stream.layers.read(info) for info in stream.layers.infos}
    return {name: forest_edges_by_chance(layers[name], k) for name, k in n_kept.items()}


def n_edges_of(stream):
    return {info.name: np.count_nonzero(stream.layers.read(info).edges()) for info in stream.layers.infos}


@pytest.mark.parametrize("method", ["magnitude", "random", "topological"])
def test_numbers_of_weights_that_the_scheme_foretells_need_no_second_reading(stream, method):
    unpruned = unpruned_of(stream, method=method)

    for number in range(5):
        n_kept = {name: int(n * 0.8**number + 0.5) for name, n in n_edges_of(stream).items()}
        assert unpruned.by_chance(n_kept) == expected(stream, n_kept)


def test_of_a_protected_forest_the_floor_is_foretold(stream):
    unpruned = unpruned_of(stream, method="topological", rate=0.9)

    floors = {name: len(forest.indices) for name, forest in unpruned.forests.items()}
    assert floors == {"dense": 49, "ties": 26, "zero": 0}
    assert unpruned.by_chance(floors) == expected(stream, floors)


def test_other_numbers_are_found_by_reading_the_layers_that_need_them_once_more(stream):
    n_reopened = 0

    def reopen():
        nonlocal n_reopened
        n_reopened += 1
        return stream

    unpruned = unpruned_of(stream, reopen, method="magnitude")
    n_edges = n_edges_of(stream)
    n_kept = {**n_edges, "dense": 7, "ties": 1}

    assert unpruned.by_chance(n_kept) == expected(stream, n_kept)
    assert unpruned.by_chance(n_kept) == expected(stream, n_kept)
    assert n_reopened == 1


def test_with_one_target_for_all_layers_only_round_0_is_foretold(stream):
    unpruned = unpruned_of(stream, method="magnitude", scope="global")

    n_edges = n_edges_of(stream)
    assert unpruned.by_chance(n_edges) == expected(stream, n_edges)
    with pytest.raises(AssertionError, match="read again"):
        unpruned.by_chance({**n_edges, "dense": 480})
