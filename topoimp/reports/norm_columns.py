"""The share of the squared norm that is kept, as a column of layers and of the network."""

from collections.abc import Mapping, Sequence

from topoimp.layers.squared_norms import SquaredNorms, added_norms
from topoimp.reports.cells import Row

NORM = "squared_norm_kept"
"""The column."""


def with_norm_column(rows: Sequence[Row], norms: Mapping[str, SquaredNorms] | None, prefix: str = "") -> list[Row]:
    """Return the rows of the layers of one network and of the network with the share of their squared norm.

    It is blank without norms, which are by layer name, and in a layer of zeros. ``prefix`` goes before its name.
    """
    shares: dict[str | None, float | None] = {}
    if norms is not None:
        shares = {name: norm.share_kept for name, norm in norms.items()}
        shares[None] = added_norms(norms.values()).share_kept
    return [
        {**row, prefix + NORM: shares.get(None if row["level"] == "network" else str(row["layer"]))} for row in rows
    ]
