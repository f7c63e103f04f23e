"""What all pictures of commands have in common, shown on ``barcode``."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from outputs import texts

from topoimp import OptionError, OutputError, barcode_report
from topoimp.commands.barcode_pictures import FIGURES
from topoimp.commands.pictures import Picture, WholeFigure


def layers(n):
    rng = np.random.default_rng(0)
    return {f"layers.{k}.weight": rng.normal(size=(4, 3)).astype("float32") for k in range(n)}


def test_a_picture_is_an_output_with_its_settings(lenet, tmp_path):
    path = tmp_path / "bars.svg"

    report = barcode_report(lenet, plot=path, size="page", threads=1)

    assert report.outputs == {"plot": path}
    assert (report.settings["figure"], report.settings["size"]) == ("barcode", "page")
    assert {"fc1.weight", "fc2.weight", "fc3.weight"} <= set(texts(path))
    svg = ElementTree.parse(path).getroot()  # noqa: S314  # ours
    assert svg.get("width") == f"{6.75 * 72:g}pt"


def test_the_rows_are_those_without_a_picture(lenet, tmp_path):
    assert barcode_report(lenet, plot=tmp_path / "a.png", threads=1).rows == barcode_report(lenet, threads=1).rows


def test_the_same_input_has_the_same_bytes(lenet, tmp_path):
    for name in ("a.svg", "b.svg"):
        barcode_report(lenet, plot=tmp_path / name, threads=1)

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_of_many_layers_the_overview_is_drawn_and_a_note_says_so(write, tmp_path):
    path = write(layers(25))

    report = barcode_report(path, plot=tmp_path / "a.svg", threads=1)
    barcode_report(path, plot=tmp_path / "b.svg", figure="overview", threads=1)

    note = "the picture is the overview: the figure barcode needs 24 panels or fewer, and there are 25: `include`"
    assert note in report.notes
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_of_many_layers_a_page_has_the_overview_and_says_what_it_lacks(write, tmp_path):
    barcode_report(write(layers(25)), report=tmp_path / "a.html", threads=1)

    page = (tmp_path / "a.html").read_text()
    assert set(re.findall(r'id="figure-([^"]+)"', page)) == {"overview"}
    assert "mask: not drawn, as it needs 24 panels or fewer, and there are 25: " in page


def test_of_24_layers_all_are_drawn(write, tmp_path):
    report = barcode_report(write(layers(24)), plot=tmp_path / "a.svg", threads=1)

    assert not [note for note in report.notes if "picture" in note]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"plot": "a.jpg"}, "`plot` is a.jpg; its name must end in .svg, .pdf or .png"),
        ({"plot": "a.svg", "figure": "bars"}, f"there is no figure 'bars' here; there are {', '.join(FIGURES)}"),
        ({"plot": "a.svg", "size": "wide"}, "there is no picture size 'wide'; known are column, page"),
        ({"figure": "barcode"}, "`figure` needs `plot`"),
        ({"size": "page"}, "`size` needs `plot`"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_read(arguments, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        barcode_report("absent.safetensors", **arguments)


def test_an_existing_file_stays(lenet, tmp_path):
    (tmp_path / "a.svg").write_text("mine")

    with pytest.raises(OutputError, match="exists already"):
        barcode_report(lenet, plot=tmp_path / "a.svg", threads=1)
    assert (tmp_path / "a.svg").read_text() == "mine"


def test_the_strengths_of_an_undivided_barcode_are_named(lenet, tmp_path):
    barcode_report(lenet, plot=tmp_path / "a.svg", scale="none", threads=1)

    assert "strength |w|" in texts(tmp_path / "a.svg")


def test_what_results_lack_for_a_figure_is_said(tmp_path):
    figures = {"seeds": WholeFigure("...", lambda *_: None, lambda _: "two seeds or more: `seeds`")}

    with pytest.raises(OptionError, match=r"^the figure 'seeds' needs two seeds or more: `seeds`$"):
        Picture(figures, tmp_path / "a.svg").write(None, None)
