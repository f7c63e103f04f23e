"""The columns of a network as one graph, beside those of its layers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from topoimp.reports.cells import Row

if TYPE_CHECKING:  # not for the names of columns alone
    from topoimp.network.facts import PathFacts

ON_PATHS = ("n_off_path", "effective_density")
"""Columns of layers and of the network."""

GLUED = ("live_vertices", "beta0_glued")
"""Columns of the network alone."""

PERSISTENCES = ("np_glued", "np_deep")
"""Columns of the network in the report of ``barcode``."""


def with_path_columns(rows: Sequence[Row], facts: "PathFacts | None") -> list[Row]:
    """Return the rows of the layers of one network and of the network with the columns of its graph.

    They are blank without facts, and for a layer that is not in the graph. Then the sums over the layers are blank too.
    """
    layers = list(dict.fromkeys(str(row["layer"]) for row in rows if row["level"] == "layer"))
    return [{**row, **_columns(row, layers, facts)} for row in rows]


def _columns(row: Row, layers: Sequence[str], facts: "PathFacts | None") -> Row:
    is_layer = row["level"] == "layer"
    looked_at = [str(row["layer"])] if is_layer else layers
    columns: dict[str, float | int | None] = dict.fromkeys(ON_PATHS if is_layer else (*ON_PATHS, *GLUED))
    if facts is None:
        return columns

    if set(looked_at) <= set(facts.layers):
        on_paths = facts.total(looked_at)
        columns |= {"n_off_path": on_paths.n_off_path, "effective_density": on_paths.effective_density}
    return columns if is_layer else columns | {name: getattr(facts, name) for name in GLUED}
