"""The loop of rounds.

Without training, magnitudes do not move, so that n rounds equal one shot at the last round's target: the masks are
nested and each round is a point of a sweep. What a round keeps of the topology follows from the forest of the input and
the order of the weights, but for the method ``random``, whose forests are found round by round. Whatever is written is
read back and held against this (``verification``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topoimp.choices import Method, Scope
from topoimp.errors import VerificationError
from topoimp.forest import Forest, spanning_forest
from topoimp.layers import Layer
from topoimp.preservation import Preservation, preservation_by_strength, preservation_of, together
from topoimp.pruning import Keep, Rule, keep_each, pruned_layer, rule_for
from topoimp.schedule import Schedule
from topoimp.selection import Ranked
from topoimp.streaming import InHand, LayerStream


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


@dataclass(frozen=True)
class Sweep:
    """All rounds of a pruning without training.

    Args:
        rounds: in order.
        forests: by layer name, the maximum spanning forests of the input.
    """

    rounds: Sequence[Round]
    forests: Mapping[str, Forest]


def sweep(stream: LayerStream, schedule: Schedule, *, method: Method, scope: Scope, seed: int = 0) -> Sweep:
    """Prune in rounds without training between them; nothing is written.

    Args:
        stream: the layers.
        schedule: targets for every round.
        method: what decides which weights are kept.
        scope: a target per layer, or one for all.
        seed: for the method ``random``.

    Raises:
        VerificationError: if a round is not what it was meant to be; that is a defect of topoimp.
    """
    rule = rule_for(stream.layers.infos, method, seed)
    swept = (
        _sweep_globally(stream, schedule, rule) if scope is Scope.GLOBAL else _sweep_by_layer(stream, schedule, rule)
    )
    for now in swept.rounds:
        _check_counts(now, method)
    return swept


@dataclass(frozen=True)
class _LayerSweep:
    forest: Forest
    targets: Sequence[int]
    keeps: Sequence[Keep]
    rounds: Sequence[LayerRound]


def _sweep_by_layer(stream: LayerStream, schedule: Schedule, rule: Rule) -> Sweep:
    infos = {info.name: info for info in stream.layers.infos}

    def look(layer: Layer, threads: int) -> _LayerSweep:
        forest = spanning_forest(layer, threads=threads)
        info, targets = infos[layer.name], schedule.targets(n_weights=layer.n_weights, n_edges=forest.n_edges)
        kept = keep_each([info], {info.name: forest}, targets, rule, InHand(layer, threads))
        keeps = [keep[info.name] for keep in kept]
        return _LayerSweep(forest, targets, keeps, _rounds_of(layer, forest, targets, keeps, threads))

    swept = dict(zip(infos, stream.each(look), strict=True))
    rounds = [
        Round(
            number=k + 1,
            target=sum(of_layer.targets[k] for of_layer in swept.values()),
            keeps={name: of_layer.keeps[k] for name, of_layer in swept.items()},
            layers={name: of_layer.rounds[k] for name, of_layer in swept.items()},
        )
        for k in range(schedule.n_rounds)
    ]
    return Sweep(rounds, {name: of_layer.forest for name, of_layer in swept.items()})


def _sweep_globally(stream: LayerStream, schedule: Schedule, rule: Rule) -> Sweep:
    infos = {info.name: info for info in stream.layers.infos}

    def look(layer: Layer, threads: int) -> tuple[Forest, Ranked]:
        forest = spanning_forest(layer, threads=threads)
        ranked = rule.ranked(infos[layer.name], forest)
        ranked.prepare(layer, threads)
        return forest, ranked

    found = stream.each(look)
    forests = {name: forest for name, (forest, _) in zip(infos, found, strict=True)}
    totals = schedule.targets(
        n_weights=sum(info.n_weights for info in infos.values()),
        n_edges=sum(forest.n_edges for forest in forests.values()),
    )
    keeps = keep_each(list(infos.values()), forests, totals, rule, stream, [ranked for _, ranked in found])

    def look_again(layer: Layer, threads: int) -> list[LayerRound]:
        of_layer = [keep[layer.name] for keep in keeps]
        return _rounds_of(layer, forests[layer.name], [None] * len(totals), of_layer, threads)

    by_layer = dict(zip(infos, stream.each(look_again), strict=True))
    rounds = [
        Round(k + 1, totals[k], keeps[k], {name: by_layer[name][k] for name in by_layer}) for k in range(len(totals))
    ]
    return Sweep(rounds, forests)


def _rounds_of(
    layer: Layer, reference: Forest, targets: Sequence[int | None], keeps: Sequence[Keep], threads: int
) -> list[LayerRound]:
    """Hold a layer, in every round, against what it was, and each count against the one before."""
    rounds: list[LayerRound] = []
    before = layer.n_weights
    for target, keep in zip(targets, keeps, strict=True):
        if keep.n_kept > before:
            raise VerificationError(f"layer {layer.name!r}: a weight that was pruned came back")
        before = keep.n_kept
        left = _left_of(layer, reference, keep, threads)
        rounds.append(LayerRound(target, left, _floor_binds(keep, left, target)))
    return rounds


def _left_of(layer: Layer, reference: Forest, keep: Keep, threads: int) -> Preservation:
    n_weights = layer.n_weights
    if keep.rule.method is not Method.RANDOM:
        n_forest_kept = keep.n_kept_of(reference, layer, threads)
        return preservation_by_strength(reference, n_weights=n_weights, n_kept=keep.n_kept, n_forest_kept=n_forest_kept)
    pruned = pruned_layer(keep, layer, threads)
    n_forest_kept = int(np.count_nonzero(pruned.weights[reference.indices]))
    left = spanning_forest(pruned, threads=threads)
    return preservation_of(reference, left, n_weights=n_weights, n_forest_kept=n_forest_kept)


def _floor_binds(keep: Keep, left: Preservation, target: int | None) -> bool:
    if keep.rule.method is not Method.TOPOLOGICAL:
        return False
    return left.n_kept == left.floor > 0 if target is None else target < left.floor


def _check_counts(now: Round, method: Method) -> None:
    """Hold a round's counts against what was asked for."""
    is_topological = method is Method.TOPOLOGICAL
    for name, layer in now.layers.items():
        if layer.target is not None:
            wanted = max(layer.target, layer.left.floor) if is_topological else layer.target
            _check_count(f"layer {name!r}", now.number, layer.left.n_kept, wanted)
    if all(layer.target is None for layer in now.layers.values()):
        wanted = max(now.target, now.left.floor) if is_topological else now.target
        _check_count("all layers", now.number, now.left.n_kept, wanted)


def _check_count(what: str, number: int, kept: int, wanted: int) -> None:
    if kept != wanted:
        raise VerificationError(f"{what}: {kept} weights are kept in round {number}; {wanted} were to be")
