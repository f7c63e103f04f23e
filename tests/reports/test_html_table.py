import re

import pytest

from topoimp.reports.html_table import columns_of, html_table, html_text
from topoimp.reports.report import MOST_LINES, Report


def layers(n):
    return [{"level": "layer", "layer": f"fc{k}", "n_edges": k, "density": None} for k in range(n)]


def test_a_notebook_shows_a_report_as_a_table_with_the_layers_first():
    rows = [{"level": "network", "n_edges": 3}, *layers(2)]

    html = Report("bound", {}, {}, rows, notes=["tensors left out: 3"])._repr_html_()

    cells = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', html)
    assert cells == [("fc0", "0"), ("fc1", "1"), ("network", "3")]
    assert 'title="Name of the layer; blank in a network row.">layer<' in html
    assert html.endswith("<p>tensors left out: 3</p>")


@pytest.mark.parametrize(("n", "n_shown"), [(MOST_LINES, MOST_LINES), (MOST_LINES + 1, MOST_LINES)])
def test_a_notebook_shows_the_first_rows_of_many(n, n_shown):
    html = Report("bound", {}, {}, layers(n))._repr_html_()

    assert html.count('scope="row"') == n_shown
    assert ("<p>the first 100 of 101 rows; <code>frame()</code> has all</p>" in html) == (n > n_shown)


def test_a_report_without_rows_or_layers_is_shown():
    assert "<tbody></tbody>" in Report("bound", {}, {}, [])._repr_html_()
    assert '<th scope="row">3</th>' in Report("train", {}, {}, [{"level": "network", "epoch": 3}])._repr_html_()


def test_markup_in_names_is_text():
    html = html_table([(0, {"layer": "</th><script>", "dtype": "<b>"})], ["layer", "dtype"])

    assert '<th scope="row">&lt;/th&gt;&lt;script&gt;</th><td class="text">&lt;b&gt;</td>' in html


def test_columns_without_a_value_are_left_out():
    assert columns_of(layers(2)) == ["layer", "n_edges"]
    assert columns_of([]) == []


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("`force` & <b>", "<code>force</code> &amp; &lt;b&gt;"),
        ("one ` alone", "one ` alone"),
        ("a\x1bb", r"a\x1bb"),
        ("", ""),
    ],
)
def test_backticks_are_code_and_the_rest_is_escaped(text, html):
    assert html_text(text) == html
