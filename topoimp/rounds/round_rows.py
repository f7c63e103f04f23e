"""The rows of a round's report: forests and masks in, rows out.

The columns compare with two different references. ``round_...`` compare the round's mask with the weights that it was
found on, which is where the methods promise something. All others compare the mask and the weights trained under it
with the unpruned network of round 0; training moves every weight, so the barcode is never quite that of round 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from topoimp.layers.catalogue import LayerInfo
from topoimp.pruning.masks import Masks
from topoimp.pruning.one_shot import Round
from topoimp.pruning.preservation import Preservation, graph_of_mask, preservation_under_mask, total_preservation
from topoimp.reports.columns import Cell, Row
from topoimp.reports.rows import (
    DISTANCES,
    REFERENCE,
    distance_columns,
    largest_of,
    layer_columns,
    network_persistence_columns,
    persistence_columns,
    preservation_columns,
)
from topoimp.rounds.trainer import METRICS, Metrics
from topoimp.topology.barcode import barcode_of_forest, largest_strength
from topoimp.topology.distance import barcode_distances
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class RoundTopology:
    """The pruned layers and masks of a round, and by layer name the forests of the unpruned and the trained weights."""

    infos: Sequence[LayerInfo]
    reference: Mapping[str, Forest]
    trained: Mapping[str, Forest]
    masks: Masks
    threads: int


def rows_of_round(topology: RoundTopology, metrics: Metrics, *, number: int, pruned: Round | None) -> list[Row]:
    """Return a row for each layer and one for the network.

    ``pruned`` are the weights that the masks were found on, after pruning; None in round 0, the unpruned network.
    """
    largest = largest_strength(topology.reference.values())
    rows: list[Row] = []
    parts: list[Preservation] = []
    for info in topology.infos:
        before, after, mask = topology.reference[info.name], topology.trained[info.name], topology.masks[info.tensor]
        graph = graph_of_mask(info, mask, after, topology.threads)
        preservation = preservation_under_mask(before, after, graph, mask, info)
        parts.append(preservation)

        row: dict[str, Cell] = {**layer_columns(info), "round": number}
        if pruned is not None:
            layer = pruned.layers[info.name]
            row |= {"target": layer.target, "floor_binds": layer.floor_binds, **_round_columns(layer.preservation)}
        rows.append({**row, **preservation_columns(preservation), **_topology_columns(before, after, largest)})

    # Counts of the network add up; persistences have means and totals over the layers, distances are the largest.
    network: dict[str, Cell] = {"level": "network", "round": number}
    if pruned is not None:
        network |= {"target": pruned.target, "floor_binds": bool(pruned.missed), **_round_columns(pruned.preservation)}
    network |= {
        **preservation_columns(total_preservation(parts)),
        **network_persistence_columns(rows),
        **network_persistence_columns(rows, suffix=REFERENCE),
        **{column: largest_of(rows, column) for column in DISTANCES},
        **{name: metrics.get(name) for name in METRICS},
    }
    return [*rows, network]


def _round_columns(preservation: Preservation) -> Row:
    columns = preservation_columns(preservation)
    return {f"round_{name}": columns[name] for name in ("beta0_kept", "barcode_kept", "retention")}


def _topology_columns(before: Forest, after: Forest, largest: float | None) -> Row:
    """Return neural persistences and distances of the trained weights, at the scales of round 0."""
    reference, trained = barcode_of_forest(before), barcode_of_forest(after)
    persistences = partial(persistence_columns, network_scale=largest, layer_scale=before.strongest, p=2.0)
    return {
        **persistences(trained),
        **persistences(reference, suffix=REFERENCE),
        **distance_columns(barcode_distances(reference, trained, scale=largest)),
    }
