import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from numpy.testing import assert_array_equal

from topoimp.choices import PictureSize
from topoimp.plots import floors, floors_of_prunings, save
from topoimp.plots.row_names import MOST_NAMES


def rows(floor_of, kept, first_round=0, **columns):
    """Rows of rounds.csv: ``kept`` has the weights kept of each layer, round by round; and a row of the network."""
    of_layers = [
        {"level": "layer", "layer": name, "round": first_round + place, "n_kept": n, "floor": floor_of[name]}
        for name, counts in kept.items()
        for place, n in enumerate(counts)
    ]
    network = {"level": "network", "layer": None, "round": first_round, "n_kept": 1, "floor": 1}
    return [{"seed": 0, "method": "magnitude", **row, **columns} for row in [*of_layers, network]]


TWO = rows({"a": 4, "b": 10}, {"a": [16, 8, 4, 2], "b": [20, 15, 12, 10]})


def cells(ax):
    return ax.images[0].get_array().filled(np.nan)


def hatches(ax):
    """Left, top, width and height of the hatched rectangles."""
    found = [patch for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_hatch()]
    return [(float(each.get_x()), float(each.get_y()), each.get_width(), each.get_height()) for each in found]


def dots(ax):
    """Round and place of the marked cells."""
    return [(int(x), int(y)) for line in ax.lines for x, y in zip(*line.get_data(), strict=True)]


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_the_cells_are_the_ratios_of_the_rows():
    ax = floors(TWO)

    assert_array_equal(cells(ax), [[4, 2, 1, 0.5], [2, 1.5, 1.2, 1]])
    assert ax.images[0].get_extent() == [-0.5, 3.5, 1.5, -0.5]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert list(ax.get_yticks()) == [0, 1]
    assert ax.get_xlabel() == "round"


def test_the_colours_are_those_of_the_logarithm_and_the_bar_says_so():
    ax = floors(TWO)
    image = ax.images[0]
    bar = image.colorbar

    assert image.get_clim() == (0.5, 4)
    assert image.norm(np.array([0.5, np.sqrt(2), 4.0])).tolist() == pytest.approx([0, 0.5, 1])
    assert image.get_cmap().name == "viridis"
    assert bar.ax.get_ylabel() == "weights kept / floor (log)"
    assert dict(zip(bar.get_ticks(), (text.get_text() for text in bar.ax.get_yticklabels()), strict=True)) == {
        0.5: "0.5",
        1: "1",
        2: "2",
    }
    assert list(bar.ax.yaxis.get_minorticklocs()) == []


def test_a_wide_scale_has_ticks_at_powers_of_ten():
    ax = floors(rows({"a": 10}, {"a": [200_000, 300, 1]}))

    assert ax.images[0].get_clim() == (0.1, 20_000)
    texts = [text.get_text() for text in ax.images[0].colorbar.ax.get_yticklabels()]
    assert texts == ["0.1", "1", "10", "100", "1,000", "10⁴"]


@pytest.mark.parametrize("counts", [[1, 1], [400, 300], [40, 1], [4, 4]])
def test_the_floor_has_a_colour_in_the_darker_half(counts):
    image = floors(rows({"a": 4}, {"a": counts})).images[0]

    assert image.norm(1.0) <= 0.5 + 1e-12


def test_each_run_of_rounds_at_the_floor_is_one_rectangle():
    ax = floors(rows({"a": 4, "b": 4}, {"a": [4, 4, 5, 3, 0], "b": [8, 8, 8, 8, 4]}))

    assert hatches(ax) == [(-0.5, -0.5, 2, 1), (2.5, -0.5, 2, 1), (3.5, 0.5, 1, 1)]


@pytest.mark.parametrize(
    ("a", "b", "marked"),
    [
        ([8, 4, 4], [8, 8, 4], [(1, 0)]),
        ([8, 8, 4], [8, 3, 2], [(1, 1)]),
        ([8, 4, 4], [8, 4, 4], [(1, 0), (1, 1)]),
        ([4, 4, 4], [8, 4, 4], [(0, 0)]),
        ([8, 7, 6], [8, 8, 5], []),
    ],
)
def test_the_layer_first_at_its_floor_has_a_dot(a, b, marked):
    ax = floors(rows({"a": 4, "b": 4}, {"a": a, "b": b}))

    assert dots(ax) == marked
    assert (ax.get_legend() is not None) == bool(marked)


