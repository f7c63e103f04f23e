"""The passes that find a layer's maximum spanning forest.

Weights come as stored codes (unsigned integers of 8 to 64 bits) with the mask that takes the sign away: what remains,
the magnitude code, orders like the strength, and 0 is an absent edge. Vertices are numbered rows first: row i is vertex
i, column j is vertex n_rows + j. Components are a union-find forest in one array ``parent`` of shape (n_vertices,), a
root being its own parent.

Every kernel releases the interpreter's lock and works on a part of the layer, so that parts run side by side. None
allocates: what a kernel needs to keep notes comes from its caller, as ``scratch``, and is worth nothing afterwards.
Arithmetic on narrow integers is cast back to its own type at each step: numba would widen it, and the widened loop is
many times slower.
"""

from typing import Any

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, IndexArray
from topoimp.compilation import compiled
from topoimp.kernels import BLOCK

STRIP, GROUP = 1024, 16
"""Columns and rows that ``strongest_of_all`` looks at together: what it keeps of them stays in the nearest cache."""

SORT_COUNTS = 4097
"""How many counts ``sort_strongest_first`` keeps: 12 bits at a time, and one more."""


@compiled
def collect_strongest(
    codes: CodeArray,
    start: int,
    stop: int,
    mask: Any,  # a scalar of the codes' type
    threshold: Any,  # the same
    indices: IndexArray,
    ranks: CodeArray,
) -> tuple[int, int, Any]:
    """Collect the weights of a part whose magnitude code reaches a threshold, in the order of their indices.

    Args:
        codes: all weights of the layer, flat.
        start: first weight of the part.
        stop: one beyond its last.
        mask: takes the sign away.
        threshold: at least 1.
        indices: room for the flat indices; what does not fit is counted but not stored.
        ranks: room for the magnitude codes, of the same length.

    Returns:
        how many reach the threshold, how many weights are not zero, the largest magnitude code.
    """
    kind = codes.dtype.type
    n_found, n_edges, largest = 0, 0, kind(0)
    in_blocks = stop - (stop - start) % BLOCK
    for base in range(start, in_blocks, BLOCK):  # of a constant width, which is what makes it fast
        block = codes[base : base + BLOCK]
        strongest, n_present = kind(0), kind(0)
        for j in range(BLOCK):
            rank = kind(block[j] & mask)
            strongest = rank if rank > strongest else strongest
            n_present = kind(n_present + (kind(1) if rank != kind(0) else kind(0)))
        n_edges += int(n_present)
        largest = strongest if strongest > largest else largest
        if strongest >= threshold:
            for j in range(BLOCK):
                rank = kind(block[j] & mask)
                if rank >= threshold:
                    if n_found < indices.size:
                        indices[n_found] = base + j
                        ranks[n_found] = rank
                    n_found += 1
    for j in range(in_blocks, stop):  # what is left of the last block
        rank = kind(codes[j] & mask)
        n_edges += 1 if rank != kind(0) else 0
        largest = rank if rank > largest else largest
        if rank >= threshold:
            if n_found < indices.size:
                indices[n_found] = j
                ranks[n_found] = rank
            n_found += 1
    return n_found, n_edges, np.int64(largest)


@compiled
def sort_strongest_first(
    indices: IndexArray,
    ranks: CodeArray,
    lowest: Any,  # a scalar of the ranks' type
    highest: Any,  # the same
    scratch_indices: IndexArray,
    scratch_ranks: CodeArray,
    counts: IndexArray,
) -> None:
    """Sort edges by rank descending, in place; equal ranks keep their order (radix sort, 12 bits at a time).

    Args:
        indices: flat indices, shape (n,).
        ranks: their magnitude codes, shape (n,).
        lowest: no rank is below it.
        highest: no rank is above it.
        scratch_indices: as ``indices``.
        scratch_ranks: as ``ranks``.
        counts: scratch, one more than there are digits: ``SORT_COUNTS``.
    """
    n = indices.size
    span = np.uint64(highest) - np.uint64(lowest)
    other_indices, other_ranks = scratch_indices, scratch_ranks
    shift = 0
    is_moved = False
    while shift < 64 and span >> np.uint64(shift) != 0:
        for value in range(counts.size):
            counts[value] = 0
        for i in range(n):
            digit = ((np.uint64(highest) - np.uint64(ranks[i])) >> np.uint64(shift)) & np.uint64(4095)
            counts[digit + np.uint64(1)] += 1
        for value in range(4096):
            counts[value + 1] += counts[value]
        for i in range(n):
            digit = ((np.uint64(highest) - np.uint64(ranks[i])) >> np.uint64(shift)) & np.uint64(4095)
            place = counts[digit]
            counts[digit] += 1
            other_indices[place] = indices[i]
            other_ranks[place] = ranks[i]
        indices, other_indices = other_indices, indices
        ranks, other_ranks = other_ranks, ranks
        is_moved = not is_moved
        shift += 12
    if is_moved:  # a loop: a slice could raise
        for i in range(n):
            other_indices[i] = indices[i]
            other_ranks[i] = ranks[i]


