"""Layers in a grid, role by block: found by their names alone, for an overview of a large network."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.layers.roles import places_of
from topoimp.reports.cells import Row
from topoimp.reports.worst import BAD_ENDS, BadEnd, number_of

MOST_BLOCKS = 400
"""Blocks beside each other; if there are more, the last numbers of all names are left out."""

NO_NUMBER = inf
"""Place of the block of layers without a number: after all others."""

Block = tuple[float, ...]
"""Numbers that tell blocks apart: of the other checkpoint if there are several, then those in the names of layers."""


@dataclass(frozen=True)
class BlockGrid:
    """Numbers of layers, role by block.

    Args:
        roles: the rows, in the order in which they come in the report.
        blocks: the columns, ascending.
        others: names of the other checkpoints, if there are several; the first number of a block is the place in them.
        values: shape (roles, blocks); NaN where there is no layer, or it has no number.
        most_in_a_cell: the largest number of layers that a cell stands for.
        places: by other and layer, its row and its first and last column.
    """

    roles: Sequence[str]
    blocks: Sequence[Block]
    others: Sequence[str]
    values: FloatArray
    most_in_a_cell: int
    places: dict[tuple[str, str], tuple[int, int, int]]


def block_grid(rows: Sequence[Row], column: str) -> BlockGrid:
    """Return the numbers of a column, role by block.

    A block is the numbers in a layer's name at which the layers of its role differ (``topoimp.layers.roles``). A layer
    with fewer numbers than others fills all blocks that begin with its own: attention beside the experts of its block.
    Layers without a number share a block of their own, the last. Of several other checkpoints each has blocks of its
    own, in the order of the rows. If there are more than 400 blocks, the last numbers are left out; of several layers
    in a cell the worst is shown, or the highest where neither end of the column is bad (``topoimp.reports.worst``).

    Args:
        rows: rows of layers, each once, with the column ``other`` if there are several others. May be empty.
        column: a numeric column; it may be blank, or missing.

    >>> rows = [{"layer": f"h.{k}.w", "beta0": k} for k in (3, 5)] + [{"layer": "head", "beta0": 1}]
    >>> grid = block_grid(rows, "beta0")
    >>> grid.roles, grid.blocks
    (['h.*.w', 'head'], [(3,), (5,), (inf,)])
    >>> grid.values.tolist()
    [[3.0, 5.0, nan], [nan, nan, 1.0]]
    """
    places = places_of(str(row["layer"]) for row in rows)
    others = list(dict.fromkeys(str(row["other"]) for row in rows if row.get("other") is not None))
    others = others if len(others) > 1 else []
    place_of = {other: k for k, other in enumerate(others)}
    full = [_block(places[str(row["layer"])].numbers, place_of.get(str(row.get("other")))) for row in rows]
    of_rows, blocks = _few_blocks(full)

    roles = list(dict.fromkeys(places[str(row["layer"])].role for row in rows))
    row_of = {role: k for k, role in enumerate(roles)}
    values = np.full((len(roles), len(blocks)), nan)
    n_in_cell = np.zeros(values.shape, np.int64)
    spans = _spans(blocks)
    choose = np.fmin if BAD_ENDS.get(column) is BadEnd.LOW else np.fmax  # both prefer a number to NaN

    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    for row, block in zip(rows, of_rows, strict=True):
        name = str(row["layer"])
        role, (first, last) = row_of[places[name].role], spans[block]
        number = number_of(row.get(column))
        cells = (role, slice(first, last + 1))
        values[cells] = choose(values[cells], nan if number is None else number)
        n_in_cell[cells] += 1
        found[str(row.get("other")), name] = role, first, last
    return BlockGrid(roles, blocks, others, values, int(n_in_cell.max(initial=0)), found)


def _block(numbers: tuple[int, ...], place_of_other: int | None) -> Block:
    own = numbers or (NO_NUMBER,)
    return own if place_of_other is None else (place_of_other, *own)


def _few_blocks(of_rows: Sequence[Block]) -> tuple[Sequence[Block], list[Block]]:
    """Return the blocks of rows, without their last numbers as far as there would be too many, and all different ones.

    A block with which longer ones begin is no column of its own.
    """
    for depth in range(max(map(len, of_rows), default=1), 0, -1):
        shorter = [block[:depth] for block in of_rows]
        beginnings = {block[:k] for block in shorter for k in range(len(block))}
        blocks = sorted({*shorter} - beginnings)
        if len(blocks) <= MOST_BLOCKS or depth == 1:
            break
    return shorter, blocks


def _spans(blocks: Sequence[Block]) -> dict[Block, tuple[int, int]]:
    """Return the first and last column of each block, and of each beginning of one."""
    spans: dict[Block, tuple[int, int]] = {}
    for place, block in enumerate(blocks):
        for length in range(1, len(block) + 1):
            first, _ = spans.get(block[:length], (place, place))
            spans[block[:length]] = first, place
    return spans
