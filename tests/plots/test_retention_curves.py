import numpy as np
import pytest
from numpy.testing import assert_allclose

from topoimp import BoundOptions, bound_report, shape_bound_report
from topoimp.plots import retention

DENSITIES = (1, 0.5, 0.1, "critical")


def report_of(write, weights, **options):
    path = write({"w": np.array(weights, np.float32)})
    return bound_report(path, BoundOptions(densities=DENSITIES, **options), threads=1)


def drawn(report):
    return retention(report.layers[0], report.densities)


def points(ax, label):
    (line,) = (line for line in ax.lines if line.get_label() == label)
    return np.transpose(line.get_data())


def normal(rows=6, columns=5, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns))


@pytest.mark.parametrize(
    ("label", "column"),
    [
        ("observed", "forest_kept"),
        ("iid", "forest_iid"),
        ("random mask", "forest_random"),
        ("guaranteed", "forest_guaranteed"),
    ],
)
def test_curves_are_shares_of_the_forest_at_the_densities_of_the_report(write, label, column):
    report = report_of(write, normal())

    rows = sorted(report.densities, key=lambda row: row["density"])
    floor = 6 + 5 - 1
    assert_allclose(points(drawn(report), label), [(row["density"], row[column] / floor) for row in rows])


def test_the_observed_curve_is_the_retention_of_the_report(write):
    report = report_of(write, normal())

    rows = sorted(report.densities, key=lambda row: row["density"])
    assert_allclose(points(drawn(report), "observed")[:, 1], [row["retention"] for row in rows])


def test_critical_and_safe_density_are_marked_as_shares_of_all_weights(write):
    # Forest 4, 2, 1: three weights of eight that keep it, and all four edges that are as strong as 1 or stronger.
    ax = drawn(report_of(write, [[4, 3, 0, 0], [2, 1, 0, 0]]))

    assert points(ax, "critical density")[:, 0].tolist() == [3 / 8] * 2
    assert points(ax, "safe density")[:, 0].tolist() == [3 / 8] * 2
    ax = drawn(report_of(write, [[4, 3, 0, 0], [3, 2, 1, 0]]))  # 2 closes a cycle before 1 comes
    assert points(ax, "critical density")[:, 0].tolist() == [4 / 8] * 2
    assert points(ax, "safe density")[:, 0].tolist() == [5 / 8] * 2


def test_null_models_have_their_means_and_the_band_of_their_simulations(write):
    report = report_of(write, normal(), null=["scales:40", "degrees:20"])
    ax = drawn(report)

    rows = [row for row in report.densities if row["null"] == "scales:40"]
    rows.sort(key=lambda row: row["density"])
    assert_allclose(points(ax, "null scales:40"), [(row["density"], row["retention_null"]) for row in rows])
    assert len(points(ax, "observed")) == len(rows)

    (band,) = ax.collections  # 20 simulations are too few for one
    corners = {tuple(corner) for corner in np.round(band.get_paths()[0].vertices, 9)}
    lowest = {(row["density"], round(row["retention"] - row["excess_high"], 9)) for row in rows}
    highest = {(row["density"], round(row["retention"] - row["excess_low"], 9)) for row in rows}
    assert corners == {(round(x, 9), y) for x, y in lowest | highest}


def test_a_shape_has_no_observed_curve_and_no_safe_density():
    report = shape_bound_report([(30, 20)], BoundOptions(densities=DENSITIES))

    labels = [line.get_label() for line in drawn(report).lines]
    assert labels == ["iid", "random mask", "guaranteed", "critical density"]


def test_a_layer_of_zeros_has_no_curve_and_says_so(write):
    ax = drawn(report_of(write, np.zeros((3, 3))))

    assert not ax.lines
    assert [text.get_text() for text in ax.texts] == ["no edges"]


@pytest.mark.parametrize("weights", [[[2, 2], [2, 2]], [[1, 0], [0, 1]], [[1, 2, 3], [0, 0, 0]]])
def test_constant_disconnected_and_dead_layers_are_drawn(write, weights):
    ax = drawn(report_of(write, weights))

    assert points(ax, "observed")[-1].tolist() == [1, 1]
    assert ax.get_xlim()[0] == 1


def test_density_0_has_no_place_on_a_log_scale(write):
    path = write({"w": normal().astype(np.float32)})
    report = bound_report(path, BoundOptions(densities=[0, 0.5]), threads=1)

    assert points(drawn(report), "observed")[:, 0].tolist() == [0.5]


def test_the_axis_falls_from_1_to_just_below_the_smallest_density(write):
    ax = drawn(report_of(write, normal(60, 50)))

    assert ax.get_xscale() == "log"
    assert_allclose(ax.get_xlim(), (1, (60 + 50 - 1) / (60 * 50) / 1.25))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("density (log)", "retention")
