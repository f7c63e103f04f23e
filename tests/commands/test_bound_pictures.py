import re

import numpy as np
import pytest

from topoimp import BoundOptions, OptionError, OutputError, architecture_bound_report, bound_report, shape_bound_report

DENSITIES = BoundOptions(densities=[0.5, 0.1])


def texts(path):
    """The texts of an SVG; matplotlib draws letters as outlines, and writes the text as a comment."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))


def test_retention_is_drawn_with_a_panel_for_each_layer(lenet, tmp_path):
    path = tmp_path / "a.svg"

    report = bound_report(lenet, DENSITIES, plot=path, threads=1)

    assert {"fc1.weight", "fc2.weight", "fc3.weight", "observed", "safe density"} <= set(texts(path))
    assert report.outputs == {"plot": path}
    assert (report.settings["figure"], report.settings["size"]) == ("retention", "column")
    assert report.rows == bound_report(lenet, DENSITIES, threads=1).rows


def test_a_figure_of_densities_needs_some_before_anything_is_read(tmp_path):
    message = "the figure 'retention' needs densities: `densities`"

    with pytest.raises(OptionError, match=re.escape(message)):
        bound_report("absent", plot=tmp_path / "a.svg", figure="retention")


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
