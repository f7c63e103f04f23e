"""Rounds of pruning without training between them.

Magnitudes do not move, so that n rounds equal one shot at the last round's target: the masks are
nested and each round is a point of a sweep. What a round keeps of the topology follows from the forest of the input and
the order of the weights, but for the method ``random``, whose forests are found round by round. Whatever is written is
read back and held against this (``verification``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topoimp.choices import Method, Scope
from topoimp.errors import GateError, VerificationError
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import InHand, LayerStream
from topoimp.pruning.options import Scheme
from topoimp.pruning.preservation import Preservation, preservation_by_strength, preservation_of, together
from topoimp.pruning.rules import Keep, Rule, keep_each, pruned_layer, rule_for, with_epsilon
from topoimp.pruning.schedule import Targets
from topoimp.pruning.selection import Ranked
from topoimp.topology.forest import Forest, spanning_forest, spanning_forests


@dataclass(frozen=True)
class LayerRound:
    """One layer after one round.

    Args:
        target: weights it was to keep; None if all layers share one target.
        preservation: what it keeps of the topology.
        n_protected: weights that are kept whatever the target: its floor, or less with an epsilon.
        floor_binds: whether it is held at that number.
    """

    target: int | None
    preservation: Preservation
    n_protected: int
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
    def preservation(self) -> Preservation:
        """What all layers keep together."""
        return together([layer.preservation for layer in self.layers.values()])

    @property
    def n_protected(self) -> int:
        """Weights of all layers that are kept whatever the target."""
        return sum(layer.n_protected for layer in self.layers.values())

    @property
    def missed(self) -> list[str]:
        """Where more is kept than asked for, as the target is below the floor: layers, or ``all layers together``."""
        if any(layer.target is None for layer in self.layers.values()):
            return ["all layers together"] if self.preservation.n_kept > self.target else []
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


def sweep(
    stream: LayerStream,
    scheme: Scheme,
    targets: Targets | None = None,
    *,
    forests: Mapping[str, Forest] | None = None,
) -> Sweep:
    """Prune in rounds without training between them; nothing is written.

    Args:
        stream: the layers.
        scheme: the method, and the targets of all rounds.
        targets: the rounds of the scheme's schedule to prune in; all of them if None.
        forests: by layer name, the maximum spanning forests of the layers; found if None.

    Raises:
        VerificationError: if a round keeps other counts than its targets; that is a defect of topoimp.
    """
    targets = scheme.schedule if targets is None else targets
    rule = rule_for(stream.layers.infos, scheme.method, scheme.seed)
    if scheme.epsilon:
        forests = forests or spanning_forests(stream)
        rule = with_epsilon(rule, scheme.epsilon, forests.values())

    sweep_all = _sweep_globally if scheme.scope is Scope.GLOBAL else _sweep_by_layer
    swept = sweep_all(stream, targets, rule, forests)
    for now in swept.rounds:
        _check_counts(now)
    return swept


@dataclass(frozen=True)
class _LayerSweep:
    forest: Forest
    targets: Sequence[int]
    keeps: Sequence[Keep]
    rounds: Sequence[LayerRound]


def _sweep_by_layer(stream: LayerStream, schedule: Targets, rule: Rule, forests: Mapping[str, Forest] | None) -> Sweep:
    infos = stream.layers.by_name

    def look(layer: Layer, threads: int) -> _LayerSweep:
        forest = spanning_forest(layer, threads=threads) if forests is None else forests[layer.name]
        info, targets = infos[layer.name], schedule.targets_of(infos[layer.name], forest.n_edges)
        kept = keep_each([info], {info.name: forest}, targets, rule, InHand(layer, threads))
        keeps = [keep[info.name] for keep in kept]
        return _LayerSweep(forest, targets, keeps, _rounds_of(layer, forest, targets, keeps, threads))

    swept = stream.each(look)
    rounds = [
        Round(
            number=number,
            target=sum(of_layer.targets[k] for of_layer in swept.values()),
            keeps={name: of_layer.keeps[k] for name, of_layer in swept.items()},
            layers={name: of_layer.rounds[k] for name, of_layer in swept.items()},
        )
        for k, number in enumerate(schedule.numbers)
    ]
    return Sweep(rounds, {name: of_layer.forest for name, of_layer in swept.items()})


def _sweep_globally(stream: LayerStream, schedule: Targets, rule: Rule, known: Mapping[str, Forest] | None) -> Sweep:
    infos = stream.layers.by_name

    def look(layer: Layer, threads: int) -> tuple[Forest, Ranked]:
        forest = spanning_forest(layer, threads=threads) if known is None else known[layer.name]
        ranked = rule.ranked(infos[layer.name], forest)
        ranked.prepare(layer, threads)
        return forest, ranked

    found = stream.each(look)
    forests = {name: forest for name, (forest, _) in found.items()}
    n_edges = {name: forest.n_edges for name, forest in forests.items()}
    totals = schedule.shared_targets(list(infos.values()), n_edges)
    keeps = keep_each(list(infos.values()), forests, totals, rule, stream, [ranked for _, ranked in found.values()])

    def look_again(layer: Layer, threads: int) -> list[LayerRound]:
        of_layer = [keep[layer.name] for keep in keeps]
        return _rounds_of(layer, forests[layer.name], [None] * len(totals), of_layer, threads)

    by_layer = stream.each(look_again)
    rounds = [
        Round(number, totals[k], keeps[k], {name: by_layer[name][k] for name in by_layer})
        for k, number in enumerate(schedule.numbers)
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
        preservation = _preservation_of(layer, reference, keep, threads)
        rounds.append(LayerRound(target, preservation, keep.n_protected, _floor_binds(keep, target)))
    return rounds


def _preservation_of(layer: Layer, reference: Forest, keep: Keep, threads: int) -> Preservation:
    n_weights = layer.n_weights
    if keep.rule.method is not Method.RANDOM:
        n_forest_kept = keep.n_kept_of(reference, layer, threads)
        return preservation_by_strength(reference, n_weights=n_weights, n_kept=keep.n_kept, n_forest_kept=n_forest_kept)
    pruned = pruned_layer(keep, layer, threads)
    n_forest_kept = int(np.count_nonzero(pruned.weights[reference.indices]))
    after = spanning_forest(pruned, threads=threads)
    return preservation_of(reference, after, n_weights=n_weights, n_forest_kept=n_forest_kept)


def refuse_missed_targets(rounds: Sequence[Round], consequence: str) -> None:
    """Make sure that every target can be met.

    Args:
        rounds: the rounds.
        consequence: what is said to follow if one cannot.

    Raises:
        GateError: naming the first round, and what its target is below the floor of.
    """
    for now in rounds:
        if now.missed:
            name = now.missed[0]
            target, floor = now.target, now.n_protected
            if name in now.layers:
                target, floor = now.layers[name].target or 0, now.layers[name].n_protected
            raise GateError(
                f"round {now.number} asks {name} for {target} weights, below its floor of {floor}; {consequence}"
            )


def _floor_binds(keep: Keep, target: int | None) -> bool:
    if target is None:
        return keep.n_kept == keep.n_protected > 0
    return target < keep.n_protected


def _check_counts(now: Round) -> None:
    """Hold a round's counts against what was asked for; no more can be kept than there is."""
    for name, layer in now.layers.items():
        if layer.target is not None:
            wanted = min(max(layer.target, layer.n_protected), layer.preservation.n_edges)
            _check_count(f"layer {name!r}", now.number, layer.preservation.n_kept, wanted)
    if all(layer.target is None for layer in now.layers.values()):
        wanted = min(max(now.target, now.n_protected), now.preservation.n_edges)
        _check_count("all layers", now.number, now.preservation.n_kept, wanted)


def _check_count(what: str, number: int, kept: int, wanted: int) -> None:
    if kept != wanted:
        raise VerificationError(f"{what}: {kept} weights are kept in round {number}; {wanted} were to be")
