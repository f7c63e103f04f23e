"""The sections of a page: each a text of HTML, "" where the report has nothing for it."""

import platform
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version

from topoimp.pages.drawings import Drawing, inline_svg
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import described
from topoimp.reports.html_table import columns_of, html_table, html_text, meaning_of
from topoimp.reports.readable import readable
from topoimp.reports.report import Report

MOST_ROWS = 2000
"""Rows of a table on the page; the report on it has all."""

LONGEST_TEXT = 2000
"""Characters shown of a text that an input file holds about itself."""

PACKAGES = ("topoimp", "numpy", "numba", "torch", "matplotlib")
"""Packages whose versions the page names."""


def notes_section(report: Report) -> str:
    """Return the sentences that the command printed."""
    return _list(report.notes, "notes")


def network_section(report: Report) -> str:
    """Return the numbers of the network, or a table of them if there are several rows, and those of sums of layers."""
    parts = []
    if len(report.rounds) == 1:
        parts.append(_numbers(report.network))
    elif report.rounds:
        parts.append(_table(report.rounds, list(enumerate(report.rounds)), report.rounds_key or ""))
    parts += [f"<h3>{level}</h3>{_numbers(row)}" for level, row in report.sums.items()]
    return _section("Network", "".join(parts))


def figures_section(drawings: Sequence[Drawing], lacking: Mapping[str, str]) -> str:
    """Return the figures, and what the results lack for the others."""
    parts = []
    for number, drawing in enumerate(drawings, start=1):
        svg = inline_svg(drawing, f"f{number}-")
        name, meaning = escape(drawing.name), html_text(drawing.meaning)
        parts.append(
            f'<figure id="figure-{name}"><h3>{name}</h3><figcaption>{meaning}</figcaption>'
            f'<div class="wide" tabindex="0" role="group" aria-label="figure {name}">{svg}</div></figure>'
        )
    parts += [
        f'<p class="soft">{escape(name)}: not drawn, as it needs {html_text(what)}</p>'
        for name, what in lacking.items()
    ]
    return _section("Figures", "\n".join(parts))


def layers_section(report: Report) -> str:
    """Return the tables of the layers, and of the layers at densities."""
    shown = last_rounds(report.layers)
    about = ""
    if len(shown) < len(report.layers):
        about = '<p class="soft">The layers of the last round; the JSON report has those of all rounds.</p>'
    layers = _section("Layers", about + _table([row for _, row in shown], shown, "layers")) if shown else ""
    densities = list(enumerate(report.densities))
    return layers + (_section("Densities", _table(report.densities, densities, "densities")) if densities else "")


def tables_section(tables: Mapping[str, Sequence[Row]]) -> str:
    """Return further tables, each under its name."""
    return "".join(
        _section(name.capitalize(), _table(rows, list(enumerate(rows)), name)) for name, rows in tables.items() if rows
    )


def last_rounds(rows: Sequence[Row]) -> list[tuple[int, Row]]:
    """Return the rows of the last round of each pruning and seed, numbered as all are; all, if they have no rounds.

    >>> last_rounds([{"layer": "a", "round": 1}, {"layer": "a", "round": 2}])
    [(1, {'layer': 'a', 'round': 2})]
    """
    last: dict[tuple[object, ...], int] = {}
    for row in rows:
        if isinstance(number := row.get("round"), int):
            last[_pruning_of(row)] = max(number, last.get(_pruning_of(row), 0))
    return [(place, row) for place, row in enumerate(rows) if row.get("round") == last.get(_pruning_of(row))]


def _pruning_of(row: Row) -> tuple[object, ...]:
    return row.get("pruning"), row.get("seed")


def left_out_section(report: Report) -> str:
    """Return the tensors and files that were left out, with the reasons."""
    if not report.left_out:
        return ""
    return _details(f"Left out ({len(report.left_out):,})", _pairs(report.left_out))


