"""Tables with a row for each role in place of each layer, for networks of many blocks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from topoimp.reports.cells import Cell, Row

from .options import Format, refuse
from .output import cell_text


class By(StrEnum):
    """The subject of a row of a table."""

    LAYER = "layer"
    ROLE = "role"


ByOption = Annotated[
    By,
    typer.Option(
        "--by",
        help="Subject of a row of the table: a layer, or a role, which is all layers whose names differ in numbers "
        "alone; a role has the smallest and the largest value of its layers.",
    ),
]


def check_by(by: By, format: Format, n_checkpoints: int) -> None:  # noqa: A002  # the option's word
    """Raise an OptionError if roles are requested where no table has layers."""
    roles = {"--by": None if by is By.LAYER else by}
    if format is not Format.TABLE:
        refuse(roles, f"is about the table, and not about --format {format}")
    if n_checkpoints > 1:
        refuse(roles, "is about the layers of one checkpoint; of several, the table has the networks")


def by_subject(columns: Mapping[str, str], rows: Sequence[Row], by: By) -> tuple[Mapping[str, str], Sequence[Row]]:
    """Return the columns and rows of a table as they are, or with the rows of the layers of each role in one.

    The row of a role has the number of its layers, and in each other column the one value that all of them have, or the
    smallest and the largest; of flags the number of layers with yes, of texts the number of different ones. Blank
    values do not count. Rows about densities and null models stay apart: the first densities of all layers of a role
    come together, then the second ones.
    """
    if by is By.LAYER:
        return columns, rows
    from topoimp.layers.roles import roles_of

    roles = roles_of(dict.fromkeys(str(row["layer"]) for row in rows if row["level"] in _OF_LAYERS))
    together: dict[object, list[Row]] = {}
    n_before: Counter[object] = Counter()
    for place, row in enumerate(rows):
        if row["level"] not in _OF_LAYERS:
            together[place] = [row]
            continue
        name = str(row["layer"])
        subject = (name, row["level"], row.get("null"))
        together.setdefault((roles[name], *subject[1:], n_before[subject]), []).append(row)
        n_before[subject] += 1

    summed = [
        _together(columns, each, roles) if each[0]["level"] in _OF_LAYERS else each[0] for each in together.values()
    ]
    first, *others = columns
    counted = {first: "role", "n_layers": "layers", **{column: columns[column] for column in others}}
    return counted, summed


_OF_LAYERS = ("layer", "density")
"""Levels of the rows about a layer."""


def _together(columns: Mapping[str, str], rows: Sequence[Row], roles: Mapping[str, str]) -> Row:
    """Return the row of the layers of a role."""
    cells: dict[str, Cell] = {column: _range(column, [row.get(column) for row in rows]) for column in columns}
    return {**cells, "level": rows[0]["level"], "layer": roles[str(rows[0]["layer"])], "n_layers": len(rows)}


def _range(column: str, cells: Sequence[Cell]) -> Cell:
    known = [cell for cell in cells if cell is not None]
    if all(cell == known[0] for cell in known):
        return known[0] if known else None
    if all(isinstance(cell, bool) for cell in known):
        return f"{known.count(True):,} of {len(known):,}"
    numbers = [cell for cell in known if isinstance(cell, int | float)]
    if len(numbers) < len(known):
        return f"{len(set(known)):,} different"
    low, high = cell_text(column, min(numbers)), cell_text(column, max(numbers))
    return low if low == high else f"{low} to {high}"
