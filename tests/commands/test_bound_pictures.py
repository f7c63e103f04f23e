import json
import re

import numpy as np
import pytest
from outputs import figures_in, report_in, texts

from topoimp import (
    BoundOptions,
    OptionError,
    OutputError,
    architecture_bound_report,
    bound_report,
    shape_bound_report,
)
from topoimp.commands.densities import USUAL_DENSITIES
from topoimp.layers.records import LayerPatterns
from topoimp.layers.spatial import InputSize

DENSITIES = BoundOptions(densities=[0.5, 0.1])


def test_retention_is_drawn_with_a_panel_for_each_layer(lenet, tmp_path):
    path = tmp_path / "a.svg"

    report = bound_report(lenet, DENSITIES, plot=path, threads=1)

    assert {"fc1.weight", "fc2.weight", "fc3.weight", "observed", "safe density"} <= set(texts(path))
    assert report.outputs == {"plot": path}
    assert (report.settings["figure"], report.settings["size"]) == ("retention", "column")
    assert report.rows == bound_report(lenet, DENSITIES, threads=1).rows


@pytest.mark.parametrize("view", ["channel", "spatial"])
def test_a_figure_of_densities_needs_some_before_anything_is_read(tmp_path, view):
    message = "the figure 'retention' needs densities: `densities`"

    with pytest.raises(OptionError, match=re.escape(message)):
        bound_report("absent", patterns=LayerPatterns(view=view), plot=tmp_path / "a.svg", figure="retention")


def test_shapes_and_architectures_are_drawn(tmp_path):
    architecture_bound_report("lenet-300-100", DENSITIES, plot=tmp_path / "a.svg")
    report = shape_bound_report([(30, 20), (30, 20)], DENSITIES, plot=tmp_path / "b.svg", size="page")

    assert {"fc1.weight", "guaranteed"} <= set(texts(tmp_path / "a.svg"))
    assert {"30x20", "30x20#2"} <= set(texts(tmp_path / "b.svg"))
    assert report.outputs == {"plot": tmp_path / "b.svg"}


def test_an_existing_picture_stays_without_force(write, tmp_path):
    path = write({"w": np.eye(3, dtype=np.float32)})
    (tmp_path / "a.svg").write_text("mine")

    with pytest.raises(OutputError, match="exists already"):
        bound_report(path, DENSITIES, plot=tmp_path / "a.svg", threads=1)
    assert (tmp_path / "a.svg").read_text() == "mine"

    bound_report(path, DENSITIES, plot=tmp_path / "a.svg", force=True, threads=1)
    assert "observed" in texts(tmp_path / "a.svg")


def test_a_picture_is_no_input(write):
    path = write({"w": np.eye(3, dtype=np.float32)})
    path = path.rename(path.with_suffix(".png"))

    with pytest.raises(OptionError):
        bound_report(path, DENSITIES, plot=path, force=True, threads=1)


def test_the_same_input_has_the_same_bytes(lenet, tmp_path):
    files = []
    for _ in range(2):
        bound_report(lenet, DENSITIES, plot=tmp_path / "a.svg", report=tmp_path / "a.html", force=True, threads=1)
        files.append([(tmp_path / name).read_bytes() for name in ("a.svg", "a.html")])

    assert files[0] == files[1]


def in_page(path):
    """The report in a page, its figures, and the figures that it says are not drawn."""
    text = path.read_text(encoding="utf-8")
    missing = re.findall(r'class="soft">(\S+): not drawn', text)
    return report_in(path), figures_in(path), missing


def test_a_page_has_the_report_and_the_figure(lenet, tmp_path):
    report = bound_report(lenet, DENSITIES, report=tmp_path / "a.html", threads=1)

    assert report.outputs == {"report": tmp_path / "a.html"}
    assert in_page(tmp_path / "a.html") == (json.loads(report.to_json()), ["retention", "overview"], [])
    assert report.rows == bound_report(lenet, DENSITIES, threads=1).rows


@pytest.mark.parametrize("files", [["plot"], ["report"], ["plot", "report"]])
def test_without_densities_the_usual_ones_are_drawn_and_a_note_says_so(lenet, tmp_path, files):
    paths = {name: tmp_path / f"a.{'svg' if name == 'plot' else 'html'}" for name in files}

    report = bound_report(lenet, **paths, threads=1)

    usual = BoundOptions(densities=USUAL_DENSITIES)
    assert report.rows == bound_report(lenet, usual, threads=1).rows
    densities = "1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, critical"
    assert f"densities of the figure retention, as none are given: {densities}" in report.notes
    if "report" in paths:
        assert in_page(paths["report"]) == (json.loads(report.to_json()), ["retention", "overview"], [])


def test_another_figure_needs_no_densities(lenet, tmp_path):
    report = bound_report(lenet, plot=tmp_path / "a.svg", figure="overview", threads=1)

    assert report.densities == []
    assert not [note for note in report.notes if "densities" in note]


def test_shapes_and_architectures_have_pages(tmp_path):
    of_network = architecture_bound_report("lenet-300-100", DENSITIES, report=tmp_path / "a.html")
    images = [("*", InputSize((8, 8)))]
    of_shape = shape_bound_report([(64, 3, 3, 3)], view="spatial", input_sizes=images, report=tmp_path / "b.html")

    assert in_page(tmp_path / "a.html") == (json.loads(of_network.to_json()), ["retention", "overview"], [])
    assert in_page(tmp_path / "b.html") == (json.loads(of_shape.to_json()), ["overview"], ["retention"])


def test_a_page_of_another_ending_is_refused_before_anything_is_read():
    with pytest.raises(OptionError, match=r"^`report` is a.pdf; its name must end in .html or .htm$"):
        bound_report("absent.safetensors", report="a.pdf")


def test_the_command_line_writes_the_page(topoimp, lenet, tmp_path):
    outcome = topoimp("bound", lenet, "--report", tmp_path / "a.html")

    assert outcome.status == 0
    assert f"wrote {tmp_path / 'a.html'}\n" in outcome.err
    assert topoimp("bound", lenet, "--report", tmp_path / "a.html").status == 1
    assert topoimp("bound", "--shape", "30x20", "--report", tmp_path / "a.html", "--force").status == 0


def test_several_checkpoints_have_no_page(topoimp, lenet, tmp_path):
    outcome = topoimp("bound", lenet, lenet, "--report", tmp_path / "a.html")

    assert outcome.status == 2
    assert "--report writes one file, about one CHECKPOINT" in outcome.err
