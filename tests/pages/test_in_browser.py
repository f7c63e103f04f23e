"""The page in a real Chromium: nothing complains, nothing is requested, and clicks sort and filter."""

import json

import numpy as np
import pytest
from chromium import Chromium, needs_chromium

from topoimp import barcode_report
from topoimp.checkpoint import write_arrays
from topoimp.pages import page
from topoimp.reports.report import Report

pytestmark = needs_chromium

HOSTILE = "</script><b>bold"
NAMES = "[...document.querySelectorAll('tbody tr')].filter(line => !line.hidden).map(line => line.cells[0].textContent)"


@pytest.fixture(scope="module")
def chromium():
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page and the report of a checkpoint with layers of many kinds."""
    folder = tmp_path_factory.mktemp("page")
    rng = np.random.default_rng(3)
    arrays = {
        "model." + "decoder." * 9 + "weight": rng.normal(size=(5, 4)),
        "layers.2.weight": rng.normal(size=(6, 5)),
        "layers.10.weight": rng.normal(size=(40, 9)),
        HOSTILE: rng.normal(size=(4, 3)),
        "zero": np.zeros((3, 2)),
        "sparse": rng.normal(size=(20, 30)) * (rng.random((20, 30)) < 0.1),
    }
    write_arrays(folder / "m.safetensors", {k: v.astype("float32") for k, v in arrays.items()}, {})
    report = barcode_report(folder / "m.safetensors", report=folder / "m.html", threads=1)
    return folder / "m.html", report


def column(report, name):
    return {row["layer"]: row[name] for row in report.layers}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_complains_nothing_is_requested_and_no_page_is_wider_than_its_window(chromium, made, width, scheme):
    path, _ = made

    chromium.open(path, width=width, scheme=scheme)

    assert chromium.errors == []
    assert chromium.requests == [path.resolve().as_uri()]
    assert chromium.value("document.documentElement.scrollWidth") <= width
    assert chromium.value("document.documentElement.className") == ""
    cut = "[...document.querySelectorAll('tbody th')].filter(cell => cell.scrollWidth > cell.clientWidth).length"
    assert chromium.value(cut) == 0


def test_the_driver_sees_errors_and_requests(chromium, tmp_path):
    (tmp_path / "bad.html").write_text("<img src='absent.png'><script>console.log('said'); nothing()</script>")

    chromium.open(tmp_path / "bad.html")

    assert any("said" in error for error in chromium.errors)
    assert any("nothing is not defined" in error for error in chromium.errors)
    assert (tmp_path / "absent.png").resolve().as_uri() in chromium.requests


def test_the_report_is_read_and_a_name_with_markup_is_text(chromium, made):
    path, report = made

    chromium.open(path)

    assert json.loads(chromium.value("document.getElementById('report').textContent")) == json.loads(report.to_json())
    assert chromium.value("document.querySelectorAll('b').length") == 0
    assert HOSTILE in chromium.value(NAMES)


def test_clicks_sort_by_number_up_down_and_back(chromium, made):
    path, report = made
    chromium.open(path)
    first = chromium.value(NAMES)
    edges = column(report, "n_edges")

    shown = []
    for _ in range(3):
        chromium.click("th[data-column=n_edges] button")
        shown.append(chromium.value(NAMES))

    assert first == list(edges)
    assert [edges[name] for name in shown[0]] == sorted(edges.values())
    assert [edges[name] for name in shown[1]] == sorted(edges.values(), reverse=True)
    assert shown[2] == first
    assert chromium.value("document.querySelector('th[data-column=n_edges]').ariaSort") is None


def test_clicks_sort_and_words_filter_further_tables(chromium, tmp_path):
    means = [3.0, 1.0, 2.0]
    rows = [{"quantity": f"beta{k}", "mean": mean} for k, mean in enumerate(means)]
    text = page(Report("prune", {}, {}, [{"level": "network"}]), tables={"summary": rows})
    (tmp_path / "a.html").write_text(text, encoding="utf-8")
    chromium.open(tmp_path / "a.html")

    chromium.click("th[data-column=mean] button")
    up = chromium.value(NAMES)
    chromium.type("input[type=search]", "mean>=2")

    assert up == ["beta1", "beta2", "beta0"]
    assert chromium.value(NAMES) == ["beta2", "beta0"]
    assert chromium.errors == []


def test_blanks_come_last_and_numbers_in_names_count(chromium, made):
    path, report = made
    chromium.open(path)
    deaths = column(report, "last_death")
    assert deaths["zero"] is None

    chromium.click("th[data-column=last_death] button")
    up = chromium.value(NAMES)
    chromium.click("th[data-column=last_death] button")
    down = chromium.value(NAMES)
    chromium.click("th[data-column=layer] button")

    assert (up[-1], down[-1]) == ("zero", "zero")
    assert [deaths[name] for name in up[:-1]] == sorted(each for each in deaths.values() if each is not None)
    names = chromium.value(NAMES)
    assert names.index("layers.2.weight") < names.index("layers.10.weight")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("LAYERS", lambda row: "layers" in row["layer"]),
        ("density<50%", lambda row: row["density"] < 0.5),
        ("n_edges>=20 layers", lambda row: row["n_edges"] >= 20 and "layers" in row["layer"]),
        ("last_death>0", lambda row: (row["last_death"] or 0) > 0),
        ("layer==zero", lambda row: row["layer"] == "zero"),
        ("</script>", lambda row: row["layer"] == HOSTILE),
        ("absent", lambda row: False),  # noqa: ARG005  # no row
    ],
)
def test_typed_words_filter(chromium, made, text, holds):
    path, report = made
    chromium.open(path)

    chromium.type("input[type=search]", text)

    kept = [row["layer"] for row in report.layers if holds(row)]
    assert chromium.value(NAMES) == kept
    assert chromium.value("document.querySelector('output').textContent") == f"{len(kept)} of 6 rows"

    chromium.type("input[type=search]", "")
    assert len(chromium.value(NAMES)) == 6
    assert chromium.value("document.querySelector('output').textContent") == ""


def test_figures_have_the_colour_of_the_page(chromium, made):
    path, _ = made
    line = "getComputedStyle(document.querySelector('svg [stroke=currentColor]')).stroke"

    chromium.open(path, scheme="dark")
    dark = chromium.value(line)
    chromium.open(path, scheme="light")

    assert dark == "rgb(232, 232, 230)"
    assert chromium.value(line) == "rgb(26, 26, 26)"