def test_over_seeds_the_smallest_ratio_is_drawn():
    one = rows({"a": 4}, {"a": [16, 6]}, seed=0)
    other = rows({"a": 8}, {"a": [16, 16, 8]}, seed=1)

    ax = floors(one + other)

    assert_array_equal(cells(ax), [[2, 1.5, 1]])
    assert_array_equal(cells(floors(other + one)), [[2, 1.5, 1]])


def test_rounds_keep_their_numbers_and_missing_ones_are_white():
    ax = floors([row for row in rows({"a": 4}, {"a": [16, 8, 4]}, first_round=5) if row["round"] != 6])

    assert_array_equal(cells(ax), [[4, np.nan, 1]])
    assert hatches(ax) == [(6.5, -0.5, 1, 1)]
    assert dots(ax) == [(7, 0)]
    assert ax.images[0].to_rgba(ax.images[0].get_array())[0, 1].tolist() == [1, 1, 1, 1]


def test_a_layer_without_edges_is_white_and_never_at_its_floor():
    ax = floors(rows({"a": 4, "zero": 0}, {"a": [8, 4], "zero": [0, 0]}))

    assert_array_equal(cells(ax), [[2, 1], [np.nan, np.nan]])
    assert dots(ax) == [(1, 0)]
    assert hatches(ax) == [(0.5, -0.5, 1, 1)]


def test_a_layer_that_keeps_nothing_has_the_darkest_colour():
    image = floors(rows({"a": 4}, {"a": [8, 2, 0]})).images[0]

    assert image.get_clim() == (0.5, 2)
    assert_array_equal(image.to_rgba(image.get_array())[0, 2], image.get_cmap()(0))


def test_of_many_layers_some_have_names():
    kept = {f"layer{k}": [8] for k in range(MOST_NAMES + 1)}

    ax = floors(rows(dict.fromkeys(kept, 4), kept))

    assert list(ax.get_yticks()) == list(range(0, MOST_NAMES + 1, 2))
    assert ax.get_yticklabels()[1].get_text() == "layer2"


def test_each_pruning_has_a_panel_with_the_same_colours():
    other = rows({"a": 4, "b": 10}, {"a": [16, 8, 4, 4], "b": [80, 15, 12, 10]}, method="topological")
    figure = floors_of_prunings(TWO + other)
    first, second, bar = figure.axes

    assert [first.get_title(), second.get_title()] == ["magnitude", "topological"]
    assert_array_equal(cells(first), [[4, 2, 1, 0.5], [2, 1.5, 1.2, 1]])
    assert_array_equal(cells(second), [[4, 2, 1, 1], [8, 1.5, 1.2, 1]])
    assert first.images[0].get_clim() == second.images[0].get_clim() == (0.5, 8)
    assert bar.get_ylabel() == "weights kept / floor (log)"
    assert legend_of(figure) == ["at its floor or below", "first at its floor"]
    assert (first.get_legend(), second.get_legend()) == (None, None)


@pytest.mark.parametrize(
    ("seeds", "caption"), [([0], "n = 1 seed"), ([0, 3], "smallest of n = 2 seeds"), ([], "no round")]
)
def test_the_caption_says_how_many_seeds_there_are(seeds, caption):
    of_seeds = [row for seed in seeds for row in rows({"a": 4}, {"a": [8, 4]}, seed=seed)]

    assert floors_of_prunings(of_seeds).get_supxlabel() == caption


@pytest.mark.parametrize("size", PictureSize)
@pytest.mark.parametrize(
    "of_rounds",
    [
        [],
        rows({"a": 4}, {"a": [16]}),
        rows({"a": 4}, {"a": [4]}),
        rows({"a": 0}, {"a": [0, 0]}),
        rows({"a": 4}, {"a": [0, 0]}),
        TWO,
    ],
    ids=["no row", "one round", "one round at the floor", "no edge", "nothing kept", "two layers"],
)
def test_the_same_rows_give_the_same_bytes(of_rounds, size, tmp_path):
    for name in ("a.svg", "b.svg"):
        save(floors_of_prunings(of_rounds, size=size), tmp_path / name)

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    root = ET.parse(tmp_path / "a.svg").getroot()  # noqa: S314  # our own file
    assert root.tag.endswith("svg")


def test_the_rounds_on_the_axis_are_whole_numbers(tmp_path):
    save(floors_of_prunings(rows({"a": 4}, {"a": [16]}, first_round=3)), tmp_path / "a.svg")

    texts = re.findall(r"<!-- (.*?) -->", (tmp_path / "a.svg").read_text(encoding="utf-8"))
    assert "3" in texts
    assert not [text for text in texts if re.fullmatch(r"[23]\.\d+", text)]
