"""The rows of a round's report: forests and masks in, rows out.

The columns compare with two different references. ``round_...`` compare the round's mask with the weights that it was
found on, which is where the methods promise something. All others compare the mask and the weights trained under it
with the unpruned network of round 0; training moves every weight, so the barcode is never quite that of round 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from topoimp.chance.forest_by_chance import ForestByChance, added_up_by_chance
from topoimp.comparison.retention_columns import retention_columns
from topoimp.layers.records import LayerInfo
from topoimp.pruning.masks import Masks
from topoimp.pruning.preservation import Preservation, graph_of_mask, preservation_under_mask, total_preservation
from topoimp.pruning.round import Round
from topoimp.reports.cells import Cell, Row
from topoimp.reports.rows import (
    DISTANCES,
    REFERENCE,
    distance_columns,
    largest_of,
    layer_columns,
    network_persistence_columns,
    persistence_columns,
    preservation_columns,
    target_columns,
)
from topoimp.rounds.trainer import METRICS, Metrics
from topoimp.rounds.unpruned import Unpruned
from topoimp.topology.barcode import barcode_of_forest
from topoimp.topology.distance import barcode_distances
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class RoundTopology:
    """The pruned layers and masks of a round, round 0, and the trained weights: forests by layer name, own scale."""

    infos: Sequence[LayerInfo]
    unpruned: Unpruned
    trained: Mapping[str, Forest]
    scale: float | None
    masks: Masks
    threads: int


@dataclass(frozen=True)
class PrunedRound:
    """The weights that the masks of a round were found on, after pruning, and by layer name the numbers by chance."""

    pruned: Round
    by_chance: Mapping[str, ForestByChance]

    def layer_columns(self, name: str) -> Row:
        """Return the columns of a layer."""
        layer = self.pruned.layers[name]
        columns = _round_columns(layer.preservation, [self._beside_chance(name)])
        return {**target_columns(layer), **columns}

    def network_columns(self) -> Row:
        """Return the columns of all layers together."""
        chances = [self._beside_chance(name) for name in self.pruned.layers]
        columns = _round_columns(self.pruned.preservation, chances)
        return {**target_columns(self.pruned), **columns}

    def _beside_chance(self, name: str) -> ForestByChance:
        n_forest_kept = self.pruned.layers[name].preservation.n_forest_kept
        return replace(self.by_chance[name], observed=n_forest_kept)


def rows_of_round(topology: RoundTopology, metrics: Metrics, *, number: int, pruned: PrunedRound | None) -> list[Row]:
    """Return a row for each layer and one for the network; ``pruned`` is None in round 0, the unpruned network."""
    reference = topology.unpruned.forests
    parts: list[Preservation] = []
    for info in topology.infos:
        after, mask = topology.trained[info.name], topology.masks[info.tensor]
        graph = graph_of_mask(info, mask, after, topology.threads)
        parts.append(preservation_under_mask(reference[info.name], after, graph, mask, info))

    # Chance keeps as many weights of round 0 as the mask does.
    by_name = {info.name: part for info, part in zip(topology.infos, parts, strict=True)}
    found = topology.unpruned.by_chance({name: part.n_kept for name, part in by_name.items()})
    chances = [replace(found[name], observed=part.n_forest_kept) for name, part in by_name.items()]

    scales = topology.unpruned.scale, topology.scale
    rows: list[Row] = []
    for info, part, chance in zip(topology.infos, parts, chances, strict=True):
        row: dict[str, Cell] = {**layer_columns(info), "round": number}
        if pruned is not None:
            row |= pruned.layer_columns(info.name)
        columns = _topology_columns(reference[info.name], topology.trained[info.name], *scales)
        rows.append({**row, **preservation_columns(part), **_columns_of_chance([chance]), **columns})

    # Counts of the network add up; persistences have means and totals over the layers, distances are the largest.
    network: dict[str, Cell] = {"level": "network", "round": number}
    if pruned is not None:
        network |= pruned.network_columns()
    network |= {
        **preservation_columns(total_preservation(parts)),
        **_columns_of_chance(chances),
        **network_persistence_columns(rows),
        **network_persistence_columns(rows, suffix=REFERENCE),
        **{column: largest_of(rows, column) for column in DISTANCES},
        **{name: metrics.get(name) for name in METRICS},
    }
    return [*rows, network]


CHANCE = ("retention_guaranteed", "retention_iid", "retention_random", "excess")
"""Columns of a retention beside chance; those of ``round_retention`` begin with ``round_`` too."""


def _columns_of_chance(layers: Sequence[ForestByChance]) -> Row:
    """Return the columns of chance of layers together."""
    columns = retention_columns(added_up_by_chance(layers))
    return {name: columns[name] for name in CHANCE}


def _round_columns(preservation: Preservation, layers: Sequence[ForestByChance]) -> Row:
    columns = {**preservation_columns(preservation), **_columns_of_chance(layers)}
    return {f"round_{name}": columns[name] for name in ("beta0_kept", "barcode_kept", "retention", *CHANCE)}


def _topology_columns(before: Forest, after: Forest, scale_before: float | None, scale_after: float | None) -> Row:
    """Return neural persistences, each at its own scale, and distances of the trained weights at that of round 0."""
    reference, trained = barcode_of_forest(before), barcode_of_forest(after)
    return {
        **persistence_columns(trained, own_scale=scale_after, p=2.0),
        **persistence_columns(reference, own_scale=scale_before, p=2.0, suffix=REFERENCE),
        **distance_columns(barcode_distances(reference, trained, scale=scale_before)),
    }
