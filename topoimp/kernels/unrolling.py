"""Kernel that joins the vertices of one filter's graph: a convolution unrolled over an image, without a matrix."""

from topoimp.arrays import IndexArray
from topoimp.kernels.compiled import compiled


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
            # Both roots, halving the paths to them.
            vertex = output
            while parent[vertex] != vertex:
                parent[vertex] = parent[parent[vertex]]
                vertex = parent[vertex]
            other = n_outputs + corners[output] + shifts[place]
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]

            # The smaller root stays: the next outputs find it on a short path.
            if vertex != other:
                parent[max(vertex, other)] = min(vertex, other)
                n_joining += 1
        joining[place] = n_joining
