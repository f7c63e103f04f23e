"""Rows as a table of HTML: values as people read them, and the meaning of each column where the pointer rests on it.

Names are escaped: whatever a layer is called, it is shown as text.
"""

from collections.abc import Iterable, Sequence
from html import escape

from topoimp.reports.cells import Kind, Row
from topoimp.reports.evaluation_columns import described, in_order
from topoimp.reports.readable import plain, readable


def html_table(rows: Iterable[tuple[int, Row]], columns: Sequence[str], *, source: str = "") -> str:
    """Return a table of numbered rows, with a line for each.

    Args:
        rows: the rows to show, each with its number in the list that ``source`` names.
        columns: the columns to show, in this order; the first one names the row.
        source: key of the list of rows in the JSON of the page, for a script that sorts; "" for a table without one.

    >>> print(html_table([(0, {"layer": "a<b", "n_edges": 1200})], ["layer", "n_edges"]))
    <table><thead><tr><th scope="col" title="Name of the layer; blank in a network row.">layer...
    <tbody><tr><th scope="row">a&lt;b</th><td>1,200</td></tr></tbody></table>
    """
    headers = "".join(_header(column, is_button=bool(source)) for column in columns)
    first, others = next(iter(columns), ""), columns[1:]
    kinds = {column: described(column).kind for column in columns}
    lines = []
    for number, row in rows:
        cells = [f'<th scope="row">{escape(readable(row.get(first), kinds[first]))}</th>']
        cells += [_cell(readable(row.get(column), kinds[column]), kinds[column]) for column in others]
        index = f' data-row="{number}"' if source else ""
        lines.append(f"<tr{index}>{''.join(cells)}</tr>")
    opening = f'<table data-rows="{escape(source)}">' if source else "<table>"
    return f"{opening}<thead><tr>{headers}</tr></thead>\n<tbody>{chr(10).join(lines)}</tbody></table>"


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Return the columns that have a value in one of the rows, in the order of all reports, but for ``level``."""
    used = in_order(column for row in rows for column, cell in row.items() if cell is not None)
    return [column for column in used if column != "level"]


def html_text(text: str) -> str:
    r"""Return text as HTML: escaped, with what stands in backticks as code.

    >>> print(html_text("a < b; `force` replaces it"))
    a &lt; b; <code>force</code> replaces it
    """
    parts = escape(plain(text)).split("`")
    if len(parts) % 2 == 0:  # a backtick of a name
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def meaning_of(column: str) -> str:
    """Return the meaning of a column as plain text, for an attribute of HTML."""
    return escape(described(column).meaning.replace("`", ""))


def _header(column: str, *, is_button: bool) -> str:
    if not is_button:
        return f'<th scope="col" title="{meaning_of(column)}">{column}</th>'
    name = f'<button type="button" title="{meaning_of(column)}">{column}</button>'
    return f'<th scope="col" data-column="{column}">{name}</th>'


def _cell(text: str, kind: Kind) -> str:
    return f'<td class="text">{escape(text)}</td>' if kind is Kind.TEXT else f"<td>{escape(text)}</td>"