def origin_section(report: Report, provenance: Mapping[str, str]) -> str:
    """Return where the numbers come from: settings, files, versions, and what the input files say of themselves."""
    settings = {name: _setting(value) for name, value in report.settings.items()}
    paths = {f"input: {role}": str(path) for role, path in report.inputs.items()}
    paths |= {f"output: {role}": str(path) for role, path in report.outputs.items()}
    versions = {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    parts = [_details("Settings", _pairs(settings), is_open=True), _details("Files", _pairs(paths))]
    if provenance:
        texts = {name: text[:LONGEST_TEXT] for name, text in provenance.items()}
        parts.append(_details("Metadata of the input", _pairs(texts)))
    parts.append(_details("Versions", _pairs(versions)))
    save = '<div class="tools"><button type="button" id="save">Save the report as JSON</button></div>'
    return _section("Origin", "".join(parts) + save)


def columns_section(report: Report, tables: Mapping[str, Sequence[Row]]) -> str:
    """Return the meaning of each column of the report and of further tables."""
    rows = [*report.rows, *(row for each in tables.values() for row in each)]
    meanings = {column: described(column).meaning for column in columns_of(rows)}
    return _details("Meaning of the columns", _pairs(meanings))


def _table(rows: Sequence[Row], numbered: Sequence[tuple[int, Row]], source: str) -> str:
    """Return a table with its tools; columns with one value in all of several rows stand above it."""
    named = _named_first(columns_of(rows))
    same = [column for column in named if len(rows) > 1 and len({row.get(column) for row in rows}) == 1]
    columns = [column for column in named if column not in same] or named[:1]
    parts = []
    if same:
        values = (f"{_named(column)} {escape(_text(column, rows[0]))}" for column in same)
        parts.append(f'<p class="soft">In all rows: {", ".join(values)}.</p>')
    if len(numbered) > MOST_ROWS:
        parts.append(f'<p class="soft">The first {MOST_ROWS:,} of {len(numbered):,} rows; the JSON report has all.</p>')
    if source and len(rows) > 1:
        word = " such as test_accuracy" if "quantity" in columns else ""
        label = f"Filter: part of a name{word}, or a condition such as density&lt;50%"
        parts.append(
            '<div class="tools">'
            f'<input type="search" placeholder="{label}" aria-label="{label}"><output></output></div>'
        )
    table = html_table(numbered[:MOST_ROWS], columns, source=source)
    return f'{"".join(parts)}<div class="wide rows" tabindex="0" role="group" aria-label="table">{table}</div>'


def _named_first(columns: Sequence[str]) -> list[str]:
    """Return the columns, with the one that names a row first."""
    names = [column for column in ("layer", "other", "checkpoint", "pruning") if column in columns][:1]
    return [*names, *(column for column in columns if column not in names)]


def _numbers(row: Row) -> str:
    """Return the values of one row, each under the name of its column."""
    cells = (
        f"<div><dt>{_named(column)}</dt><dd>{escape(_text(column, row))}</dd></div>" for column in columns_of([row])
    )
    return f'<dl class="numbers">{"".join(cells)}</dl>'


def _named(column: str) -> str:
    return f'<span title="{meaning_of(column)}">{column}</span>'


def _text(column: str, row: Row) -> str:
    return readable(row.get(column), described(column).kind)


def _setting(value: object) -> str:
    """Return a setting as text: a list as words, and flags in small letters."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ", ".join(map(str, value)) or "none"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _pairs(pairs: Mapping[str, str]) -> str:
    lines = (f"<dt>{html_text(name)}</dt><dd>{html_text(text)}</dd>" for name, text in pairs.items())
    return f'<dl class="pairs">{"".join(lines)}</dl>'


def _list(sentences: Sequence[str], kind: str) -> str:
    items = "".join(f"<li>{html_text(sentence)}</li>" for sentence in sentences)
    return f'<ul class="{kind}">{items}</ul>' if sentences else ""


def _details(summary: str, content: str, *, is_open: bool = False) -> str:
    return f"<details{' open' if is_open else ''}><summary>{escape(summary)}</summary>{content}</details>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""
