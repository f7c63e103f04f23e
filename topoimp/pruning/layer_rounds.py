"""A layer after each round of pruning, compared with the unpruned one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from topoimp.errors import VerificationError
from topoimp.layers.layer import Layer
from topoimp.pruning.lines import LineKeep
from topoimp.pruning.methods.magnitude import StrengthRule
from topoimp.pruning.methods.method import Rule
from topoimp.pruning.pattern_keep import PatternKeep
from topoimp.pruning.preservation import Preservation, preservation_by_strength, preservation_of
from topoimp.pruning.round import LayerKeep, LayerRound
from topoimp.pruning.rules import pruned_layer
from topoimp.topology.forest import Forest, spanning_forest


def layer_rounds(
    layer: Layer, reference: Forest, targets: Sequence[int | None], keeps: Sequence[LayerKeep], threads: int
) -> list[LayerRound]:
    """Compare the layer of every round with the unpruned one, and each count with that of the round before."""
    rounds: list[LayerRound] = []
    before = layer.n_weights
    for target, keep in zip(targets, keeps, strict=True):
        if keep.n_kept > before:
            raise VerificationError(f"layer {layer.name!r}: a weight that was pruned came back")
        before = keep.n_kept
        preservation = _preservation(layer, reference, keep, threads)
        n_added = _n_forest_added(layer, reference, keep, preservation, threads)
        round_ = LayerRound(target, preservation, keep.n_protected, n_added, keep.known_norms)
        if isinstance(keep, PatternKeep):
            round_ = replace(round_, n_forest_unfit=keep.n_forest_unfit, blocks=keep.blocks)
        rounds.append(round_)
    return rounds


def protects_forest(rule: Rule) -> bool:
    """Return whether a rule is that of ``topological``, under which ``magnitude`` keeps other weights."""
    return isinstance(rule, StrengthRule) and rule.protected_above is not None


def _n_forest_added(
    layer: Layer, reference: Forest, keep: LayerKeep, preservation: Preservation, threads: int
) -> int | None:
    """Count the edges of the forest that ``topological`` keeps and ``magnitude`` drops, if the rule is one of them."""
    if isinstance(keep, PatternKeep):
        return keep.n_forest_added
    if not isinstance(keep.rule, StrengthRule):
        return None
    if not protects_forest(keep.rule):
        return preservation.floor - preservation.n_forest_kept
    if isinstance(keep, LineKeep):
        return keep.n_only_protected
    return None if keep.unprotected is None else keep.n_only_protected(reference, layer, threads)


def _preservation(layer: Layer, reference: Forest, keep: LayerKeep, threads: int) -> Preservation:
    n_weights = layer.n_weights
    n_forest_kept = _n_forest_kept(layer, reference, keep, threads)
    if n_forest_kept is not None:
        return preservation_by_strength(reference, n_weights=n_weights, n_kept=keep.n_kept, n_forest_kept=n_forest_kept)

    pruned = pruned_layer(keep, layer, threads)
    n_forest_kept = int(np.count_nonzero(pruned.weights[reference.indices]))
    if isinstance(keep, PatternKeep) and keep.n_forest_kept != n_forest_kept:
        raise VerificationError(f"layer {layer.name!r}: {n_forest_kept} forest edges stay, not {keep.n_forest_kept}")
    after = spanning_forest(pruned, threads=threads)
    return preservation_of(reference, after, n_weights=n_weights, n_forest_kept=n_forest_kept)


def _n_forest_kept(layer: Layer, reference: Forest, keep: LayerKeep, threads: int) -> int | None:
    """Return the number of forest edges that are kept if the topology follows from it; None if a forest is needed."""
    floor = len(reference.indices)
    if keep.n_protected == floor:
        return floor
    if isinstance(keep, LineKeep | PatternKeep):
        return floor if keep.n_forest_kept == floor else None
    return keep.n_kept_of(reference, layer, threads) if keep.rule.is_by_strength else None
