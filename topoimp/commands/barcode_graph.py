"""The columns of a checkpoint's network as one graph in the report of ``barcode``: the layers of a chain."""

from collections.abc import Sequence
from dataclasses import dataclass

from topoimp.checkpoint import Checkpoint
from topoimp.errors import LayerError
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerPatterns
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.network.chain import notes_on_chain
from topoimp.network.deep_graph_persistence import deep_graph_persistence
from topoimp.network.glued_persistence import glued_persistence
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.kept_weights import facts_of_checkpoint
from topoimp.reports.cells import Cell, Row
from topoimp.reports.path_columns import with_path_columns


@dataclass(frozen=True)
class GraphRows:
    """The rows of a report with the columns of the network as one graph, and sentences about them."""

    rows: Sequence[Row]
    notes: Sequence[str]


def with_graph_columns(rows: Sequence[Row], graph: NetworkGraph, stream: LayerStream, p: float) -> GraphRows:
    """Return the rows of a checkpoint's layers and of its network with the columns of its graph.

    Stored zeros count as pruned weights, but for ``np_deep``, as in its source. The layers of the graph are mapped, and
    8 bytes for each weight of the largest one are held. ``np_deep`` is blank where all weights of a layer are equal; a
    note and ``undefined`` say so. ``p`` is the norm of both persistences.
    """
    checkpoint = stream.layers.checkpoint
    layers = _layers_of(graph, checkpoint, stream.threads)
    *of_layers, network = with_path_columns(rows, facts_of_checkpoint(graph, checkpoint))
    notes = notes_on_chain(stream.layers, graph)
    columns: dict[str, Cell] = {
        "np_glued": glued_persistence(graph, layers, p=p, threads=stream.threads).value,
        "np_deep": None,
    }
    try:
        columns["np_deep"] = deep_graph_persistence(graph, layers, p=p, threads=stream.threads).value
    except LayerError as error:  # all weights of a layer are equal, and the others have their results
        reasons = [network["undefined"], f"np_deep: {error}"]
        columns["undefined"] = "; ".join(str(reason) for reason in reasons if reason)
        notes.append(f"np_deep is blank: {error}")
    return GraphRows([*of_layers, {**network, **columns}], notes)


def _layers_of(graph: NetworkGraph, checkpoint: Checkpoint, threads: int) -> dict[str, Layer]:
    """Return the layers of a graph by name, mapped, whichever layers a report has."""
    layers = select_layers(checkpoint, LayerPatterns(include=tuple(graph.layers)))
    return {info.name: layers.read(info, threads) for info in layers.infos}
