"""What a page holds: the report, its tables and figures, and nothing that could leave it."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from topoimp.pages import Drawing, page
from topoimp.pages.drawings import inline_svg
from topoimp.pages.sections import MOST_ROWS, last_rounds
from topoimp.plots import new_figure
from topoimp.reports.report import Report

HOSTILE = "</script><b>\"'&`\x1b"


class Parsed(HTMLParser):
    """The elements of a page, and the texts of its scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open = (tag, dict(attributes).get("id"))

    def handle_endtag(self, _tag):
        self._open = None

    def handle_data(self, data):
        self.texts.setdefault(self._open, []).append(data)

    def text_of(self, tag, identifier=None):
        return "".join(self.texts[tag, identifier])

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def layer(name, **columns):
    return {"level": "layer", "layer": name, **columns}


def network(**columns):
    return {"level": "network", **columns}


def report(*rows, command="barcode", **options):
    return Report(command, {"checkpoint": Path("model.safetensors")}, {"seed": 0, "list": False}, rows, **options)


def drawing(name="bars", title="fc1"):
    figure = new_figure()
    ax = figure.add_subplot()
    ax.plot([0, 1], [0, 1], color="black", linestyle="--", marker="o")
    ax.set_title(title)
    return Drawing(name, "what it shows", figure)


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else():
    parsed = Parsed(page(report(network(floor=3)), [drawing()]))

    (policy,) = [meta["content"] for meta in parsed.named("meta") if meta.get("http-equiv")]
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    hashes = {
        name: f"'sha256-{base64.b64encode(hashlib.sha256(parsed.text_of(tag).encode()).digest()).decode()}'"
        for name, tag in (("script-src", "script"), ("style-src", "style"))
    }
    assert directives["default-src"] == "'none'"
    assert {name: directives[name] for name in hashes} == hashes
    assert directives["img-src"] == "data:"
    assert not [attributes for _, attributes in parsed.elements if "style" in attributes or "src" in attributes]
    assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]


def test_the_report_in_the_page_is_that_of_the_command():
    given = report(layer(HOSTILE, n_edges=3), network(n_edges=3), notes=["`force` & <b>"], left_out={HOSTILE: "1 axis"})

    parsed = Parsed(page(given))

    assert json.loads(parsed.text_of("script", "report")) == json.loads(given.to_json())


def test_names_are_text_and_no_markup():
    given = report(layer(HOSTILE, dtype=HOSTILE), layer("b"), network(), notes=[HOSTILE], left_out={HOSTILE: HOSTILE})

    texts = {"lacking": {HOSTILE: HOSTILE}, "provenance": {HOSTILE: HOSTILE}}
    parsed = Parsed(page(given, [drawing(HOSTILE, "</script><b>")], **texts))

    assert parsed.named("b") == []
    assert len(parsed.named("script")) == 3
    shown = "".join(text for kind in parsed.texts.values() for text in kind)
    assert shown.count("</script><b>") >= 6
    assert "\x1b" not in page(given)


def test_the_same_report_and_figures_have_the_same_bytes():
    assert page(report(network(floor=3)), [drawing()]) == page(report(network(floor=3)), [drawing()])


def test_values_are_readable_and_names_have_their_meaning():
    parsed = Parsed(page(report(layer("a", n_edges=1234567, density=0.5), layer("b", n_edges=1, density=None))))

    assert {"1,234,567", "50.00%", "-"} <= set(parsed.texts["td", None])
    assert [button["title"] for button in parsed.named("button") if "title" in button][:1] == [
        "Name of the layer; blank in a network row."
    ]


def test_further_tables_have_their_rows_and_the_meanings_of_their_columns():
    tables = {"summary": [{"quantity": HOSTILE, "mean": mean} for mean in (0.5, 0.7)], "paired": []}

    text = page(report(network()), tables=tables)
    parsed = Parsed(text)

    assert json.loads(parsed.text_of("script", "tables")) == tables
    assert [table["data-rows"] for table in parsed.named("table")] == ["summary"]
    assert [line["data-row"] for line in parsed.named("tr") if "data-row" in line] == ["0", "1"]
    assert "<h2>Summary</h2>" in text
    assert "<dt>mean</dt>" in text
    assert len(parsed.named("script")) == 3


