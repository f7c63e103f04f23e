import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from strategies import SEEDS, make_weight, weights

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import CheckpointError, LayerError, OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.scored import ScoredLayers, scored_layers, with_scores
from topoimp.layers.tensors import select_layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scored")


def scored(folder, tensors, scores, **patterns):
    """The layers of some tensors, with scores."""
    save_file(tensors, folder / "model.safetensors")
    save_file(scores, folder / "scores.safetensors")
    layers = select_layers(open_checkpoint(folder / "model.safetensors"), LayerPatterns(**patterns))
    return scored_layers(layers, open_checkpoint(folder / "scores.safetensors"))


def strengths_of(folder, weight, scores, **patterns):
    """The strengths of a layer with scores."""
    layers = scored(folder, {"a": weight}, {"a": scores}, **patterns)
    return layers.read(layers.infos[0], threads=2).strengths()


@given(weights(rows=st.integers(2, 9), columns=st.integers(2, 9)), SEEDS, st.sampled_from([np.float32, np.float64]))
def test_factors_are_multiplied_with_the_magnitudes_of_their_columns_or_rows(folder, weight, seed, dtype):
    rng = np.random.default_rng(seed)
    of_columns, of_rows = (rng.random(n).astype(dtype) for n in weight.shape[::-1])
    exact = np.abs(weight.astype(np.float64))
    is_wide = weight.dtype != np.float16 or dtype is np.float64
    product = np.float64 if is_wide else np.float32

    by_column = strengths_of(folder, weight, of_columns[None, :])
    by_row = strengths_of(folder, weight, of_rows[:, None])

    assert np.array_equal(by_column, (exact * of_columns).astype(product))
    assert np.array_equal(by_row, (exact * of_rows[:, None]).astype(product))


def test_a_vector_is_of_the_columns_where_both_sides_are_as_long(folder):
    weight = np.ones((2, 2), np.float32)

    assert strengths_of(folder, weight, np.array([1.0, 3.0])).tolist() == [[1, 3], [1, 3]]


def test_a_vector_as_long_as_the_rows_is_of_the_rows(folder):
    weight = np.ones((2, 3), np.float32)

    assert strengths_of(folder, weight, np.array([1.0, 3.0])).tolist() == [[1, 1, 1], [3, 3, 3]]


@given(SEEDS, st.sampled_from([np.float16, np.float32, np.float64]))
def test_scores_of_the_shape_are_the_strengths_but_for_stored_zeros(folder, seed, dtype):
    weight = make_weight(seed, 5, 7, "sparse")
    scores = np.abs(make_weight(seed + 1, 5, 7, "normal")).astype(dtype)

    found = strengths_of(folder, weight, scores)

    assert np.array_equal(found, np.where(weight != 0, scores, 0))


def test_a_convolution_has_a_factor_for_each_column_of_its_matrix(folder):
    weight = np.random.default_rng(0).normal(size=(4, 3, 2, 2))
    factors = np.random.default_rng(1).random(12)

    found = strengths_of(folder, weight, factors)

    assert np.array_equal(found, np.abs(weight.reshape(4, 12)) * factors)


def test_each_group_takes_its_part_of_scores_of_the_tensors_shape(folder):
    weight = np.random.default_rng(0).normal(size=(4, 6))
    scores = np.random.default_rng(1).random((4, 6))

    layers = scored(folder, {"a": weight}, {"a": scores}, groups=(("a", 3, 1),))

    read = [layers.read(info).strengths() for info in layers.infos]
    assert np.array_equal(np.concatenate(read, axis=1), scores)


def test_a_group_may_have_scores_under_its_own_name(folder):
    weight = np.random.default_rng(0).normal(size=(6, 4))
    own = {"a[0]": np.full((3, 4), 2.0), "a[1]": np.arange(4.0)}

    layers = scored(folder, {"a": weight}, own, groups=(("a", 2),))

    read = [layers.read(info).strengths() for info in layers.infos]
    assert (read[0] == 2).all()
    assert np.array_equal(read[1], np.abs(weight[3:]) * np.arange(4.0))


def test_a_layer_of_several_parts_is_scored_alike_by_any_number_of_threads(folder):
    weight = np.random.default_rng(0).normal(size=(300, 1000)).astype(np.float32)
    layers = scored(folder, {"a": weight}, {"a": np.random.default_rng(1).random(1000)})

    codes = [layers.read(layers.infos[0], threads).codes for threads in (1, 2, 3)]

    assert np.array_equal(codes[0], codes[1])
    assert np.array_equal(codes[0], codes[2])


def test_minus_zero_is_a_score_of_zero_and_no_edge(folder):
    assert strengths_of(folder, np.ones((2, 2)), np.array([[-0.0, 1], [2, 0]])).tolist() == [[0, 1], [2, 0]]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, r"scores.safetensors: has no scores of layer 'a' of .*model.safetensors \(1 in all\); `include` and"),
        ({"a": np.ones(3), "b": np.ones(3)}, r"scores.safetensors: has scores 'b'; .* has no tensor of that name$"),
        (
            {"a": np.ones(4)},
            r"scores 'a' have the shape \[4\]; needed are \[2, 3\], \[3\] for columns or \[2, 1\] for rows$",
        ),
        ({"a": np.array([1.0, np.nan, 2.0])}, r"factor 1 of 'a' is nan; it must be a finite number of at least 0$"),
        ({"a": np.array([1.0, 2.0, -1.0])}, r"factor 2 of 'a' is -1.0; it must be a finite number of at least 0$"),
        ({"a": np.ones(3, np.int32)}, r"scores 'a' have the type I32; they must be floating-point$"),
    ],
)
def test_scores_that_do_not_fit_are_refused(folder, scores, message):
    with pytest.raises(CheckpointError, match=message):
        scored(folder, {"a": np.ones((2, 3))}, scores)


@pytest.mark.parametrize(
    ("weight", "scores", "message"),
    [
        (1.0, np.array([[1, 2, 3], [4, -5, 6.0]]), r"scores.safetensors: the score of weight 4 of 'a' is negative; it"),
        (1.0, np.array([[1, 2, 3], [4, 5, np.inf]]), r"scores.safetensors: the score of weight 5 of 'a' is not finite"),
        (np.nan, np.ones(3), r"model.safetensors: tensor 'a' holds 6 NaN, the first at index 0"),
        (1e300, np.full(3, 1e300), r"scores.safetensors: the score of weight 0 of 'a' is not finite; it must be$"),
    ],
)
def test_scores_that_are_no_strengths_are_named(folder, weight, scores, message):
    layers = scored(folder, {"a": np.full((2, 3), weight)}, {"a": scores})

    with pytest.raises(LayerError, match=message):
        layers.read(layers.infos[0])


def test_scores_are_of_weights_and_so_need_the_view_matrix(folder):
    with pytest.raises(OptionError, match="the view is channel; scores are of weights, and need the view matrix"):
        scored(folder, {"a": np.ones((2, 3, 2))}, {"a": np.ones((2, 3, 2))}, view="channel")


def test_without_a_file_the_layers_stay_as_they_are(folder):
    layers = scored(folder, {"a": np.ones((2, 3))}, {"a": np.ones(3)})

    assert with_scores(layers.weights, None) is layers.weights
    assert isinstance(with_scores(layers.weights, folder / "scores.safetensors"), ScoredLayers)
