"""Rounds of pruning without training between them, and single rounds of any method.

Weights do not move between such rounds, so n rounds equal one shot at the last round's target: the masks are nested,
and one sweep over the layers serves all rounds. The topology that a round keeps follows from the forest of the input
and the order of the weights if that is by strength; otherwise forests are found round by round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from topoimp.arrays import BoolArray
from topoimp.choices import Scope
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.layer_rounds import protects_forest
from topoimp.pruning.methods.method import Rule, RuleInputs
from topoimp.pruning.methods.network_method import NetworkMethod
from topoimp.pruning.network_targets import network_target, total_target
from topoimp.pruning.options import Scheme
from topoimp.pruning.round import Round, Sweep, check_counts
from topoimp.pruning.round_looks import (
    ComparedInRounds,
    InRounds,
    KeptInRounds,
    KnownForest,
    OnKept,
    OwnTargets,
    Ranked,
    flags_kept,
    ignore,
)
from topoimp.pruning.rules import keep_each
from topoimp.pruning.selection import Ranking
from topoimp.topology.barcode import largest_strength
from topoimp.topology.forest import Forest, spanning_forests


def sweep(
    stream: LayerStream,
    scheme: Scheme,
    *,
    only: int | None = None,
    n_edges: Mapping[str, int] | None = None,
    forests: Mapping[str, Forest] | None = None,
    on_kept: OnKept = ignore,
) -> Sweep:
    """Prune in rounds without training between them; nothing is written.

    Args:
        stream: the layers.
        scheme: the method, and the targets of all rounds.
        only: number of the one round to do, which methods of whole networks need; all rounds if None.
        n_edges: by layer name, the edges at round 0; those of the layers in the stream if None.
        forests: by layer name, the maximum spanning forests of the layers; found if None.
        on_kept: called with each layer while it is in memory, possibly by several threads at once, and by the workers
            of the stream if it has any.

    Raises:
        VerificationError: if a round keeps other counts than its targets; that is a defect of topoimp.
    """
    if scheme.epsilon and not forests:
        forests = spanning_forests(stream)
    chosen = slice(None) if only is None else slice(only - 1, only)
    if isinstance(scheme.method, NetworkMethod):
        return _sweep_network(stream, scheme, scheme.method, only, n_edges, forests, on_kept)
    forests = forests or {}
    sweep_all = _sweep_by_layer
    if scheme.scope is Scope.GLOBAL:
        sweep_all = _sweep_with_own_amounts if scheme.schedule.own_patterns else _sweep_globally
    swept = sweep_all(stream, scheme, _rule(stream, scheme, forests), chosen, n_edges or {}, forests, on_kept)
    for round_ in swept.rounds:
        check_counts(round_)
    return swept


def _sweep_network(
    stream: LayerStream,
    scheme: Scheme,
    method: NetworkMethod,
    only: int | None,
    n_edges: Mapping[str, int] | None,
    forests: Mapping[str, Forest] | None,
    on_kept: OnKept,
) -> Sweep:
    """Do one round by a method of whole networks, or by the one before it."""
    if only is None:
        raise ValueError("a method of whole networks does one round at a time; all_rounds does them all")
    infos = stream.layers.infos
    forests = forests or spanning_forests(stream)
    n_edges = n_edges or {name: forest.n_edges for name, forest in forests.items()}
    if network_target(scheme, infos, n_edges, only) is None:
        first = replace(scheme, method=method.first)
        swept = sweep(stream, first, only=only, n_edges=n_edges, forests=forests, on_kept=on_kept)
        keeps = swept.rounds[0].keeps

        def kept() -> dict[str, BoolArray]:
            return stream.each_with(flags_kept, keeps)

        if not method.replaces(kept, stream.layers.checkpoint):
            return swept

    target = total_target(scheme, infos, n_edges, only)
    rule = method.rule_for(infos, stream, target)
    swept = _sweep_with_one_target(stream, rule, {only: target}, forests, on_kept)
    check_counts(swept.rounds[0])
    return replace(swept, is_of_network=True)


def _rule(stream: LayerStream, scheme: Scheme, forests: Mapping[str, Forest]) -> Rule:
    """Return the rule of the scheme's method; an epsilon is a share of the largest strength of all forests."""
    protected_above = scheme.epsilon * (largest_strength(forests.values()) or 0.0)
    return scheme.method.rule(RuleInputs(stream.layers.in_reading_order(), stream, scheme.seed, protected_above))


