"""The barcode of a layer, computed a second time by GUDHI: another program, another method.

GUDHI reduces the boundary matrix of the whole graph, at about 90 bytes and a microsecond for each edge. It gets the
exact strengths with the opposite sign and returns them bit for bit, so the comparison needs no tolerance. The check
does not cover the meaning of the stored bits, which both methods share, nor the sums over the channels of a filter.
"""

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.errors import OptionError, VerificationError
from topoimp.layers.layer import Layer
from topoimp.topology.barcode import Barcode, barcode_of_forest
from topoimp.topology.filter_barcodes import FilterBarcodes
from topoimp.topology.forest import Forest

CHECK_LIMIT = 4_000_000
"""Most edges of a layer to check: GUDHI needs about 350 MB and some seconds for them."""


def check_limit_of(limit: int | None) -> int:
    """Return the most edges of a layer to check; raise an ``OptionError`` if the limit is negative."""
    if limit is not None and limit < 0:
        raise OptionError(f"the limit of edges that are checked is {limit}; it must be 0 or above")
    return CHECK_LIMIT if limit is None else limit


def barcode_by_gudhi(layer: Layer) -> Barcode:
    """Return the barcode of a layer as GUDHI finds it; deaths are exact.

    >>> from topoimp.layers.layer import as_layer
    >>> barcode_by_gudhi(as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))).deaths
    array([3., 2., 1.])
    """
    strengths = layer.strengths()
    rows, columns = np.nonzero(strengths)
    return _barcode_of_edges(layer.n_vertices, rows, layer.n_rows + columns, strengths[rows, columns])


def _barcode_of_edges(n_vertices: int, ends: IndexArray, other_ends: IndexArray, strengths: FloatArray) -> Barcode:
    import gudhi

    complex_ = gudhi.SimplexTree()

    # Vertices enter with the strongest edge: GUDHI would move a vertex that enters after one of its edges.
    vertices = np.arange(n_vertices, dtype=np.int32)
    complex_.insert_batch(vertices[None, :], np.full(len(vertices), -strengths.max(initial=0.0)))
    if len(ends):
        complex_.insert_batch(np.stack([ends, other_ends]).astype(np.int32), -strengths)

    # A negative bound keeps bars of length zero. Of a graph without edges GUDHI computes dimension 0 only on request.
    complex_.compute_persistence(min_persistence=-1.0, persistence_dim_max=len(ends) == 0)
    deaths = complex_.persistence_intervals_in_dimension(0).reshape(-1, 2)[:, 1]
    is_finite = np.isfinite(deaths)
    return Barcode(-np.sort(deaths[is_finite]), int(np.count_nonzero(~is_finite)))


def check_barcode(layer: Layer, forest: Forest) -> None:
    """Raise a ``VerificationError`` unless a layer's barcode is GUDHI's, every death bit for bit."""
    _require_equal(barcode_of_forest(forest), barcode_by_gudhi(layer), layer.origin, layer.name)


def check_filters(layer: Layer, found: FilterBarcodes) -> None:
    """Raise a ``VerificationError`` unless the barcode of each filter of a convolution is GUDHI's, bit for bit."""
    for number, barcode in enumerate(found.each()):
        outputs, inputs, strengths = found.edges_of(number)
        theirs = _barcode_of_edges(barcode.n_vertices, outputs, found.n_outputs + inputs, strengths)
        _require_equal(barcode, theirs, layer.origin, f"{layer.name}/{number}")


def _require_equal(ours: Barcode, theirs: Barcode, origin: str, name: str) -> None:
    if ours.equals(theirs):
        return
    where = f"{origin}: {name!r}" if origin else repr(name)
    counts = [f"{len(bars.deaths)} finite and {bars.n_essential} essential bars" for bars in (ours, theirs)]
    if counts[0] != counts[1]:
        found = f"has {counts[0]}, and {counts[1]} by GUDHI"
    else:
        place = int(np.flatnonzero(ours.deaths != theirs.deaths)[0])
        deaths = [float(bars.deaths[place]) for bars in (ours, theirs)]
        found = f"has a bar {place} that dies at strength {deaths[0]!r}, and at {deaths[1]!r} by GUDHI"
    raise VerificationError(f"{where} {found}; both must be the same")
