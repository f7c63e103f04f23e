import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from topoimp.selection import Cut, cuts_keeping

DTYPES = st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64])


@st.composite
def several_layers(draw):
    """Ranks of a few layers, with many ties, some spread over all bits, and zeros."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = np.dtype(draw(DTYPES))
    top = draw(st.sampled_from([3, 200, int(np.iinfo(dtype).max)]))
    sizes = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4))
    return {
        f"layer{draw(st.integers(0, 9))}.{k}": rng.integers(
            0, min(top, int(np.iinfo(dtype).max)), size, dtype, endpoint=True
        )
        for k, size in enumerate(sizes)
    }


def slow_kept(layers, k):
    """Sort everything: which weights are kept, layer by layer."""
    entries = [
        (-int(rank), name, index) for name, ranks in layers.items() for index, rank in enumerate(ranks.ravel()) if rank
    ]
    chosen = {(name, index) for _, name, index in sorted(entries)[:k]}
    return {
        name: np.array([(name, index) in chosen for index in range(ranks.size)]).reshape(ranks.shape)
        for name, ranks in layers.items()
    }


@given(several_layers(), st.integers(-1, 200))
def test_cuts_keep_what_sorting_everything_would(layers, k):
    cuts = cuts_keeping({name: lambda ranks=ranks: ranks for name, ranks in layers.items()}, k)

    expected = slow_kept(layers, max(k, 0))
    for name, ranks in layers.items():
        assert_array_equal(cuts[name].kept(ranks), expected[name])


def test_ties_go_to_the_first_names_and_the_first_indices():
    ones = np.ones((2, 2), np.uint16)

    cuts = cuts_keeping({"b": lambda: ones, "a": lambda: ones}, 5)

    assert cuts == {"a": Cut(rank=1, last=3), "b": Cut(rank=1, last=0)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_the_largest_rank_of_a_type_can_be_where_the_cut_is(dtype):
    ranks = np.array([[np.iinfo(dtype).max, 1, np.iinfo(dtype).max]], dtype)

    cuts = cuts_keeping({"a": lambda: ranks}, 1)

    assert_array_equal(cuts["a"].kept(ranks), [[True, False, False]])


def test_rank_zero_is_never_kept():
    ranks = np.array([[0, 2, 0]], np.uint32)

    cuts = cuts_keeping({"a": lambda: ranks}, 3)

    assert_array_equal(cuts["a"].kept(ranks), [[False, True, False]])
