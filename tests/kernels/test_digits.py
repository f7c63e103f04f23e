import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SEEDS

from topoimp.kernels.digits import AT_A_TIME, TABLE, count_first_digits, count_next_digits, place_prefixes

N_DIGITS = 1 << 16


def next_digits(ranks, prefixes, shift):
    kind = ranks.dtype.type
    table, counts = np.zeros(TABLE, np.uint8), np.zeros((len(prefixes), N_DIGITS), np.int64)
    given = np.array(prefixes, kind)
    place_prefixes(given, table)
    count_next_digits(
        ranks, kind(2 ** (8 * ranks.itemsize) - 1), shift, given, table, counts, np.empty(AT_A_TIME, kind)
    )
    return counts


def slow_digits(ranks, prefix, shift):
    counts = np.zeros(N_DIGITS, np.int64)
    for rank in ranks.tolist():
        if rank and rank >> (shift + 16) == prefix:
            counts[rank >> shift & 0xFFFF] += 1
    return counts


@given(SEEDS, st.sampled_from([(32, 0), (64, 0), (64, 16), (64, 32)]), st.integers(1, 3000), st.integers(1, 20))
def test_the_digits_behind_each_prefix_are_counted(seed, kind, n, n_prefixes):
    n_bits, shift = kind
    rng = np.random.default_rng(seed)
    few = rng.integers(0, 2**n_bits, 30, f"uint{n_bits}")
    ranks = rng.choice(few, n) ^ rng.integers(0, 2 ** (shift + 16), n, f"uint{n_bits}")  # beginnings that occur again
    ranks[rng.random(n) < 0.1] >>= ranks.dtype.type(shift + 16)  # and the beginning 0
    prefixes = sorted({int(rank) >> (shift + 16) for rank in [*few, 0, *rng.integers(0, 2**n_bits, 5, few.dtype)]})
    prefixes = prefixes[:n_prefixes]

    counts = next_digits(ranks, prefixes, shift)

    for prefix, of_prefix in zip(prefixes, counts, strict=True):
        assert of_prefix.tolist() == slow_digits(ranks, prefix, shift).tolist()


@pytest.mark.parametrize("last", [0xFFFF, 7])
def test_prefixes_that_share_an_entry_of_the_table_do_not_share_counts(last):
    alike = [last, last << 16, last << 32, (last ^ 5) << 16 | 5]  # the exclusive or of their digits is the same
    prefixes = [*alike[:3], last - 1]
    ranks = np.array([each << 16 | k for k, each in enumerate([*alike, last - 1, 0])], np.uint64)

    counts = next_digits(ranks, prefixes, 0)

    assert [np.flatnonzero(of_prefix).tolist() for of_prefix in counts] == [[0], [1], [2], [4]]


def test_the_mask_clears_the_sign_and_a_rank_of_zero_has_no_digit():
    codes = np.array([0x80000000, 0, 0x80030001, 0x00030002], np.uint32)
    counts = np.zeros(N_DIGITS, np.int64)

    count_first_digits(codes, np.uint32(0x7FFFFFFF), 16, counts)

    assert np.flatnonzero(counts).tolist() == [3]
    assert counts[3] == 2
