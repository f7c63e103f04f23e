import numpy as np
import pytest

from topoimp.choices import PictureSize
from topoimp.plots import lottery_ticket, over_density
from topoimp.plots.lottery_tickets import caption


def rows(quantity, values, n_seeds=2, **settings):
    """Rows of summary.csv: by round, the mean of a quantity, with minimum and maximum a tenth off."""
    place = {"level": "network", "layer": None, "method": "magnitude", "quantity": quantity, "n_seeds": n_seeds}
    return [
        {**place, "round": number, "mean": mean, "minimum": 0.9 * mean, "maximum": 1.1 * mean, **settings}
        for number, mean in enumerate(values)
    ]


def pruning(accuracy=(0.9, 0.8, 0.5), **settings):
    return [
        *rows("density", [1, 0.5, 0.25], **settings),
        *rows("test_accuracy", accuracy, **settings),
        *rows("beta0", [2, 2, 40], **settings),
        *rows("retention", [1, 0.75, 0.5], **settings),
        *rows("retention_iid", [1, 0.99, 0.9], **settings),
    ]


def lines(ax):
    """The points of each line, by label."""
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}


def test_each_panel_has_the_means_against_the_density():
    accuracy, beta0, retention = lottery_ticket(pruning()).axes

    densities = [1, 0.5, 0.25]
    assert lines(accuracy)["magnitude"] == (densities, [0.9, 0.8, 0.5])
    assert lines(accuracy)["dense network"][1] == [0.9, 0.9]
    assert lines(beta0) == {"magnitude": (densities, [2, 2, 40])}
    assert lines(retention) == {
        "magnitude": (densities, [1, 0.75, 0.5]),
        "independent strengths": (densities, [1, 0.99, 0.9]),
    }
    assert [ax.get_ylabel() for ax in (accuracy, beta0, retention)] == [
        "test accuracy",
        "components β₀ (log)",
        "retention",
    ]
    assert retention.get_xlabel() == "density (log)"


def test_the_density_falls_on_a_logarithmic_axis_and_components_are_logarithmic():
    accuracy, beta0, retention = lottery_ticket(pruning()).axes

    for ax in (accuracy, beta0, retention):
        left, right = ax.get_xlim()
        assert ax.get_xscale() == "log"
        assert left > 1 > 0.25 > right
    assert [ax.get_yscale() for ax in (accuracy, beta0, retention)] == ["linear", "log", "linear"]


def test_bands_go_from_minimum_to_maximum():
    (band,) = over_density(pruning(), "test_accuracy").collections

    corners = {(round(x, 9), round(y, 9)) for x, y in band.get_paths()[0].vertices}
    assert corners == {(x, round(k * y, 9)) for x, y in ((1, 0.9), (0.5, 0.8), (0.25, 0.5)) for k in (0.9, 1.1)}


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ([{"method": "topological"}, {"method": "magnitude"}], ["topological", "magnitude"]),
        (
            [{"method": "topological", "epsilon": 0.0}, {"method": "topological", "epsilon": 0.1}],
            ["topological", "topological, ε 0.1"],
        ),
        ([{"scope": "global"}, {"schedule": "linear"}], ["magnitude, global", "magnitude, linear"]),
        (
            [{"rewind": "step:0", "rate": 0.2}, {"rewind": "none", "rate": 0.5}],
            ["magnitude, rewind step:0", "magnitude, rewind none"],
        ),
        ([{"rate": 0.2}, {"rate": 0.5}], ["magnitude, rate 0.2", "magnitude, rate 0.5"]),
    ],
)
def test_prunings_have_lines_of_their_own_told_apart_by_their_settings(settings, labels):
    ax = over_density([row for each in settings for row in pruning(**each)], "beta0")

    assert list(lines(ax)) == labels
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 2


def test_prunings_with_the_same_densities_share_the_line_of_chance():
    ax = over_density([*pruning(), *pruning(method="random")], "retention")

    assert len(ax.lines) == 3


def test_a_quantity_without_rows_has_no_panel():
    without = [row for row in pruning() if row["quantity"] != "test_accuracy"]

    assert [ax.get_ylabel() for ax in lottery_ticket(without).axes] == ["components β₀ (log)", "retention"]


def test_rows_of_layers_and_rounds_without_weights_are_left_out():
    summary = [
        *rows("density", [1, 0.5, 0]),
        *rows("beta0", [2, 3, 9]),
        *rows("beta0", [7, 7, 7], level="layer", layer="fc1"),
    ]

    assert lines(over_density(summary, "beta0")) == {"magnitude": ([1, 0.5], [2, 3])}


@pytest.mark.parametrize(
    ("n_seeds", "expected"),
    [
        ([10, 10], "mean of n = 10 seeds, and minimum to maximum"),
        ([10, 3], "mean of n = 3 to 10 seeds, and minimum to maximum"),
        ([1], "n = 1 seed"),
        ([], "no round"),
    ],
)
@pytest.mark.parametrize("size", PictureSize)
def test_the_caption_says_n(n_seeds, expected, size):
    summary = [row for n in n_seeds for row in pruning(n_seeds=n, rate=n / 100)]

    assert caption(summary) == expected
    assert lottery_ticket(summary, size=size).get_supxlabel() == expected


def test_the_legend_has_each_label_once():
    (legend,) = lottery_ticket(pruning()).legends

    assert [text.get_text() for text in legend.get_texts()] == ["magnitude", "dense network", "independent strengths"]


def test_a_single_unpruned_round_is_drawn():
    summary = [row for row in pruning() if row["round"] == 0]

    assert lines(lottery_ticket(summary).axes[0])["magnitude"] == ([1], [0.9])
    assert np.isfinite(lottery_ticket(summary).axes[0].get_xlim()).all()
