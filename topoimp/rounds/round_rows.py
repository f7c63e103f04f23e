"""What became of the topology in a round: the rows that are reported of it.

Two references are told apart. A round's own mask is held against the weights that it was found on: that is what the
methods promise something about (``round_...``). The mask graph, and the weights trained under it, are held against the
unpruned network of round 0: training moves every weight, so that its barcode is never quite that of round 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.masks import Masks, PackedMask
from topoimp.pruning.one_shot import LayerRound, Round
from topoimp.pruning.preservation import Preservation, graph_of_mask, preservation_under_mask, together
from topoimp.reports.columns import Row
from topoimp.reports.rows import (
    DISTANCES,
    REFERENCE,
    distance_columns,
    largest_of,
    layer_columns,
    mean_persistence_columns,
    persistence_columns,
    preservation_columns,
)
from topoimp.rounds.training_task import METRICS, Metrics
from topoimp.topology.barcode import barcode_of_forest, largest_strength
from topoimp.topology.distance import barcode_distances
from topoimp.topology.forest import Forest, spanning_forest


@dataclass(frozen=True)
class Reference:
    """The unpruned network: by layer name, its maximum spanning forests."""

    forests: Mapping[str, Forest]

    @property
    def edges(self) -> dict[str, int]:
        """By layer name, how many weights are not zero."""
        return {name: forest.n_edges for name, forest in self.forests.items()}

    @property
    def largest(self) -> float | None:
        """The largest strength of all layers, the scale of everything that is compared with them; None without."""
        return largest_strength(self.forests.values())


def reference_of(stream: LayerStream) -> Reference:
    """Find the forests of the unpruned network."""
    return Reference(stream.each(lambda layer, threads: spanning_forest(layer, threads=threads)))


def rows_of_round(
    trained: LayerStream, masks: Masks, reference: Reference, metrics: Metrics, *, number: int, now: Round | None
) -> list[Row]:
    """Give the rows of a round: one for each layer, and one for the network.

    Args:
        trained: the weights that the round arrived at.
        masks: by tensor, what it keeps.
        reference: the unpruned network.
        metrics: what the trainer says.
        number: of the round, 0 for the unpruned network.
        now: what its mask keeps of the weights that it was found on; None in round 0.
    """
    infos = trained.layers.by_name

    def look(layer: Layer, threads: int) -> tuple[Preservation, Row]:
        info, before = infos[layer.name], reference.forests[layer.name]
        after = spanning_forest(layer, threads=threads)
        left = _left_of(info, before, after, masks[info.tensor], threads)
        columns = _topology(before, after, reference.largest)
        of_layer = None if now is None else now.layers[layer.name]
        return left, {
            **layer_columns(info),
            "round": number,
            **_of_mask(of_layer),
            **preservation_columns(left),
            **columns,
        }

    found = trained.each(look).values()
    rows = [row for _, row in found]
    left = together([left for left, _ in found])
    network: Row = {
        "level": "network",
        "round": number,
        **_of_masks(now),
        **preservation_columns(left),
        **mean_persistence_columns(rows),
        **mean_persistence_columns(rows, suffix=REFERENCE),
        **{column: largest_of(rows, column) for column in DISTANCES},
        **{name: metrics.get(name) for name in METRICS},
    }
    return [*rows, network]


def _left_of(info: LayerInfo, before: Forest, after: Forest, mask: PackedMask, threads: int) -> Preservation:
    """Hold the mask graph against round 0."""
    return preservation_under_mask(before, after, graph_of_mask(info, mask, after, threads), mask, info)


def _topology(before: Forest, after: Forest, largest: float | None) -> Row:
    """Give neural persistences and distances of the trained weights, at the scales of round 0."""
    columns = {
        **persistence_columns(barcode_of_forest(after), network_scale=largest, layer_scale=before.strongest, p=2.0),
        **persistence_columns(
            barcode_of_forest(before), network_scale=largest, layer_scale=before.strongest, p=2.0, suffix=REFERENCE
        ),
    }
    distances = barcode_distances(barcode_of_forest(before), barcode_of_forest(after), scale=largest)
    return {**columns, **distance_columns(distances)}


def _of_mask(layer: LayerRound | None) -> Row:
    if layer is None:
        return {}
    return {"target": layer.target, "floor_binds": layer.floor_binds, **_round_columns(layer.left)}


def _of_masks(now: Round | None) -> Row:
    if now is None:
        return {}
    return {"target": now.target, "floor_binds": bool(now.missed), **_round_columns(now.left)}


def _round_columns(left: Preservation) -> Row:
    columns = preservation_columns(left)
    return {f"round_{name}": columns[name] for name in ("beta0_kept", "barcode_kept", "retention")}
