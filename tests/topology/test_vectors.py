import numpy as np
import pytest
from gudhi.representations import Landscape, PersistenceImage, Silhouette
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import persistences

from topoimp.choices import Scale
from topoimp.errors import OptionError
from topoimp.topology import vectors
from topoimp.topology.vectors import Vectors, VectorSettings, vectors_of, write_vectors

SIZES = st.integers(min_value=1, max_value=60)
FEW = VectorSettings(n_landscapes=2, resolution=5, bandwidth=0.5)


def intervals_of(bars, birth=1.0):
    """Bars born at -birth, as long as they are, in GUDHI's convention."""
    return np.stack([np.full(len(bars), -birth), birth * (bars - 1)], axis=1)


@settings(max_examples=50)
@given(persistences(sizes=SIZES), st.integers(1, 8), st.integers(2, 30))
def test_landscapes_are_those_of_all_bars(bars, n_landscapes, resolution):
    intervals = intervals_of(bars)

    found = vectors_of(intervals, settings=VectorSettings(n_landscapes=n_landscapes, resolution=resolution)).landscape

    expected = Landscape(n_landscapes, resolution, [-1, 0], keep_endpoints=True)(intervals)
    assert_allclose(found, expected, atol=1e-15)


@settings(max_examples=50)
@given(persistences(sizes=SIZES))
def test_silhouettes_and_images_made_in_parts_are_those_made_at_once(bars):
    intervals = intervals_of(np.append(bars, 0.5))
    silhouette = Silhouette(lambda bar: bar[1] - bar[0], 100, [-1, 0], keep_endpoints=True)
    image = PersistenceImage(0.05, lambda point: point[1], [1, 100], [-1, -1, 0, 1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "_TOGETHER", 7)
        found = vectors_of(intervals)

    assert_allclose(found.silhouette, silhouette(intervals), atol=1e-14)
    assert_allclose(found.image, image(intervals), rtol=1e-12)


@given(persistences(sizes=SIZES))
def test_the_order_of_bars_changes_no_bit(bars):
    one, other = vectors_of(intervals_of(bars)), vectors_of(intervals_of(bars[::-1]))

    assert_array_equal(one.silhouette, other.silhouette)
    assert_array_equal(one.image, other.image)


def test_strengths_that_nothing_divides_stretch_landscapes():
    bars = np.array([0.25, 1.0, 0.5])

    one, eight = (
        vectors_of(intervals_of(bars), settings=FEW),
        vectors_of(intervals_of(bars, 8.0), birth=8.0, settings=FEW),
    )

    assert_array_equal(eight.landscape, 8 * one.landscape)
    assert_array_equal(eight.silhouette, 8 * one.silhouette)


def test_vectors_by_hand():
    found = vectors_of(np.array([[-1.0, -0.5], [-1.0, 0.0], [-1.0, -1.0]]), settings=FEW)

    assert_allclose(found.landscape / 2**0.5, [0, 0.25, 0.5, 0.25, 0, 0, 0.25, 0, 0, 0])
    assert_allclose(found.silhouette / 2**0.5, [0, 0.25, 1 / 3, 1 / 6, 0])
    bells = np.exp(-2 * np.subtract.outer([0, 0.25, 0.5, 0.75, 1], [0.5, 1]) ** 2) / (2 * np.pi * 0.25)
    assert_allclose(found.image, bells @ [0.5, 1.0])


@pytest.mark.parametrize("bars", [np.empty(0), np.zeros(3)])
def test_without_bars_of_any_length_all_is_zero(bars, capsys):
    found = vectors_of(intervals_of(bars), settings=FEW)

    assert (found.landscape.tolist(), found.silhouette.tolist(), found.image.tolist()) == ([0] * 10, [0] * 5, [0] * 5)
    assert capsys.readouterr().out == ""


def test_defaults_are_five_landscapes_of_a_hundred_samples():
    assert VectorSettings() == VectorSettings(n_landscapes=5, resolution=100, bandwidth=0.05)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"n_landscapes": 0}, "the number of landscapes is 0; it must be at least 1"),
        ({"resolution": 1}, "the resolution is 1; it must be at least 2"),
        ({"bandwidth": 0.0}, "the bandwidth is 0.0; it must be a finite number above 0"),
        ({"bandwidth": float("nan")}, "the bandwidth is nan; it must be a finite number above 0"),
    ],
)
def test_settings_outside_their_ranges_are_refused(settings_, message):
    with pytest.raises(OptionError, match=message):
        VectorSettings(**settings_)


def test_numbers_beyond_all_squares_are_refused():
    with pytest.raises(OptionError, match=r"bars are born at 1e\+300, and vectors of them are beyond all numbers"):
        vectors_of(intervals_of(np.array([0.5, 1.0]), 1e300), birth=1e300)


def test_the_file_has_a_row_for_each_layer_and_how_it_was_made(tmp_path):
    layers = [(name, Vectors(np.full(10, k), np.full(5, k), np.full(5, k))) for k, name in enumerate("ab")]

    write_vectors(tmp_path / "v.npz", layers, scale=Scale.NETWORK, birth=1.0, settings=FEW)

    with np.load(tmp_path / "v.npz") as arrays:
        assert arrays["layers"].tolist() == ["a", "b"]
        assert (arrays["landscapes"].shape, arrays["silhouettes"].shape, arrays["images"].shape) == (
            (2, 10),
            (2, 5),
            (2, 5),
        )
        assert arrays["levels"].tolist() == [-1, -0.75, -0.5, -0.25, 0]
        assert arrays["persistences"].tolist() == [0, 0.25, 0.5, 0.75, 1]
        assert [arrays[name].item() for name in ("n_landscapes", "resolution", "bandwidth", "scale", "birth")] == [
            2,
            5,
            0.5,
            "network",
            1.0,
        ]
        assert str(arrays["convention"]) == "gudhi"
