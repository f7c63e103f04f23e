"""A torch module and the method that prunes it in, the graph of its network and the method for that network out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from topoimp.layers.streaming import LayerStream
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.kept_weights import facts_of_pruners
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.network_method import NetworkMethod
from topoimp.pruning.round import Round
from topoimp.reports.cells import Row
from topoimp.reports.path_columns import with_path_columns
from topoimp.reports.rows import rows_of_pruning
from topoimp.torch_modules.network_graph import network_graph
from topoimp.torch_modules.weights import plain_name, unwrapped

if TYPE_CHECKING:
    import torch
    from torch import nn

VARIANCE = ".running_var"
"""The end of the name of a batch norm's buffer that its factor depends on."""


def graph_for(method: PruningMethod, model: "nn.Module", graph: NetworkGraph | None) -> NetworkGraph | None:
    """Return the graph that was given; without one, that of the module if the method needs it, else None.

    Raises:
        LayerError: if the method needs the graph of the module, and it cannot be known.
    """
    return network_graph(model) if graph is None and isinstance(method, NetworkMethod) else graph


def variances_of_norms(model: "nn.Module", graph: NetworkGraph | None) -> dict[str, "torch.Tensor"]:
    """Return the buffers with the running variances of a graph's batch norms, by name; none without a graph."""
    connections = () if graph is None else graph.connections
    norms = {f"{each.norm}{VARIANCE}" for each in connections}
    named = {plain_name(name): buffer for name, buffer in unwrapped(model).named_buffers()}
    return {name: named[name] for name in sorted(norms & named.keys())}


def rows_with_facts(stream: LayerStream, rounds: Sequence[Round], graph: NetworkGraph | None) -> list[Row]:
    """Return the rows of rounds with the columns of the network's graph, which are blank without one.

    The weights must not have been pruned yet.
    """
    rows: list[Row] = []
    for round_ in rounds:
        facts = facts_of_pruners(graph, round_.keeps, stream.layers, stream.threads)
        rows += with_path_columns(rows_of_pruning(stream.layers.infos, round_), facts)
    return rows
