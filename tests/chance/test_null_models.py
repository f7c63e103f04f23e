from collections import Counter
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_forest, slow_rank
from strategies import SEEDS, make_weight, weights

from topoimp.chance.null import Null
from topoimp.chance.null_models import null_distribution, null_forest_edges
from topoimp.chance.shuffling import strongest_weights
from topoimp.chance.simulation import shuffled_forest_edges
from topoimp.choices import NullModel, Shuffle
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.topology.forest import spanning_forest

SHARES = st.floats(0, 1)
SIMULATED = [model for model in NullModel if model not in (NullModel.RANDOM, NullModel.INITIAL)]
MODELS = st.sampled_from(SIMULATED)


def simulated(weight, k, model, n=5, seed=0, name="weight"):
    layer = as_layer(weight, name=name)
    forest = spanning_forest(layer)
    (strongest,) = strongest_weights(layer, forest, [k], threads=1)
    return null_distribution(layer, forest, strongest, Null(n, model), seed=seed, threads=1)


def near(chances, n):
    """Frequencies in n simulations; each is within 6 deviations and 3 counts but for 1 in 10^6 cases."""
    return {rank: pytest.approx(p, abs=6 * (p * (1 - p) / n) ** 0.5 + 3 / n) for rank, p in chances.items()}


@given(weights(), SHARES, SEEDS, st.sampled_from(list(Shuffle)))
def test_a_shuffle_is_a_null_model_of_its_name(weight, share, seed, shuffle):
    k = round(share * np.count_nonzero(weight))

    null = simulated(weight, k, NullModel(shuffle), seed=seed)

    assert null == shuffled_forest_edges(as_layer(weight), k, shuffle=shuffle, n_simulations=5, seed=seed)


@given(weights(), SHARES, SEEDS, MODELS)
def test_more_simulations_of_one_seed_begin_with_fewer(weight, share, seed, model):
    k = round(share * np.count_nonzero(weight))

    few, many = (simulated(weight, k, model, n=n, seed=seed) for n in (2, 5))

    assert few.counts == many.counts[:2]


@given(weights(), SHARES, MODELS)
def test_by_chance_no_more_than_k_edges_are_kept_and_none_of_none(weight, share, model):
    k = round(share * np.count_nonzero(weight))

    assert max(simulated(weight, k, model).counts) <= k
    assert set(simulated(weight, 0, model).counts) == {0}


@pytest.mark.parametrize("model", SIMULATED)
def test_layers_of_other_names_are_simulated_independently(model):
    weight = make_weight(5, 20, 30, "normal")

    one, other = (simulated(weight, 60, model, name=name) for name in "ab")

    assert one.counts != other.counts


@given(SEEDS, st.integers(0, 6))
def test_independent_strengths_draw_every_set_of_live_places_equally_often(seed, k):
    weight = np.array([[3.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 2.0, 1.0]])

    counts = Counter(simulated(weight, k, NullModel.IID, n=600, seed=seed).counts)

    ranks = Counter(slow_rank(places, 2, 3) for places in combinations(range(6), k))
    chances = {rank: n / ranks.total() for rank, n in ranks.items()}
    assert counts.keys() <= chances.keys()
    assert {rank: counts[rank] / 600 for rank in chances} == near(chances, 600)


def test_columns_explain_what_column_scales_do_and_rows_do_not():
    weight = make_weight(5, 40, 60, "normal") * np.exp(np.linspace(0, 6, 60))
    layer = as_layer(weight)
    forest = spanning_forest(layer)
    (strongest,) = strongest_weights(layer, forest, [400], threads=1)
    n_kept = strongest.n_kept_of(forest, layer, 1)

    scores = {model: simulated(weight, 400, model, n=200).z_score(n_kept) for model in SIMULATED}

    assert abs(scores[NullModel.COLUMNS]) < 4
    assert abs(scores[NullModel.SCALES]) < 4
    assert max(scores[NullModel.ROWS], scores[NullModel.EDGES], scores[NullModel.IID]) < -10


@given(weights(), SHARES)
def test_a_random_mask_keeps_a_hypergeometric_number_of_the_forest(weight, share):
    n_edges, floor = np.count_nonzero(weight), len(slow_forest(weight))
    k = round(share * n_edges)

    null = simulated(weight, k, NullModel.RANDOM, n=0)

    numbers = null.least + np.arange(len(null.probabilities))
    chances = [comb(floor, x) * comb(n_edges - floor, k - x) / comb(n_edges, k) for x in numbers.tolist()]
    assert null.probabilities.tolist() == pytest.approx(chances)
    assert sum(chances) == pytest.approx(1)


@given(weights(), SHARES, SEEDS, st.sampled_from([*SIMULATED, NullModel.RANDOM]))
def test_a_layer_alone_has_the_distribution_that_reports_have(weight, share, seed, model):
    layer, k = as_layer(weight), round(share * np.count_nonzero(weight))
    text = str(Null(3, model))

    null = null_forest_edges(layer, k, text, seed=seed)

    expected = simulated(weight, k, model, n=3, seed=seed)
    facts = [(each.n_kept, each.mean, each.standard_deviation, each.central) for each in (null, expected)]
    assert facts[0] == facts[1]
    assert null_forest_edges(layer, k, Null(3, model), forest=spanning_forest(layer), seed=seed).mean == null.mean


@pytest.mark.parametrize(
    ("k", "null", "message"),
    [
        (5, "degrees:3", "5 edges of layer 'weight' are kept; it must be from 0 to the 4 that it has"),
        (2, "cards:3", f"there is no null model 'cards'; known are {', '.join(NullModel)}"),
    ],
)
def test_what_is_out_of_range_is_refused(k, null, message):
    with pytest.raises(OptionError) as error:
        null_forest_edges(as_layer(np.ones((2, 2))), k, null)

    assert str(error.value) == message


def test_a_negative_seed_is_refused():
    with pytest.raises(OptionError, match=r"^the seed is -1; it must be at least 0$"):
        null_forest_edges(as_layer(np.ones((2, 2))), 2, "scales:2", seed=-1)
