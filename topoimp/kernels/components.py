"""Kernels that join a layer's vertices into components.

Components are a union-find forest in one array ``parent`` of shape (n_vertices,), a root being its own parent.
"""

from topoimp.arrays import BoolArray, CodeArray, IndexArray, LabelArray
from topoimp.kernels.compiled import compiled


@compiled()
def root_of(parent: IndexArray, vertex: int) -> int:
    """Return the root of a vertex's component, and halve the path to it."""
    while parent[vertex] != vertex:
        parent[vertex] = parent[parent[vertex]]
        vertex = parent[vertex]
    return vertex


@compiled("edges")
def join_edges(edges: IndexArray, n_columns: int, parent: IndexArray, n_wanted: int, joining: IndexArray) -> int:
    """Join components along edges in the order of the array (Kruskal's rule), until ``n_wanted`` edges have joined two.

    Write the places in ``edges`` of those that joined, ascending, to ``joining``, shape (min(len(edges), n_wanted),),
    and return their number.
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


@compiled()
def label_components(parent: IndexArray, labels: LabelArray, scratch: LabelArray) -> int:
    """Write the root of every vertex into ``labels``, and return the root of the largest component."""
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


@compiled()
def join_best_edges(
    vertices: IndexArray,
    best_ranks: CodeArray,
    best_edges: IndexArray,
    labels: LabelArray,
    n_columns: int,
    parent: IndexArray,
    scratch: IndexArray,
    joined: IndexArray,
) -> int:
    """Join every component along the first strongest of its vertices' edges (Boruvka's step).

    Each vertex has its best edge's rank, 0 without an edge, and flat index; ``labels`` are those before the step.
    Write the flat indices of the edges that joined two components to ``joined``, as long as ``vertices``, and return
    their number.
    """
    # The vertex of each component whose edge is best; -1 for none.
    chosen = scratch
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

    # Two components may have chosen the same edge: only the first of the two joins.
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


@compiled("kept")
def join_kept(kept: BoolArray, columns_per_vertex: int, first_row: int, first_column: int, parent: IndexArray) -> int:
    """Join the vertices of rows to those of their columns along kept weights; return how many joined two components.

    ``kept`` has the shape (rows, columns). Row r is the vertex ``first_row`` + r, and column c the vertex
    ``first_column`` + c // ``columns_per_vertex``.
    """
    n_joining = 0
    for row in range(kept.shape[0]):
        for column in range(kept.shape[1]):
            if kept[row, column]:
                row_root = root_of(parent, first_row + row)
                column_root = root_of(parent, first_column + column // columns_per_vertex)
                if row_root != column_root:
                    parent[column_root] = row_root
                    n_joining += 1
    return n_joining


@compiled()
def join_one_to_one(first: int, other: int, n_pairs: int, parent: IndexArray) -> int:
    """Join each of the vertices from ``first`` on to that from ``other`` on; return how many joined two components."""
    n_joining = 0
    for pair in range(n_pairs):
        root = root_of(parent, first + pair)
        other_root = root_of(parent, other + pair)
        if root != other_root:
            parent[other_root] = root
            n_joining += 1
    return n_joining


@compiled("sources", "targets")
def join_marked(
    sources: IndexArray, targets: IndexArray, parent: IndexArray, is_marked: BoolArray, joining: IndexArray
) -> int:
    """Join components along edges in the order of the arrays; note the edges that join two with a marked vertex each.

    Args:
        sources: one end of each edge.
        targets: the other end of each edge.
        parent: the components; written.
        is_marked: flag of each vertex; written: that of a root is afterwards whether its component has a marked vertex.
        joining: the places of the edges noted, ascending; written, as long as ``sources`` or as all vertices but one.

    Returns:
        the number of edges noted.
    """
    n_joining = 0
    for place in range(sources.size):
        source_root = root_of(parent, sources[place])
        target_root = root_of(parent, targets[place])
        if source_root != target_root:
            parent[target_root] = source_root
            if is_marked[source_root] and is_marked[target_root]:
                joining[n_joining] = place
                n_joining += 1
            is_marked[source_root] |= is_marked[target_root]
    return n_joining
