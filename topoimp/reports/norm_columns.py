"""The share of the squared norm that is kept, as a column of layers and of the network."""

from collections.abc import Mapping, Sequence

from topoimp.layers.squared_norms import SquaredNorms, added_norms
from topoimp.pruning.round import Round
from topoimp.reports.cells import Row

NORM = "squared_norm_kept"
"""The column."""


def with_norm_column(rows: Sequence[Row], norms: Mapping[str, SquaredNorms], prefix: str = "") -> list[Row]:
    """Return the rows of the layers of one network and of the network with the share of their squared norm.

    It is blank in a layer without norms, which are by layer name, and then in the network, and in a layer of zeros.
    ``prefix`` goes before its name.
    """
    shares = {name: norm.share_kept for name, norm in norms.items()}
    layers = {str(row["layer"]) for row in rows if row["level"] == "layer"}
    total = added_norms(norms.values()).share_kept if layers <= set(norms) else None
    return [
        {**row, prefix + NORM: total if row["level"] == "network" else shares.get(str(row["layer"]))} for row in rows
    ]


def known_norms(round_: Round) -> dict[str, SquaredNorms]:
    """Return the squared norms that are known before a round is written, by layer name."""
    found = {name: layer.squared_norms for name, layer in round_.layers.items()}
    return {name: norms for name, norms in found.items() if norms is not None}