def _sweep_by_layer(
    stream: LayerStream,
    scheme: Scheme,
    rule: Rule,
    chosen: slice,
    n_edges: Mapping[str, int],
    forests: Mapping[str, Forest],
    on_kept: OnKept,
) -> Sweep:
    infos = stream.layers.by_name

    # Shapes split a shared target among the edges of all layers.
    shares: Mapping[str, list[int]] = {}
    if scheme.scope is Scope.ERK:
        forests = forests or spanning_forests(stream)
        n_edges = n_edges or {name: forest.n_edges for name, forest in forests.items()}
        shares = scheme.layer_targets(stream.layers.infos, n_edges)

    # Each layer is read once, for its forest and for all rounds.
    asked = {
        name: OwnTargets(info, forests.get(name), n_edges.get(name), shares.get(name)) for name, info in infos.items()
    }
    swept = stream.each_with(InRounds(scheme, rule, chosen, on_kept), asked)
    rounds = []
    for k, number in enumerate(scheme.schedule.numbers[chosen]):
        keeps = {name: kept[k] for name, (_, kept, _) in swept.items()}
        layers = {name: of_layer[k] for name, (_, _, of_layer) in swept.items()}
        target = sum(layer.target or 0 for layer in layers.values())
        rounds.append(Round(number, target, keeps, layers))
    return Sweep(rounds, {name: forest for name, (forest, _, _) in swept.items()})


def _sweep_globally(
    stream: LayerStream,
    scheme: Scheme,
    rule: Rule,
    chosen: slice,
    n_edges: Mapping[str, int],
    forests: Mapping[str, Forest],
    on_kept: OnKept,
) -> Sweep:
    # One pass over the layers for forests and rankings, and a few for the thresholds of all rounds.
    known = {name: KnownForest(info, forests.get(name)) for name, info in stream.layers.by_name.items()}
    ranked = stream.each_with(Ranked(rule), known)
    forests = {name: forest for name, (forest, _) in ranked.items()}
    n_edges = n_edges or {name: forest.n_edges for name, forest in forests.items()}
    shared = scheme.schedule.shared_targets(stream.layers.infos, n_edges)
    targets = dict(zip(scheme.schedule.numbers[chosen], shared[chosen], strict=True))
    return _sweep_with_one_target(stream, rule, targets, forests, on_kept, [ranking for _, ranking in ranked.values()])


def _sweep_with_own_amounts(
    stream: LayerStream,
    scheme: Scheme,
    rule: Rule,
    chosen: slice,
    n_edges: Mapping[str, int],
    forests: Mapping[str, Forest],
    on_kept: OnKept,
) -> Sweep:
    """Do rounds in which the layers with amounts of their own have targets of their own, and the others share one."""
    own, others = scheme.schedule.split(stream.layers.infos)
    of_own, of_others = (replace(stream, layers=replace(stream.layers, infos=tuple(part))) for part in (own, others))
    alone = replace(scheme, scope=Scope.LAYER)
    together = replace(scheme, schedule=replace(scheme.schedule, layer_rates=(), layer_sparsities=()))

    swept = _sweep_by_layer(of_own, alone, rule, chosen, n_edges, forests, on_kept)
    if not others:
        return swept
    rest = _sweep_globally(of_others, together, rule, chosen, n_edges, forests, on_kept)
    rounds = [one.beside(other, stream.layers.by_name) for one, other in zip(swept.rounds, rest.rounds, strict=True)]
    return Sweep(rounds, {**swept.forests, **rest.forests})


def _sweep_with_one_target(
    stream: LayerStream,
    rule: Rule,
    targets: Mapping[int, int],
    forests: Mapping[str, Forest],
    on_kept: OnKept,
    rankings: Sequence[Ranking] | None = None,
) -> Sweep:
    """Do rounds, by number, in which all layers together have a target."""
    infos = stream.layers.infos
    numbers = list(targets.values())
    keeps = keep_each(infos, forests, numbers, rule, stream, rankings, beside_unprotected=protects_forest(rule))

    kept = {info.name: KeptInRounds(forests[info.name], [keep[info.name] for keep in keeps]) for info in infos}
    by_layer = stream.each_with(ComparedInRounds(on_kept), kept)
    rounds = [
        Round(number, target, keeps[k], {name: by_layer[name][k] for name in by_layer})
        for k, (number, target) in enumerate(targets.items())
    ]
    return Sweep(rounds, forests)
