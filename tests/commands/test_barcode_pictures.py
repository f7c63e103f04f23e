import re

import numpy as np
import pytest
from outputs import texts

from topoimp import InputSize, LayerPatterns, OptionError, barcode_report, plots
from topoimp.commands.barcode_pictures import FIGURES
from topoimp.commands.train import train_run
from topoimp.plots.titles import own_endings, panel_titles

LONG = "a.very.long.name.of.a.layer.that.no.title.has.room.for"
WEIGHTS = {
    "zero": np.zeros((3, 4)),
    "constant": np.ones((3, 4)),
    "apart": np.diag([3.0, 2.0, 1.0, 0.0]),
    LONG: np.arange(20.0).reshape(4, 5),
}


@pytest.mark.parametrize("scale", ["network", "layer", "none"])
@pytest.mark.parametrize("figure", sorted({*FIGURES} - {"input-image"}))
def test_every_figure_draws_every_kind_of_layer(write, tmp_path, figure, scale):
    arguments = {"null": "edges:3"} if figure in ("diagram", "betti-curves") else {}

    barcode_report(write(WEIGHTS), plot=tmp_path / "a.svg", figure=figure, scale=scale, threads=1, **arguments)

    named = own_endings if figure == "overview" else panel_titles
    assert {*named(list(WEIGHTS))} <= set(texts(tmp_path / "a.svg"))


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


@pytest.mark.parametrize("figure", ["betti-curves", "mask", "input-image"])
def test_a_figure_of_weights_needs_a_view_with_weights(write, tmp_path, figure):
    path = write({"conv": np.random.default_rng(0).normal(size=(2, 3, 3, 3))})

    with pytest.raises(OptionError, match=f"^the figure '{figure}' needs weights: the `view` matrix or channel$"):
        barcode_report(path, patterns=spatial("conv", (5, 5)), plot=tmp_path / "a.svg", figure=figure, threads=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"null": "edges:3"}, "`null` needs `report`, or `plot` with the `figure` diagram or"),
        (
            {"null": "edges:3", "plot": "a.svg"},
            "`null` needs `report`, or `plot` with the `figure` diagram or",
        ),
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


@pytest.fixture
def drawn_images(monkeypatch):
    """The numbers of weights that the figure input-image draws, in order."""
    drawn = []

    def draw(n_kept, *, ax):
        drawn.append(n_kept.tolist())
        return ax

    monkeypatch.setattr(plots, "input_image", draw)
    return drawn


def test_columns_go_through_an_image_row_by_row_and_channel_by_channel(write, tmp_path, drawn_images):
    weights = np.zeros((3, 2 * 2 * 3))
    weights[:2, 0] = weights[0, 6] = 1  # height 0, width 0 of channels 0 and 1
    weights[1, 5] = 1  # height 1, width 2 of channel 0
    path = write({"fc": weights, "other": np.ones((2, 5))})

    report = barcode_report(path, plot=tmp_path / "a.svg", figure="input-image", image=(2, 3, 2), threads=1)

    assert drawn_images == [[[3, 0, 0], [0, 0, 1]]]
    assert report.settings["image"] == "2x3x2"


def test_an_image_of_one_channel_needs_no_third_number(write, tmp_path, drawn_images):
    path = write({"fc": np.arange(12.0).reshape(2, 6)})

    report = barcode_report(path, plot=tmp_path / "a.svg", figure="input-image", image=[2, 3], threads=1)

    assert drawn_images == [[[1, 2, 2], [2, 2, 2]]]
    assert report.settings["image"] == "2x3"


def test_a_checkpoint_of_a_run_folder_knows_its_images(tmp_path, drawn_images):
    train_run("mlp:64-16-10", output=tmp_path / "run", epochs=0)

    model = tmp_path / "run/seed-0/model.safetensors"
    report = barcode_report(model, plot=tmp_path / "a.svg", figure="input-image", threads=1)

    assert np.shape(drawn_images) == (1, 8, 8)
    assert report.settings["image"] == "8x8"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "the figure 'input-image' needs the size of the images: `image`"),
        ((5, 5), "the figure 'input-image' needs a layer with 25 columns, one for each number of an image of 5x5x1"),
        ((28,), "`image` is 28; it must be HxW or HxWxC, as in 28x28 or 32x32x3"),
        ((28, 0), "`image` is 28x0; it must be HxW or HxWxC, as in 28x28 or 32x32x3"),
    ],
)
def test_an_image_that_no_layer_reads_is_refused(lenet, tmp_path, image, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        barcode_report(lenet, plot=tmp_path / "a.svg", figure="input-image", image=image, threads=1)
    assert not (tmp_path / "a.svg").exists()


def test_only_the_figure_of_images_takes_an_image():
    with pytest.raises(OptionError, match=r"^`image` needs `report`, or `plot` with the `figure` input-image$"):
        barcode_report("absent.safetensors", image=(28, 28))


def test_of_many_layers_each_mask_has_fewer_blocks(write, tmp_path, monkeypatch):
    blocks = {}
    monkeypatch.setattr(plots, "mask", lambda counts, _forest, *, ax: blocks.setdefault(counts.counts.shape, ax))
    path = write({f"w{number}": np.ones((600, 2)) for number in range(5)})

    barcode_report(path, plot=tmp_path / "a.svg", figure="mask", threads=1)
    barcode_report(path, patterns=LayerPatterns(include=("w0",)), plot=tmp_path / "b.svg", figure="mask", threads=1)

    assert list(blocks) == [(400 // 3, 2), (400, 2)]


@pytest.mark.parametrize("figure", ["diagram", "betti-curves", "mask"])
def test_threads_change_no_byte(lenet, tmp_path, figure):
    null = {} if figure == "mask" else {"null": "rows:3"}
    for threads in (1, 3):
        barcode_report(lenet, plot=tmp_path / f"{threads}.svg", figure=figure, threads=threads, **null)

    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "3.svg").read_bytes()
