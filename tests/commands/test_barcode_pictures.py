import re

import numpy as np
import pytest

from topoimp import InputSize, LayerPatterns, OptionError, barcode_report
from topoimp.commands.barcode_pictures import FIGURES
from topoimp.plots.canvas import LONGEST_TITLE, shortened


def texts(path):
    """The texts of an SVG; matplotlib draws letters as outlines, and writes the text as a comment."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))


LONG = "a.very.long.name.of.a.layer.that.no.title.has.room.for"
WEIGHTS = {
    "zero": np.zeros((3, 4)),
    "constant": np.ones((3, 4)),
    "apart": np.diag([3.0, 2.0, 1.0, 0.0]),
    LONG: np.arange(20.0).reshape(4, 5),
}


@pytest.mark.parametrize("scale", ["network", "layer", "none"])
@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_draws_every_kind_of_layer(write, tmp_path, figure, scale):
    arguments = {"null": "edges:3"} if figure in ("diagram", "betti-curves") else {}

    barcode_report(write(WEIGHTS), plot=tmp_path / "a.svg", figure=figure, scale=scale, threads=1, **arguments)

    assert {"zero", "constant", "apart", shortened(LONG, LONGEST_TITLE)} <= set(texts(tmp_path / "a.svg"))


@pytest.mark.parametrize("view", ["matrix", "channel"])
@pytest.mark.parametrize("figure", ["diagram", "betti-curves"])
def test_a_null_model_is_in_picture_and_settings(write, tmp_path, figure, view):
    path = write({"conv": np.random.default_rng(0).normal(size=(6, 5, 3, 3))})

    report = barcode_report(
        path,
        patterns=LayerPatterns(view=view),
        plot=tmp_path / "a.svg",
        figure=figure,
        null="rows:4",
        seed=3,
        threads=1,
    )

    assert (report.settings["null"], report.settings["seed"]) == ("shuffle:4:rows", 3)
    assert [text for text in texts(tmp_path / "a.svg") if text.startswith("null shuffle:4:rows")]


def test_only_a_diagram_has_the_form_of_its_bars_among_the_settings(lenet, tmp_path):
    gudhi = barcode_report(lenet, plot=tmp_path / "a.svg", figure="diagram", bar_convention="gudhi", threads=1)
    other = barcode_report(lenet, plot=tmp_path / "b.svg", figure="barcode", bar_convention="gudhi", threads=1)

    assert gudhi.settings["bar_convention"] == "gudhi"
    assert "essential bars, at +∞" in texts(tmp_path / "a.svg")
    assert not {"bar_convention", "null", "seed"} & set(other.settings)


def test_in_the_view_spatial_a_diagram_has_no_histogram(write, tmp_path):
    path = write({"conv": np.random.default_rng(0).normal(size=(2, 3, 3, 3))})

    barcode_report(path, patterns=spatial("conv", (5, 5)), plot=tmp_path / "a.svg", figure="diagram", threads=1)

    assert {"conv/0", "conv/1", "deaths"} <= set(texts(tmp_path / "a.svg"))
    assert "deaths in a bin" not in texts(tmp_path / "a.svg")


def spatial(name, sides):
    return LayerPatterns(view="spatial", input_sizes=((name, InputSize(sides)),))


@pytest.mark.parametrize("figure", ["betti-curves"])
def test_a_figure_of_weights_needs_a_view_with_weights(write, tmp_path, figure):
    path = write({"conv": np.random.default_rng(0).normal(size=(2, 3, 3, 3))})

    with pytest.raises(OptionError, match=f"^the figure '{figure}' needs weights: the `view` matrix or channel$"):
        barcode_report(path, patterns=spatial("conv", (5, 5)), plot=tmp_path / "a.svg", figure=figure, threads=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"null": "edges:3"}, "`null` needs `plot` with the `figure` diagram or betti-curves"),
        ({"null": "edges:3", "plot": "a.svg"}, "`null` needs `plot` with the `figure` diagram or betti-curves"),
        ({"null": "random", "plot": "a.svg", "figure": "diagram"}, "the null is 'random'; a curve needs one that is"),
        ({"null": "edges", "plot": "a.svg", "figure": "diagram"}, "the null is 'edges'; it must be MODEL:N"),
        (
            {"null": "iid:3", "plot": "a.svg", "figure": "diagram", "patterns": LayerPatterns(view="channel")},
            "the view is channel; the null iid:3 is of weights, and needs the view matrix",
        ),
    ],
)
def test_a_null_model_that_no_figure_shows_is_refused_before_anything_is_read(arguments, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        barcode_report("absent.safetensors", **arguments)
