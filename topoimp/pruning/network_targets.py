"""The targets of rounds that a method of whole networks decides: one for all layers, whatever the scope."""

from collections.abc import Mapping, Sequence

from topoimp.layers.records import LayerInfo
from topoimp.pruning.methods.network_method import NetworkMethod
from topoimp.pruning.options import Scheme


def network_target(scheme: Scheme, infos: Sequence[LayerInfo], n_edges: Mapping[str, int], number: int) -> int | None:
    """Return the one target of a round that a method of whole networks decides by its density; None in other rounds."""
    if not isinstance(scheme.method, NetworkMethod):
        return None
    target = total_target(scheme, infos, n_edges, number)
    return target if scheme.method.takes_over(target, sum(info.n_weights for info in infos)) else None


def total_target(scheme: Scheme, infos: Sequence[LayerInfo], n_edges: Mapping[str, int], number: int) -> int:
    """Return the shared target of a round, or the sum of the targets that the layers have."""
    if not scheme.has_layer_targets:
        return scheme.schedule.shared_targets(infos, n_edges)[number - 1]
    return sum(scheme.schedule.targets_of(info, n_edges[info.name])[number - 1] for info in infos)