@compiled
def root_of(parent: IndexArray, vertex: int) -> int:
    """Give the root of a vertex's component, halving the path to it."""
    while parent[vertex] != vertex:
        parent[vertex] = parent[parent[vertex]]
        vertex = parent[vertex]
    return vertex


@compiled
def join_edges(edges: IndexArray, n_columns: int, parent: IndexArray, n_wanted: int, joining: IndexArray) -> int:
    """Find the edges that join two components, taking them in the order given (Kruskal's rule).

    Args:
        edges: flat indices into the layer, shape (n,).
        n_columns: columns of the layer.
        parent: components so far, shape (n_vertices,); updated.
        n_wanted: stop after so many: no more can join.
        joining: their places in ``edges``, ascending; written. As long as ``edges``, or ``n_wanted`` if that is less.

    Returns:
        how many there are.
    """
    n_rows = parent.size - n_columns
    n_joining = 0
    for place in range(edges.size):
        if n_joining == n_wanted:
            break
        edge = edges[place]
        row = edge // n_columns
        row_root = root_of(parent, row)
        column_root = root_of(parent, n_rows + edge - row * n_columns)
        if row_root != column_root:
            parent[column_root] = row_root
            joining[n_joining] = place
            n_joining += 1
    return n_joining


@compiled
def label_components(parent: IndexArray, labels: np.ndarray, scratch: np.ndarray) -> int:
    """Write the root of every vertex into ``labels``, and give the root of the largest component; both are int32."""
    sizes = scratch
    for vertex in range(parent.size):
        sizes[vertex] = 0
    largest = 0
    for vertex in range(parent.size):
        root = root_of(parent, vertex)
        labels[vertex] = root
        sizes[root] += 1
        if sizes[root] > sizes[largest]:
            largest = root
    return largest


@compiled
def open_to(ends: np.ndarray, label: int, mask: Any, open_bits: CodeArray) -> bool:
    """Write, for a strip of columns, the bits of a weight that count: none inside one's own component.

    An "and" with these bits is what lets the loops over weights be widened, whatever the types of labels and weights.

    Args:
        ends: component of each column of the strip, int32.
        label: component of the row.
        mask: takes the sign away.
        open_bits: the mask or 0, of the codes' type; written.

    Returns:
        whether any weight of the strip counts.
    """
    kind = open_bits.dtype.type
    any_bits = kind(0)
    for j in range(ends.size):
        open_bits[j] = mask if ends[j] != label else kind(0)
        any_bits = kind(any_bits | open_bits[j])
    return bool(any_bits != kind(0))


