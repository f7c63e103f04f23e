"""The compiled passes over a layer's weights, and nothing else.

Weights come as stored codes (unsigned integers of 8 to 64 bits) with the mask that takes the sign away: what remains,
the magnitude code, orders like the strength, and 0 is an absent edge. Vertices are numbered rows first: row i is vertex
i, column j is vertex n_rows + j. Components are a union-find forest in one array ``parent`` of shape (n_vertices,), a
root being its own parent.

Every kernel releases the interpreter's lock and works on a part of the layer, so that parts run side by side.
Arithmetic on narrow integers is cast back to its own type at each step: numba would widen it, and the widened loop is
many times slower.
"""

from typing import Any

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, IndexArray
from topoimp.compilation import compiled

BLOCK = 64
"""Weights looked at together: a block whose strongest weight is too weak is passed over."""


@compiled
def collect_strongest(
    codes: CodeArray,
    kept: BoolArray | None,
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
        kept: which of them are looked at, flat; all if None.
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
    for base in range(start, stop, BLOCK):
        end = min(base + BLOCK, stop)
        block = codes[base:end]
        strongest, n_present = kind(0), kind(0)
        if kept is None:
            for j in range(end - base):
                rank = kind(block[j] & mask)
                strongest = rank if rank > strongest else strongest
                n_present = kind(n_present + (kind(1) if rank != kind(0) else kind(0)))
        else:
            chosen = kept[base:end]
            for j in range(end - base):
                rank = kind(block[j] & mask) if chosen[j] else kind(0)
                strongest = rank if rank > strongest else strongest
                n_present = kind(n_present + (kind(1) if rank != kind(0) else kind(0)))
        n_edges += int(n_present)
        largest = strongest if strongest > largest else largest
        if strongest >= threshold:
            for j in range(end - base):
                rank = kind(block[j] & mask)
                if rank >= threshold and (kept is None or kept[base + j]):
                    if n_found < indices.size:
                        indices[n_found] = base + j
                        ranks[n_found] = rank
                    n_found += 1
    return n_found, n_edges, largest


@compiled
def sort_strongest_first(indices: IndexArray, ranks: CodeArray, lowest: int, highest: int) -> None:
    """Sort edges by rank descending, in place; equal ranks keep their order (radix sort, 11 bits at a time).

    Args:
        indices: flat indices, shape (n,).
        ranks: their magnitude codes, shape (n,).
        lowest: no rank is below it.
        highest: no rank is above it.
    """
    n = indices.size
    span = np.uint64(highest) - np.uint64(lowest)
    other_indices, other_ranks = np.empty_like(indices), np.empty_like(ranks)
    counts = np.empty(2049, np.int64)
    shift = 0
    is_moved = False
    while shift < 64 and span >> np.uint64(shift) != 0:
        for value in range(counts.size):
            counts[value] = 0
        for i in range(n):
            digit = ((np.uint64(highest) - np.uint64(ranks[i])) >> np.uint64(shift)) & np.uint64(2047)
            counts[digit + np.uint64(1)] += 1
        for value in range(2048):
            counts[value + 1] += counts[value]
        for i in range(n):
            digit = ((np.uint64(highest) - np.uint64(ranks[i])) >> np.uint64(shift)) & np.uint64(2047)
            place = counts[digit]
            counts[digit] += 1
            other_indices[place] = indices[i]
            other_ranks[place] = ranks[i]
        indices, other_indices = other_indices, indices
        ranks, other_ranks = other_ranks, ranks
        is_moved = not is_moved
        shift += 11
    if is_moved:  # a loop: the error that a slice could raise takes seconds to compile
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
def join_edges(edges: IndexArray, n_columns: int, parent: IndexArray, n_wanted: int) -> IndexArray:
    """Give the places of those edges that join two components, taking them in the order given (Kruskal's rule).

    Args:
        edges: flat indices into the layer, shape (n,).
        n_columns: columns of the layer.
        parent: components so far, shape (n_vertices,); updated.
        n_wanted: stop after so many: no more can join.

    Returns:
        places in ``edges``, ascending.
    """
    n_rows = parent.size - n_columns
    joining = np.empty(min(edges.size, n_wanted), np.int64)
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
    return joining[:n_joining]


@compiled
def label_components(parent: IndexArray, labels: np.ndarray) -> int:
    """Write the root of every vertex into ``labels`` (int32), and give the root of the largest component."""
    sizes = np.zeros(parent.size, np.int32)
    largest = 0
    for vertex in range(parent.size):
        root = root_of(parent, vertex)
        labels[vertex] = root
        sizes[root] += 1
        if sizes[root] > sizes[largest]:
            largest = root
    return largest


@compiled
def strongest_of_rows(
    codes: CodeArray,
    kept: BoolArray | None,
    rows: IndexArray,
    mask: Any,  # a scalar of the codes' type
    labels: np.ndarray,
    best_ranks: CodeArray,
    best_edges: IndexArray,
) -> None:
    """Find each row's first strongest edge that leads into another component.

    Args:
        codes: the layer, shape (rows, columns).
        kept: which weights are looked at, same shape; all if None.
        rows: the rows to look at.
        mask: takes the sign away.
        labels: component of each vertex, int32, shape (n_vertices,).
        best_ranks: by vertex, the magnitude code found; 0 if there is no such edge.
        best_edges: by vertex, its flat index.
    """
    kind = codes.dtype.type
    n_rows, n_columns = codes.shape
    for row in rows:
        label, line, ends = labels[row], codes[row], labels[n_rows:]
        best = kind(0)
        if kept is None:
            for j in range(n_columns):
                rank = kind(line[j] & mask) if ends[j] != label else kind(0)
                best = rank if rank > best else best
        else:
            chosen = kept[row]
            for j in range(n_columns):
                rank = kind(line[j] & mask) if (ends[j] != label) & chosen[j] else kind(0)
                best = rank if rank > best else best
        best_ranks[row] = best
        if best != kind(0):
            for j in range(n_columns):
                if kind(line[j] & mask) == best and ends[j] != label and (kept is None or kept[row, j]):
                    best_edges[row] = row * n_columns + j
                    break


@compiled
def strongest_of_columns(
    codes: CodeArray,
    kept: BoolArray | None,
    start: int,
    stop: int,
    columns: IndexArray,
    mask: Any,  # a scalar of the codes' type
    labels: np.ndarray,
    best_ranks: CodeArray,
    best_rows: np.ndarray,
) -> None:
    """Find the first strongest edge of some columns, within a part of the rows, that leads into another component.

    Args:
        codes: the layer, shape (rows, columns).
        kept: which weights are looked at, same shape; all if None.
        start: first row of the part.
        stop: one beyond its last.
        columns: the columns to look at, ascending.
        mask: takes the sign away.
        labels: component of each vertex, int32, shape (n_vertices,).
        best_ranks: by column of the layer, the magnitude code found; 0 if there is no such edge.
        best_rows: by column of the layer, the row of that edge, int32.
    """
    kind = codes.dtype.type
    n_rows, n_columns = codes.shape
    ends = labels[n_rows:]
    if kept is None and columns.size > n_columns // 8:  # nearly every cache line is touched anyway: take all columns
        for first in range(0, n_columns, 2048):
            last = min(first + 2048, n_columns)
            for row in range(start, stop):
                label, line, near = labels[row], codes[row, first:last], ends[first:last]
                ranks, found = best_ranks[first:last], best_rows[first:last]
                for j in range(last - first):
                    rank = kind(line[j] & mask) if near[j] != label else kind(0)
                    is_better = rank > ranks[j]
                    ranks[j] = rank if is_better else ranks[j]
                    found[j] = np.int32(row) if is_better else found[j]
        return
    for row in range(start, stop):
        label, line = labels[row], codes[row]
        for j in columns:
            rank = kind(line[j] & mask)
            if rank > best_ranks[j] and ends[j] != label and (kept is None or kept[row, j]):
                best_ranks[j] = rank
                best_rows[j] = row


@compiled
def join_best_edges(
    vertices: IndexArray,
    best_ranks: CodeArray,
    best_edges: IndexArray,
    labels: np.ndarray,
    n_columns: int,
    parent: IndexArray,
) -> IndexArray:
    """Join every component along the first strongest of its vertices' edges, and give these edges (Boruvka's step).

    Args:
        vertices: the vertices that were looked at; those without an edge have rank 0.
        best_ranks: by vertex.
        best_edges: by vertex, flat indices.
        labels: component of each vertex before the step, int32.
        n_columns: columns of the layer.
        parent: components, shape (n_vertices,); updated.

    Returns:
        flat indices of the edges that joined two components, each once.
    """
    chosen = np.empty(parent.size, np.int64)  # by component, the vertex whose edge is best
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
    joined = np.empty(vertices.size, np.int64)
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
    return joined[:n_joined]


@compiled
def count_digits(
    ranks: CodeArray,
    start: int,
    stop: int,
    mask: Any,  # a scalar of the ranks' type
    shift: int,
    prefix: int,
    is_first: bool,
    counts: IndexArray,
) -> None:
    """Add up how often each 16-bit digit occurs among the ranks of a part; rank 0 is not counted.

    Args:
        ranks: unsigned integers of 32 or 64 bits, flat.
        start: first of the part.
        stop: one beyond its last.
        mask: bits that belong to the rank.
        shift: the digit's lowest bit.
        prefix: the bits above the digit that a rank must have.
        is_first: whether the digit is the first, so that there is no prefix.
        counts: 65,536 counts, updated.
    """
    kind = ranks.dtype.type
    low, above, wanted = kind(shift), kind(16), kind(prefix)
    for base in range(start, stop, BLOCK):
        block = ranks[base : min(base + BLOCK, stop)]
        if is_first:
            for j in range(block.size):
                rank = kind(block[j] & mask)
                if rank != kind(0):
                    counts[kind(rank >> low)] += 1
            continue
        n_matching = kind(0)
        for j in range(block.size):
            rank = kind(kind(kind(block[j] & mask) >> low) >> above)
            n_matching = kind(n_matching + (kind(1) if rank == wanted else kind(0)))
        if n_matching != kind(0):
            for j in range(block.size):
                rank = kind(block[j] & mask)
                if rank != kind(0) and kind(kind(rank >> low) >> above) == wanted:
                    counts[kind(kind(rank >> low) & kind(65535))] += 1


@compiled
def count_codes(codes: CodeArray, start: int, stop: int, mask: Any, counts: IndexArray) -> None:
    """Add up how often each magnitude code occurs among the codes, of 8 or 16 bits, of a part."""
    kind = codes.dtype.type
    for i in range(start, stop):
        counts[kind(codes[i] & mask)] += 1


@compiled
def count_equal(codes: CodeArray, start: int, stop: int, mask: Any, code: Any) -> int:
    """Count the weights of a part that have a magnitude code."""
    kind = codes.dtype.type
    n_equal = 0
    for base in range(start, stop, BLOCK):
        block = codes[base : min(base + BLOCK, stop)]
        n_here = kind(0)
        for j in range(block.size):
            n_here = kind(n_here + (kind(1) if kind(block[j] & mask) == code else kind(0)))
        n_equal += int(n_here)
    return n_equal


@compiled
def place_of_equal(codes: CodeArray, start: int, stop: int, mask: Any, code: Any, n: int, skipped: IndexArray) -> int:
    """Give the flat index of the n-th weight of a part, from 1, that has a magnitude code; ``skipped`` do not count."""
    kind = codes.dtype.type
    next_skipped = np.searchsorted(skipped, start)
    for i in range(start, stop):
        if kind(codes[i] & mask) == code:
            if next_skipped < skipped.size and skipped[next_skipped] == i:
                next_skipped += 1
                continue
            n -= 1
            if n == 0:
                return i
    return -1


@compiled
def mark_kept(codes: CodeArray, start: int, stop: int, mask: Any, code: Any, last: int, kept: BoolArray) -> None:
    """Write which weights of a part are stronger than a magnitude code, or have it and come no later than ``last``."""
    kind = codes.dtype.type
    middle = min(max(last + 1, start), stop)
    for i in range(start, middle):
        rank = kind(codes[i] & mask)
        kept[i] = (rank >= code) & (rank != kind(0))
    for i in range(middle, stop):
        kept[i] = kind(codes[i] & mask) > code
