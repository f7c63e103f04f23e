"""The loop of rounds.

Without training, magnitudes do not move, so that n rounds equal one shot at the last round's target: the masks are
nested and each round is a point of a sweep. Every round is checked: its counts, that its mask lies within the last one,
and what the method promises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray
from topoimp.choices import Method, Scope
from topoimp.errors import VerificationError
from topoimp.forest import Forest, spanning_forest
from topoimp.layers import Layer, Layers
from topoimp.preservation import Preservation, preservation_of, together
from topoimp.pruning import Keep, Rule, keep_by_layer, keep_globally, rule_for
from topoimp.schedule import Schedule


@dataclass(frozen=True)
class LayerRound:
    """One layer after one round.

    Args:
        target: weights it was to keep; None if all layers share one target.
        left: what it keeps.
        floor_binds: whether it is held at its floor.
    """

    target: int | None
    left: Preservation
    floor_binds: bool


@dataclass(frozen=True)
class Round:
    """All selected layers after one round.

    Args:
        number: from 1.
        target: weights to keep in all.
        keeps: by layer name, the rule that gives its mask.
        layers: by layer name, what became of it.
    """

    number: int
    target: int
    keeps: Mapping[str, Keep]
    layers: Mapping[str, LayerRound]

    @property
    def left(self) -> Preservation:
        """What all layers keep together."""
        return together([layer.left for layer in self.layers.values()])

    @property
    def missed(self) -> list[str]:
        """Where more is kept than asked for, as the target is below the floor: layers, or ``all layers together``."""
        if any(layer.target is None for layer in self.layers.values()):
            return ["all layers together"] if self.left.n_kept > self.target else []
        return [name for name, layer in self.layers.items() if layer.floor_binds]


def sweep(layers: Layers, schedule: Schedule, *, method: Method, scope: Scope, seed: int = 0) -> list[Round]:
    """Prune in rounds without training between them; nothing is written.

    Args:
        layers: read one at a time, more than once.
        schedule: targets for every round.
        method: what decides which weights are kept.
        scope: a target per layer, or one for all.
        seed: for the method ``random``.

    Returns:
        the rounds, in order.

    Raises:
        VerificationError: if a round is not what it was meant to be; that is a defect of topoimp.
    """
    rule = rule_for(layers, method, seed)
    forests = {layer.name: spanning_forest(layer) for layer in layers}
    if scope is Scope.GLOBAL:
        n_weights = sum(info.n_weights for info in layers.infos)
        totals = schedule.targets(n_weights=n_weights, n_edges=sum(forest.n_edges for forest in forests.values()))
        keeps = keep_globally(layers, forests, totals, rule)
        by_layer = {
            layer.name: _rounds_of(
                layer, forests[layer.name], [None] * len(totals), [keep[layer.name] for keep in keeps]
            )
            for layer in layers
        }
        rounds = [
            Round(k + 1, totals[k], keeps[k], {name: by_layer[name][k] for name in by_layer})
            for k in range(len(totals))
        ]
    else:
        rounds = _sweep_by_layer(layers, forests, schedule, rule)
    for now in rounds:
        _check_round(now, method)
    return rounds


def _sweep_by_layer(layers: Layers, forests: Mapping[str, Forest], schedule: Schedule, rule: Rule) -> list[Round]:
    targets, keeps, by_layer = {}, {}, {}
    for layer in layers:
        forest = forests[layer.name]
        targets[layer.name] = schedule.targets(n_weights=layer.n_weights, n_edges=forest.n_edges)
        keeps[layer.name] = keep_by_layer(layer, forest, targets[layer.name], rule)
        by_layer[layer.name] = _rounds_of(layer, forest, targets[layer.name], keeps[layer.name])
    return [
        Round(
            number=k + 1,
            target=sum(of_layer[k] for of_layer in targets.values()),
            keeps={name: keeps[name][k] for name in keeps},
            layers={name: by_layer[name][k] for name in by_layer},
        )
        for k in range(schedule.n_rounds)
    ]


def _rounds_of(
    layer: Layer, reference: Forest, targets: Sequence[int | None], keeps: Sequence[Keep]
) -> list[LayerRound]:
    """Hold a layer, in every round, against what it was, and each mask against the one before."""
    rounds: list[LayerRound] = []
    before = layer.edges()
    for target, keep in zip(targets, keeps, strict=True):
        kept = keep.mask(layer)
        _check_nested(layer.name, kept, before)
        left = preservation_of(reference, spanning_forest(layer, kept=kept), kept)
        rounds.append(LayerRound(target, left, _floor_binds(keep, left, target)))
        before = kept
    return rounds


def _floor_binds(keep: Keep, left: Preservation, target: int | None) -> bool:
    if keep.rule.method is not Method.TOPOLOGICAL:
        return False
    return left.n_kept == left.floor > 0 if target is None else target < left.floor


def _check_nested(name: str, kept: BoolArray, before: BoolArray) -> None:
    if np.any(kept & ~before):
        raise VerificationError(f"layer {name!r}: a weight that was pruned came back")


def _check_round(now: Round, method: Method) -> None:
    """Hold a round's counts and barcodes against what was asked for and promised."""
    is_topological = method is Method.TOPOLOGICAL
    for name, layer in now.layers.items():
        if is_topological and not layer.left.barcode_kept:
            raise VerificationError(f"layer {name!r}: its barcode changed in round {now.number}")
        if layer.target is not None:
            wanted = max(layer.target, layer.left.floor) if is_topological else layer.target
            _check_count(f"layer {name!r}", now.number, layer.left.n_kept, wanted)
    if all(layer.target is None for layer in now.layers.values()):
        wanted = max(now.target, now.left.floor) if is_topological else now.target
        _check_count("all layers", now.number, now.left.n_kept, wanted)


def _check_count(what: str, number: int, kept: int, wanted: int) -> None:
    if kept != wanted:
        raise VerificationError(f"{what}: {kept} weights are kept in round {number}; {wanted} were to be")