@compiled
def strongest_of_all(
    codes: CodeArray,
    start: int,
    stop: int,
    mask: Any,  # a scalar of the codes' type
    labels: np.ndarray,
    row_ranks: CodeArray,
    row_edges: IndexArray,
    column_ranks: CodeArray,
    column_edges: IndexArray,
    scratch: CodeArray,
) -> None:
    """Find the first strongest edge into another component of every row and every column, in one pass over a part.

    Only ranks are kept on the way, for rows by strips of columns and for columns by groups of rows; where in its strip
    or group a best edge stands is looked up afterwards.

    Args:
        codes: the layer, shape (rows, columns).
        start: first row of the part.
        stop: one beyond its last.
        mask: takes the sign away.
        labels: component of each vertex, int32, shape (n_vertices,).
        row_ranks: by row of the layer, the magnitude code found; 0 if there is no such edge. Written for the part's
        rows.
        row_edges: by row of the layer, its flat index.
        column_ranks: by column, what was found in this part.
        column_edges: by column, its flat index.
        scratch: of the codes' type, shape (2, ``STRIP``).
    """
    kind = codes.dtype.type
    n_rows, n_columns = codes.shape
    ends = labels[n_rows:]
    for row in range(start, stop):
        row_ranks[row] = kind(0)
    for j in range(n_columns):
        column_ranks[j] = kind(0)
    for first in range(0, n_columns, STRIP):
        width = min(STRIP, n_columns - first)
        near, best, open_bits = ends[first : first + width], scratch[0, :width], scratch[1, :width]
        opened_for, is_open = -1, False
        for group in range(start, stop, GROUP):
            for j in range(width):
                best[j] = kind(0)
            for row in range(group, min(group + GROUP, stop)):
                if labels[row] != opened_for:
                    opened_for = labels[row]
                    is_open = open_to(near, opened_for, mask, open_bits)
                if not is_open:  # the strip lies inside the row's component, and is not even read
                    continue
                line, strongest = codes[row, first : first + width], kind(0)
                for j in range(width):
                    rank = kind(line[j] & open_bits[j])
                    best[j] = rank if rank > best[j] else best[j]
                    strongest = rank if rank > strongest else strongest
                if strongest > row_ranks[row]:
                    row_ranks[row] = strongest
                    row_edges[row] = first
            for j in range(width):
                if best[j] > column_ranks[first + j]:
                    column_ranks[first + j] = best[j]
                    row = group
                    while not is_edge_to(codes, row, first + j, mask, labels, best[j]):
                        row += 1
                    column_edges[first + j] = row * n_columns + first + j
    for row in range(start, stop):
        j = row_edges[row]
        if row_ranks[row] != kind(0):
            while not is_edge_to(codes, row, j, mask, labels, row_ranks[row]):
                j += 1
            row_edges[row] = row * n_columns + j


@compiled
def strongest_between(
    codes: CodeArray,
    start: int,
    stop: int,
    mask: Any,  # a scalar of the codes' type
    labels: np.ndarray,
    pair_ranks: CodeArray,
    pair_edges: IndexArray,
    opened: CodeArray,
    is_there: BoolArray,
) -> None:
    """Find, within a part of the rows, the first strongest edge between every two of a few components.

    Args:
        codes: the layer, shape (rows, columns).
        start: first row of the part.
        stop: one beyond its last.
        mask: takes the sign away.
        labels: component of each vertex, int32, numbered from 0, shape (n_vertices,).
        pair_ranks: by component of the row and component of the column, the magnitude code found; begins as 0.
        pair_edges: by the same, its flat index.
        opened: scratch, of the codes' type, shape (components, ``STRIP``).
        is_there: scratch, shape (components,).
    """
    kind = codes.dtype.type
    n_rows, n_columns = codes.shape
    n_components = pair_ranks.shape[0]
    ends = labels[n_rows:]
    for first in range(0, n_columns, STRIP):
        width = min(STRIP, n_columns - first)
        for label in range(n_components):
            is_there[label] = False
            for j in range(width):
                opened[label, j] = mask if ends[first + j] == label else kind(0)
                is_there[label] |= ends[first + j] == label
        for row in range(start, stop):
            line = codes[row, first : first + width]
            for label in range(n_components):
                if not is_there[label] or label == labels[row]:
                    continue
                open_bits, strongest = opened[label, :width], kind(0)
                for j in range(width):
                    rank = kind(line[j] & open_bits[j])
                    strongest = rank if rank > strongest else strongest
                edge = row * n_columns + first
                best = pair_ranks[labels[row], label]
                # Strips come before rows here: of equals one in an earlier row may come later.
                if strongest > best or (strongest == best != kind(0) and edge < pair_edges[labels[row], label]):
                    j = 0
                    while kind(line[j] & open_bits[j]) != strongest:
                        j += 1
                    if strongest > best or edge + j < pair_edges[labels[row], label]:
                        pair_ranks[labels[row], label] = strongest
                        pair_edges[labels[row], label] = edge + j