def test_a_table_of_rows_that_are_equal_has_their_name():
    text = page(report(layer("a", n_edges=1), layer("a", n_edges=1)))

    assert [each["data-column"] for each in Parsed(text).named("th") if "data-column" in each] == ["layer"]


def test_a_column_with_one_value_stands_above_the_table():
    text = page(report(layer("a", n_edges=1, dtype="F32"), layer("b", n_edges=2, dtype="F32")))

    assert [each["data-column"] for each in Parsed(text).named("th") if "data-column" in each] == ["layer", "n_edges"]
    assert re.search(r"In all rows: <span[^>]*>dtype</span> F32\.", text)


def test_every_line_of_a_table_has_the_number_of_its_row_in_the_report():
    rows = [layer(name, round=number) for number in (1, 2) for name in "ab"] + [network(round=1), network(round=2)]

    parsed = Parsed(page(report(*rows, command="prune")))

    assert [table["data-rows"] for table in parsed.named("table")] == ["rounds", "layers"]
    assert [line["data-row"] for line in parsed.named("tr") if "data-row" in line] == ["0", "1", "2", "3"]


def test_each_pruning_and_seed_has_its_own_last_round():
    rows = [{"seed": seed, "round": number} for seed, n in ((0, 2), (1, 3)) for number in range(1, n + 1)]

    assert last_rounds(rows) == [(1, {"seed": 0, "round": 2}), (4, {"seed": 1, "round": 3})]
    assert last_rounds([{"layer": "a"}, {"layer": "b"}]) == [(0, {"layer": "a"}), (1, {"layer": "b"})]


def test_of_too_many_rows_the_first_are_shown_and_the_page_says_so():
    text = page(report(*(layer(f"{k}", n_edges=k) for k in range(MOST_ROWS + 1))))

    assert text.count("data-row=") == MOST_ROWS
    assert "The first 2,000 of 2,001 rows" in text


def test_settings_are_those_of_the_report():
    text = page(report(network()))

    assert "<dt>seed</dt><dd>0</dd><dt>list</dt><dd>false</dd>" in text


def test_what_a_figure_lacks_is_said():
    assert "seeds: not drawn, as it needs two seeds: <code>seeds</code>" in page(
        report(network()), lacking={"seeds": "two seeds: `seeds`"}
    )


def test_figures_have_identifiers_and_descriptions_of_their_own():
    parsed = Parsed(page(report(network()), [drawing("one", "a<b"), drawing("two")]))

    identifiers = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert [(svg["role"], svg["aria-label"]) for svg in parsed.named("svg")] == [
        ("img", "Figure one: what it shows; panels a<b"),
        ("img", "Figure two: what it shows; panels fc1"),
    ]
    referred = [attributes["href"].removeprefix("#") for tag, attributes in parsed.elements if tag == "use"]
    assert set(referred) <= set(identifiers)
    assert any(each.startswith("f1-") for each in referred)
    assert any(each.startswith("f2-") for each in referred)


def test_a_figure_takes_the_colour_of_the_page_and_has_no_background():
    svg = inline_svg(drawing(), "f1-")

    assert "#000000" not in svg
    assert 'stroke="currentColor"' in svg
    assert "#ffffff" not in svg
    assert 'stroke-dasharray="' in svg


def test_coordinates_have_two_decimals():
    numbers = [number for path in re.findall(r' d="([^"]*)"', inline_svg(drawing(), "a")) for number in path.split()]

    assert numbers
    assert not [number for number in numbers if re.fullmatch(r"-?\d+\.\d{3,}", number)]


@pytest.mark.parametrize("rows", [(), (layer("a"),), (network(),), (layer("a", n_edges=0), network(n_edges=0))])
def test_a_report_with_few_rows_has_a_page(rows):
    parsed = Parsed(page(report(*rows)))

    assert json.loads(parsed.text_of("script", "report"))["layers"] == [row for row in rows if row["level"] == "layer"]
