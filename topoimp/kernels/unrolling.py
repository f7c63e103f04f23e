"""Kernels that join the vertices of one filter's graph: a convolution unrolled over an image, without a matrix."""

from topoimp.arrays import IndexArray
from topoimp.kernels.compiled import compiled


@compiled()
def root_in(parent: IndexArray, vertex: int) -> int:
    """Return the root of a vertex's component, and halve the path to it."""
    while parent[vertex] != vertex:
        parent[vertex] = parent[parent[vertex]]
        vertex = parent[vertex]
    return vertex


@compiled("shifts", "corners")
def count_joining(shifts: IndexArray, corners: IndexArray, parent: IndexArray, joining: IndexArray) -> None:
    """Count, offset by offset, the edges that join two components of the graph of one filter (Kruskal's rule).

    Args:
        shifts: offsets of the kernel in the order in which their edges enter, as distances in the flat padded input.
        corners: by output, the flat padded input under the first position of the kernel.
        parent: scratch, shape (outputs + padded inputs,).
        joining: the counts are written here, shape (offsets,).
    """
    for vertex in range(parent.size):
        parent[vertex] = vertex

    n_outputs = corners.size
    for place in range(shifts.size):
        n_joining = 0
        for output in range(n_outputs):
            root = root_in(parent, output)
            other = root_in(parent, n_outputs + corners[output] + shifts[place])
            if root != other:
                parent[max(root, other)] = min(root, other)  # the next outputs find it on a short path
                n_joining += 1
        joining[place] = n_joining


@compiled("shifts", "stops", "corners")
def join_unrolled(
    shifts: IndexArray, stops: IndexArray, corners: IndexArray, parent: IndexArray, edges: IndexArray
) -> int:
    """Write the edges that join two components of the graph of one filter, and return their number.

    Args:
        shifts: offsets of the kernel by descending strength, equal ones ascending, as distances in the padded input.
        stops: for each strength, one more than the place of its last offset in ``shifts``.
        corners: by output, the flat padded input under the first position of the kernel.
        parent: scratch, shape (outputs + padded inputs,).
        edges: output * padded inputs + padded input of each edge is written here, strongest first, equal ones
            ascending; shape (outputs + padded inputs,).
    """
    for vertex in range(parent.size):
        parent[vertex] = vertex

    n_outputs = corners.size
    n_inputs = parent.size - n_outputs
    n_joining = 0
    start = 0
    for stop in stops:
        for output in range(n_outputs):
            for place in range(start, stop):
                column = corners[output] + shifts[place]
                root = root_in(parent, output)
                other = root_in(parent, n_outputs + column)
                if root != other:
                    parent[max(root, other)] = min(root, other)
                    edges[n_joining] = output * n_inputs + column
                    n_joining += 1
        start = stop
    return n_joining
