"""Kernels that find, for rows, columns or components, the first strongest edge into another component.

The first of equally strong edges is the one with the smallest flat index. Each result is a rank, 0 if no such edge
exists, and a flat index, which then means nothing. ``codes`` has the shape (rows, columns).
"""

from topoimp.arrays import BoolArray, Code, CodeArray, IndexArray, LabelArray
from topoimp.kernels.compiled import compiled

STRIP, GROUP = 1024, 16
"""Columns and rows that are read together: the notes on them stay in the nearest cache."""


@compiled()
def open_to(ends: LabelArray, label: int, mask: Code, open_bits: CodeArray) -> bool:
    """Write, for a strip of columns, the bits of a row's weights that count: none inside the row's own component.

    An "and" with these bits lets the compiler vectorise the loops over weights, whatever the types of labels and codes.
    Return whether any weight of the strip counts.
    """
    kind = open_bits.dtype.type
    any_bits = kind(0)
    for j in range(ends.size):
        open_bits[j] = mask if ends[j] != label else kind(0)
        any_bits = kind(any_bits | open_bits[j])
    return bool(any_bits != kind(0))


@compiled()
def is_edge_to(codes: CodeArray, row: int, column: int, mask: Code, labels: LabelArray, rank: Code) -> bool:
    """Whether a weight has a magnitude code and leads into another component."""
    kind = codes.dtype.type
    return bool(kind(codes[row, column] & mask) == rank) and bool(labels[row] != labels[codes.shape[0] + column])


@compiled("codes", "rows")
def strongest_of_rows(
    codes: CodeArray,
    rows: IndexArray,
    mask: Code,
    labels: LabelArray,
    row_ranks: CodeArray,
    row_edges: IndexArray,
    column_ranks: CodeArray,
    column_edges: IndexArray,
    scratch: CodeArray,
) -> None:
    """Find the best edge of each of some rows, ascending, and of every column within these rows.

    The pass notes only ranks, for rows by strips of columns and for columns by groups of rows. The place of a best edge
    within its strip or group is looked up afterwards.

    Args:
        codes: the layer.
        rows: numbers of the rows.
        mask: clears the sign bit.
        labels: component of each vertex.
        row_ranks: written at ``rows``.
        row_edges: likewise.
        column_ranks: written, shape (columns,); empty to leave the columns out, which is quicker.
        column_edges: likewise.
        scratch: shape (2, ``STRIP``).
    """
    kind = codes.dtype.type
    n_rows, n_columns = codes.shape
    ends, with_columns = labels[n_rows:], column_ranks.size > 0
    for row in rows:
        row_ranks[row] = kind(0)
    for j in range(column_ranks.size):
        column_ranks[j] = kind(0)

    for first in range(0, n_columns, STRIP):
        width = min(STRIP, n_columns - first)
        near, best, open_bits = ends[first : first + width], scratch[0, :width], scratch[1, :width]
        opened_for, is_open = -1, False
        for group in range(0, rows.size, GROUP):
            for j in range(width):
                best[j] = kind(0)

            for row in rows[group : group + GROUP]:
                if labels[row] != opened_for:
                    opened_for = labels[row]
                    is_open = open_to(near, opened_for, mask, open_bits)
                if not is_open:  # the strip lies inside the row's component: its weights are not read
                    continue
                line, strongest = codes[row, first : first + width], kind(0)
                if with_columns:
                    for j in range(width):
                        rank = kind(line[j] & open_bits[j])
                        best[j] = rank if rank > best[j] else best[j]
                        strongest = rank if rank > strongest else strongest
                else:
                    for j in range(width):
                        rank = kind(line[j] & open_bits[j])
                        strongest = rank if rank > strongest else strongest
                if strongest > row_ranks[row]:
                    row_ranks[row] = strongest
                    row_edges[row] = first

            # The group's columns: look up the row of each best edge.
            if with_columns:
                for j in range(width):
                    if best[j] > column_ranks[first + j]:
                        column_ranks[first + j] = best[j]
                        place = group
                        while not is_edge_to(codes, rows[place], first + j, mask, labels, best[j]):
                            place += 1
                        column_edges[first + j] = rows[place] * n_columns + first + j

    # The rows: look up each best edge from the start of its strip.
    for row in rows:
        if row_ranks[row] != kind(0):
            j = row_edges[row]
            while not is_edge_to(codes, row, j, mask, labels, row_ranks[row]):
                j += 1
            row_edges[row] = row * n_columns + j


@compiled("codes")
def strongest_between(
    codes: CodeArray,
    start: int,
    stop: int,
    mask: Code,
    labels: LabelArray,
    pair_ranks: CodeArray,
    pair_edges: IndexArray,
    scratch_bits: CodeArray,
    scratch_flags: BoolArray,
) -> None:
    """Find, within a part of the rows, the first strongest edge between every two of a few components.

    Components are numbered from 0. ``pair_ranks``, by component of the row and component of the column, begins as 0.
    ``scratch_bits`` has the shape (components, ``STRIP``), ``scratch_flags`` (components,).
    """
    kind = codes.dtype.type
    n_rows, n_columns = codes.shape
    n_components = pair_ranks.shape[0]
    ends, opened, is_in_strip = labels[n_rows:], scratch_bits, scratch_flags

    for first in range(0, n_columns, STRIP):
        # The bits of each component's columns within the strip.
        width = min(STRIP, n_columns - first)
        for label in range(n_components):
            is_in_strip[label] = False
            for j in range(width):
                opened[label, j] = mask if ends[first + j] == label else kind(0)
                is_in_strip[label] |= ends[first + j] == label

        for row in range(start, stop):
            line = codes[row, first : first + width]
            for label in range(n_components):
                if not is_in_strip[label] or label == labels[row]:
                    continue
                open_bits, strongest = opened[label, :width], kind(0)
                for j in range(width):
                    rank = kind(line[j] & open_bits[j])
                    strongest = rank if rank > strongest else strongest

                # Strips come before rows: an equally strong edge of a later strip may have the smaller index.
                edge = row * n_columns + first
                best = pair_ranks[labels[row], label]
                if strongest > best or (strongest == best != kind(0) and edge < pair_edges[labels[row], label]):
                    j = 0
                    while kind(line[j] & open_bits[j]) != strongest:
                        j += 1
                    if strongest > best or edge + j < pair_edges[labels[row], label]:
                        pair_ranks[labels[row], label] = strongest
                        pair_edges[labels[row], label] = edge + j


@compiled("codes", "columns")
def strongest_of_columns(
    codes: CodeArray,
    start: int,
    stop: int,
    columns: IndexArray,
    mask: Code,
    labels: LabelArray,
    best_ranks: CodeArray,
    best_edges: IndexArray,
) -> None:
    """Find the best edge of each of a few columns, ascending, within a part of the rows."""
    kind = codes.dtype.type
    n_rows, n_columns = codes.shape
    for place in range(columns.size):
        best_ranks[place] = kind(0)

    for row in range(start, stop):
        for place in range(columns.size):
            j = columns[place]
            rank = kind(codes[row, j] & mask)
            if rank > best_ranks[place] and labels[n_rows + j] != labels[row]:
                best_ranks[place] = rank
                best_edges[place] = row * n_columns + j
