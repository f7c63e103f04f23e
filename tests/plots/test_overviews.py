import re
import warnings

import numpy as np
import pytest
from outputs import texts

from topoimp import OptionError, barcode_report, bound_report, comparison_report
from topoimp.plots import blocks_by_role, overview, save

ROLES = ("attn.k_proj", "attn.o_proj", "attn.q_proj", "attn.v_proj", "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj")
"""In the order of the file."""


def model(n_blocks=24):
    """A model of 7 layers a block and a head; one layer has dead rows."""
    rng = np.random.default_rng(0)
    arrays = {f"h.{k}.{role}.weight": rng.normal(size=(6, 4)).astype("f4") for k in range(n_blocks) for role in ROLES}
    if n_blocks > 5:
        arrays["h.5.mlp.up_proj.weight"][:3] = 0
    return {**arrays, "lm_head.weight": rng.normal(size=(5, 4)).astype("f4")}


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    from topoimp.checkpoint import write_arrays

    path = tmp_path_factory.mktemp("overview") / "model.safetensors"
    write_arrays(path, model(), {})
    return barcode_report(path, threads=1).layers


def test_the_colours_are_the_numbers_of_the_report(layers):
    image = blocks_by_role(layers, "tau").images[0].get_array()

    expected = {str(row["layer"]): row["tau"] for row in layers}
    assert image.shape == (8, 25)
    for row, role in enumerate(ROLES):
        assert image[row, :24].tolist() == [expected[f"h.{k}.{role}.weight"] for k in range(24)]
        assert image.mask[row, 24]
    assert image[7, 24] == expected["lm_head.weight"]
    assert image.mask[7, :24].all()


def test_rows_and_columns_are_named(layers):
    ax = blocks_by_role(layers, "tau")

    assert [label.get_text() for label in ax.get_yticklabels()] == [
        *("k_proj", "o_proj", "q_proj", "v_proj", "down_proj", "gate_proj", "up_proj", "lm_head")
    ]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "4", "8", "12", "16", "20", "-"]
    assert ax.get_xlabel() == "block"
    assert ax.images[0].colorbar.ax.get_ylabel() == "tau"


def test_the_worst_layer_is_named_and_has_a_dot_and_dark_is_bad(layers):
    figure = overview(layers, "beta0")

    image, names = (ax for ax in figure.axes if ax.images or ax.get_title(loc="left"))
    assert names.get_title(loc="left") == "worst of 169 layers: the highest beta0"
    assert [text.get_text() for text in names.texts] == ["4", "h.5.mlp.up_proj.weight"]
    (dots,) = (line for line in image.lines if line.get_marker() == "o")
    assert (dots.get_xdata().tolist(), dots.get_ydata().tolist()) == ([5], [6])
    red_green_blue = image.images[0].to_rgba(np.array([1.0, 4.0]))[:, :3].sum(axis=1)
    assert red_green_blue[1] < red_green_blue[0]


def test_ten_are_named_the_worst_first(layers):
    names = next(ax for ax in overview(layers, "tau").axes if ax.get_title(loc="left"))

    ascending = sorted(layers, key=lambda row: row["tau"])[:10]
    assert [text.get_text() for text in names.texts[1::2]] == [row["layer"] for row in ascending]


@pytest.mark.parametrize("size", ["column", "page"])
def test_the_same_rows_have_the_same_bytes_below_300_kilobytes(layers, tmp_path, size):
    for name in ("a.svg", "b.svg"):
        save(overview(layers, "tau", size=size), tmp_path / name)

    drawn = (tmp_path / "a.svg").read_bytes()
    assert drawn == (tmp_path / "b.svg").read_bytes()
    assert len(drawn) < 300_000


@pytest.mark.parametrize("values", [[], [None], [1.0], [2.0, 2.0], [0.0, 1e9], [1e-30, 1e30], [-3, 4], [True, False]])
def test_any_numbers_are_drawn(values, tmp_path):
    column = "barcode_kept" if True in values and 1.0 not in values[:1] else "excess"
    rows = [{"layer": f"h.{k}.w", column: value} for k, value in enumerate(values)]

    save(overview(rows, column), tmp_path / "a.svg")

    assert "NaN" not in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("size", ["column", "page"])
def test_a_long_number_in_a_name_leaves_room_for_the_image(tmp_path, size):
    rows = [{"layer": f"h.{k}.w", "tau": float(k % 5)} for k in (3, 10**20 - 1)]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(overview(rows, "tau", size=size), tmp_path / "a.svg")

    assert {"3", "999…999"} <= set(texts(tmp_path / "a.svg"))


def test_numbers_far_apart_have_logarithmic_colours():
    near, far = (
        blocks_by_role([{"layer": f"h.{k}.w", "tau": tau} for k, tau in enumerate(taus)], "tau")
        for taus in ([1.0, 99.0], [1.0, 100.0])
    )

    assert (near.images[0].norm.__class__.__name__, far.images[0].norm.__class__.__name__) == ("Normalize", "LogNorm")
    assert far.images[0].colorbar.ax.get_ylabel() == "tau (log)"


def test_each_command_has_an_overview(write, tmp_path):
    path = write(model(3))
    other = write({name: np.where(np.abs(array) > 0.5, array, 0) for name, array in model(3).items()}, "other")

    for name, make in (("tau", barcode_report), ("critical_compression", bound_report)):
        report = make(path, plot=tmp_path / f"{name}.svg", figure="overview", threads=1)
        assert report.settings["figure"] == "overview"
        assert name in texts(tmp_path / f"{name}.svg")
    comparison_report(path, other, plot=tmp_path / "c.svg", figure="overview:beta0", threads=1)
    assert "beta0" in texts(tmp_path / "c.svg")


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ("overview:bta0", "there is no column of numbers 'bta0'; did you mean beta0"),
        ("overview:layer", "there is no column of numbers 'layer'; docs/reports.md lists the columns"),
        ("overview:zzzzzz", "there is no column of numbers 'zzzzzz'; docs/reports.md lists the columns"),
        ("barcode:tau", "there is no figure 'barcode:tau' here"),
    ],
)
def test_a_column_that_no_report_has_is_refused_before_anything_is_read(figure, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}"):
        barcode_report("absent.safetensors", plot="a.svg", figure=figure)


def test_a_column_that_is_blank_is_refused_and_nothing_is_written(write, tmp_path):
    with pytest.raises(OptionError, match=r"and retention is blank here; there are rows, columns, "):
        barcode_report(write(model(1)), plot=tmp_path / "a.svg", figure="overview:retention", threads=1)
    assert not (tmp_path / "a.svg").exists()