@compiled
def is_edge_to(codes: CodeArray, row: int, column: int, mask: Any, labels: np.ndarray, rank: Any) -> bool:
    """Whether a weight has a magnitude code and leads into another component."""
    kind = codes.dtype.type
    return bool(kind(codes[row, column] & mask) == rank) and bool(labels[row] != labels[codes.shape[0] + column])


@compiled
def strongest_of_rows(
    codes: CodeArray,
    rows: IndexArray,
    mask: Any,  # a scalar of the codes' type
    labels: np.ndarray,
    best_ranks: CodeArray,
    best_edges: IndexArray,
    scratch: CodeArray,
) -> None:
    """Find the first strongest edge into another component of some rows.

    Args:
        codes: the layer, shape (rows, columns).
        rows: the rows to look at.
        mask: takes the sign away.
        labels: component of each vertex, int32, shape (n_vertices,).
        best_ranks: by row, the magnitude code found; 0 if there is no such edge.
        best_edges: by row, its flat index.
        scratch: of the codes' type, shape (``STRIP``,).
    """
    kind = codes.dtype.type
    n_rows, n_columns = codes.shape
    ends = labels[n_rows:]
    for row in rows:
        best, place = kind(0), 0
        for first in range(0, n_columns, STRIP):
            width, strongest = min(STRIP, n_columns - first), kind(0)
            line, open_bits = codes[row, first : first + width], scratch[:width]
            if not open_to(ends[first : first + width], labels[row], mask, open_bits):
                continue
            for j in range(width):
                rank = kind(line[j] & open_bits[j])
                strongest = rank if rank > strongest else strongest
            if strongest > best:
                best, place = strongest, first
        best_ranks[row] = best
        if best != kind(0):
            j = place
            while not is_edge_to(codes, row, j, mask, labels, best):
                j += 1
            best_edges[row] = row * n_columns + j


@compiled
def strongest_of_columns(
    codes: CodeArray,
    start: int,
    stop: int,
    columns: IndexArray,
    mask: Any,  # a scalar of the codes' type
    labels: np.ndarray,
    best_ranks: CodeArray,
    best_edges: IndexArray,
) -> None:
    """Find the first strongest edge into another component of a few columns, within a part of the rows.

    Args:
        codes: the layer, shape (rows, columns).
        start: first row of the part.
        stop: one beyond its last.
        columns: the columns to look at, ascending.
        mask: takes the sign away.
        labels: component of each vertex, int32, shape (n_vertices,).
        best_ranks: by place in ``columns``, the magnitude code found; 0 if there is no such edge.
        best_edges: by place in ``columns``, its flat index.
    """
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


@compiled
def join_best_edges(
    vertices: IndexArray,
    best_ranks: CodeArray,
    best_edges: IndexArray,
    labels: np.ndarray,
    n_columns: int,
    parent: IndexArray,
    chosen: IndexArray,
    joined: IndexArray,
) -> int:
    """Join every component along the first strongest of its vertices' edges (Boruvka's step).

    Args:
        vertices: the vertices that were looked at; those without an edge have rank 0.
        best_ranks: by vertex.
        best_edges: by vertex, flat indices.
        labels: component of each vertex before the step, int32.
        n_columns: columns of the layer.
        parent: components, shape (n_vertices,); updated.
        chosen: scratch, shape (n_vertices,): by component, the vertex whose edge is best.
        joined: flat indices of the edges that joined two components, each once; written. As long as ``vertices``.

    Returns:
        how many edges joined.
    """
    for label in range(parent.size):
        chosen[label] = -1
    for vertex in vertices:
        if best_ranks[vertex] == 0:
            continue
        other = chosen[labels[vertex]]
        if (
            other < 0
            or best_ranks[vertex] > best_ranks[other]
            or (best_ranks[vertex] == best_ranks[other] and best_edges[vertex] < best_edges[other])
        ):
            chosen[labels[vertex]] = vertex
    n_rows = parent.size - n_columns
    n_joined = 0
    for vertex in chosen:
        if vertex >= 0:
            edge = best_edges[vertex]
            row_root = root_of(parent, edge // n_columns)
            column_root = root_of(parent, n_rows + edge % n_columns)
            if row_root != column_root:
                parent[column_root] = row_root
                joined[n_joined] = edge
                n_joined += 1
    return n_joined
