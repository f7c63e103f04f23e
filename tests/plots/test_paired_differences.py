import numpy as np
import pytest

from topoimp.plots import accuracy_gains, gains_over_density
from topoimp.rounds.over_seeds import SeedRows, paired_of


def rows(accuracies, densities=(1.0, 0.5, 0.1)):
    """Rows of rounds.csv: by seed, the accuracy of each round."""
    return [
        {"level": "network", "seed": seed, "round": number, "density": density, "test_accuracy": accuracy}
        for seed, of_seed in enumerate(accuracies)
        for number, (density, accuracy) in enumerate(zip(densities, of_seed, strict=True))
    ]


def paired(**accuracies):
    return paired_of([SeedRows(name, {"method": name}, rows(each)) for name, each in accuracies.items()])


def lines(ax):
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in ax.lines}


MAGNITUDE = [[0.9, 0.8, 0.4], [0.9, 0.7, 0.5]]
PATHS = [[0.9, 0.81, 0.6], [0.9, 0.71, 0.8]]
LAMP = [[0.9, 0.8, 0.3], [0.9, 0.7, 0.3]]


def test_lines_are_the_mean_differences_in_points_against_the_density():
    ax = gains_over_density(paired(lamp=LAMP, magnitude=MAGNITUDE, paths=PATHS))

    drawn = lines(ax)
    assert drawn.keys() == {"magnitude", "lamp", "paths"}
    assert list(drawn["paths"][0]) == [0.5, 0.1]
    np.testing.assert_allclose(drawn["paths"][1], [1, 25])
    np.testing.assert_allclose(drawn["lamp"][1], [0, -15])
    assert set(drawn["magnitude"][1]) == {0}
    left, right = ax.get_xlim()
    assert left > right


def test_bands_are_the_intervals_also_of_a_turned_pair():
    turned = gains_over_density(paired(lamp=LAMP, magnitude=MAGNITUDE))

    (band,) = turned.collections
    ends = {round(y, 6) for x, y in band.get_paths()[0].vertices if round(x, 6) == 0.1}
    assert ends == {round(-15 - 12.7062047362 * 5, 6), round(-15 + 12.7062047362 * 5, 6)}


def test_the_first_pruning_is_the_baseline_where_magnitude_is_missing():
    ax = gains_over_density(paired(lamp=LAMP, paths=PATHS))

    assert lines(ax).keys() == {"lamp", "paths"}
    assert set(lines(ax)["lamp"][1]) == {0}


@pytest.mark.parametrize(
    ("pairs", "caption"),
    [
        (paired(magnitude=MAGNITUDE, paths=PATHS), "mean of n = 2 paired seeds, with 95 % interval"),
        (paired(magnitude=MAGNITUDE[:1], paths=PATHS[:1]), "n = 1 seed"),
        (paired(magnitude=MAGNITUDE), "no pair of prunings with the same targets"),
    ],
)
def test_the_caption_says_how_many_seeds_there_are(pairs, caption):
    assert accuracy_gains(pairs)._supxlabel.get_text() == caption


def test_a_round_without_weights_and_other_quantities_have_no_point():
    pairs = paired_of([
        SeedRows(name, {"method": name}, rows(each, densities=(1.0, 0.5, 0.0)))
        for name, each in (("magnitude", MAGNITUDE), ("paths", PATHS))
    ])  # fmt: skip

    assert list(lines(gains_over_density(pairs))["paths"][0]) == [0.5]
