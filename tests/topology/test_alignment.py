from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import slow_wasserstein
from strategies import SEEDS, persistences

from topoimp.topology import alignment
from topoimp.topology.alignment import cheapest_alignment

ORDERS = st.sampled_from([1, 2])


def partners_of(u, v, order=1):
    return cheapest_alignment(np.array(u, np.float64), np.array(v, np.float64), order=order).tolist()


def cost_of(u, v, partners, order):
    is_paired = partners >= 0
    apart = np.abs(u[is_paired] - v[partners[is_paired]])
    alone = np.concatenate([u[~is_paired], np.delete(v, partners[is_paired])]) / 2
    return float(((apart**order).sum() + (alone**order).sum()) ** (1 / order))


def descending(persistences):
    return np.sort(persistences[persistences > 0])[::-1].copy()


@pytest.mark.parametrize(
    ("u", "v", "order", "partners"),
    [
        ([], [0.5], 1, []),
        ([0.5], [], 1, [-1]),
        ([0.5], [0.5], 2, [0]),
        ([0.9], [0.4], 1, [0]),  # a ratio of 2.25: matched for W_1, not for W_2
        ([0.9], [0.4], 2, [-1]),
        ([0.75], [0.25], 1, [0]),  # both ways cost the same: matched
        ([9.0, 3.0], [3.0, 1.0], 1, [-1, 0]),
        ([5.0, 4.0, 1.0], [5.0, 1.0], 1, [0, -1, 1]),
        ([5.0, 1.0], [5.0, 4.0, 1.0], 2, [0, 2]),
    ],
)
def test_by_hand(u, v, order, partners):
    assert partners_of(u, v, order) == partners


@given(persistences(), persistences(), ORDERS)
def test_partners_ascend_and_none_is_shared(u, v, order):
    partners = cheapest_alignment(descending(u), descending(v), order=order)

    assert (np.diff(partners[partners >= 0]) > 0).all()


@settings(max_examples=300)
@given(persistences(), persistences(), ORDERS)
def test_how_much_is_guessed_does_not_matter(u, v, order):
    u, v = descending(u), descending(v)

    with patch.object(alignment, "_FEW", 1), patch.object(alignment, "_FIRST_REACHES", ()):
        partners = cheapest_alignment(u, v, order=order)

    assert cost_of(u, v, partners, order) == pytest.approx(slow_wasserstein(u, v, order), rel=1e-12)


@settings(max_examples=300)
@given(persistences(), persistences(), ORDERS)
def test_pairs_in_order_are_as_good_a_guess_as_any(u, v, order):
    u, v = descending(u), descending(v)

    with patch.object(alignment, "_FEW", 1):
        partners = cheapest_alignment(u, v, order=order)

    assert cost_of(u, v, partners, order) == pytest.approx(slow_wasserstein(u, v, order), rel=1e-12)


@settings(max_examples=300)
@given(persistences(), persistences(), ORDERS, SEEDS)
def test_a_guess_that_is_far_off_does_not_matter(u, v, order, seed):
    u, v = descending(u), descending(v)
    guess = any_matching(seed, len(u), len(v))
    at_once = patch.object(alignment, "_FEW", (min(len(u), len(v)) + 1) // 2)  # one guess, of this size

    guessed = patch.object(alignment, "_FIRST_REACHES", ()), patch.object(alignment, "_spread", lambda *_: guess)
    with at_once, guessed[0], guessed[1]:
        partners = cheapest_alignment(u, v, order=order)

    assert cost_of(u, v, partners, order) == pytest.approx(slow_wasserstein(u, v, order), rel=1e-12)


def any_matching(seed, n_u, n_v):
    """A matching that keeps the order, of any size."""
    rng = np.random.default_rng(seed)
    n_paired = rng.integers(0, min(n_u, n_v), endpoint=True)
    partners = np.full(n_u, -1)
    partners[np.sort(rng.permutation(n_u)[:n_paired])] = np.sort(rng.permutation(n_v)[:n_paired])
    return partners
