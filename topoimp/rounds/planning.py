"""What the user asks of a pruning with training, and the plan that it comes to; the rest is as the recipe says."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from topoimp.architectures import parse_architecture
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import Method, Scope, chosen
from topoimp.errors import OptionError
from topoimp.kernels.threads import available_threads, thread_count
from topoimp.layers.catalogue import LayerPatterns
from topoimp.layers.tensors import is_meant, select_layers
from topoimp.pruning.rules import check_epsilon
from topoimp.pruning.schedule import DEFAULT_RATE, plan_schedule, with_layer_rates
from topoimp.reports.rows import pattern_settings
from topoimp.rounds.loop import Plan
from topoimp.training.recipes import Recipe

HALF, SAME = "half", "same"
"""Words for the rate of the output layer."""


@dataclass(frozen=True)
class RoundOptions:
    """What the user asks of a pruning with training; None where the recipe, or the usual, is meant.

    Args:
        n_rounds: at least 1; follows from the other two if None.
        sparsity: share of all selected weights that is to be zero in the end.
        rate: share of the remaining weights that one round removes.
        method: what decides which weights are kept.
        epsilon: share of the largest strength before each round up to which deaths are not protected.
        scope: a target per layer, or one for all.
        layer_rates: by pattern, rates of layers that have their own.
        output_rate: of the output layer: ``half`` the rate, the ``same``, or a number.
        output_layer: which layer that is; the recipe's network has one.
        rewind: ``init``, ``step:K`` or ``none``: what each round's training starts from.
        rewind_from: the same, as a checkpoint.
        patterns: which layers are pruned.
        strict: stop where a target is below a floor.
        force: begin anew where rounds are there already.
        threads: how many cores pruning uses; no result depends on it.
        jobs: how many seeds are at work at the same time.
    """

    n_rounds: int | None = None
    sparsity: float | None = None
    rate: float | None = None
    method: Method | str = Method.TOPOLOGICAL
    epsilon: float = 0.0
    scope: Scope | str | None = None
    layer_rates: Mapping[str, float] | None = None
    output_rate: float | str | None = None
    output_layer: str | None = None
    rewind: str | None = None
    rewind_from: Path | None = None
    patterns: LayerPatterns | None = None
    strict: bool = False
    force: bool = False
    threads: int | None = None
    jobs: int | None = None


def plan_of(options: RoundOptions, trained: Path, recipe: Recipe | None, *, jobs: int) -> Plan:
    """Give what all rounds share.

    Args:
        options: what the user asks.
        trained: an unpruned network; those of other seeds have the same layers.
        recipe: of its run folder, if it lies in one.
        jobs: how many seeds are at work at the same time.

    Raises:
        OptionError: if an option is out of range, or contradicts another.
    """
    method, usual = chosen(Method, options.method), None if recipe is None else recipe.pruning
    check_epsilon(options.epsilon, method)
    patterns = options.patterns or LayerPatterns()
    patterns.need_matrix_view("pruning is of weights, and needs")
    scope = chosen(Scope, options.scope or (usual.scope if usual else Scope.LAYER))
    rate = options.rate
    if usual is not None and rate is None and (options.n_rounds is None or options.sparsity is None):
        rate = usual.rate
    if usual is not None and not patterns.include:
        patterns = replace(patterns, exclude=(*patterns.exclude, *usual.exclude))
    schedule = plan_schedule(n_rounds=options.n_rounds, sparsity=options.sparsity, rate=rate)
    infos = select_layers(open_checkpoint(trained), patterns).infos
    rates = dict(options.layer_rates or {})
    if usual is not None and not rates and scope is Scope.LAYER and schedule.sparsity is None:
        factor = 1.0 if rate is None or rate == usual.rate else rate / usual.rate
        rates = {
            pattern: own * factor
            for pattern, own in usual.layer_rates.items()
            if any(is_meant(info, pattern) for info in infos)
        }
    output_layer = options.output_layer or (None if recipe is None else parse_architecture(recipe.model).output_layer)
    if options.output_layer is not None and options.output_rate is None:
        raise OptionError("`output_layer` goes with `output_rate`, the rate of that layer")
    if options.output_rate is not None:
        if output_layer is None:
            raise OptionError("the output layer is not known; `output_layer` must name it")
        rates = output_rates(rates, output_layer, options.output_rate, DEFAULT_RATE if rate is None else rate)
    schedule = with_layer_rates(schedule, rates, infos, scope)
    threads = options.threads or max(1, available_threads() // jobs)
    return Plan(schedule, method, scope, options.epsilon, patterns, thread_count(threads), strict=options.strict)


def output_rates(rates: Mapping[str, float], layer: str, output_rate: float | str, rate: float) -> dict[str, float]:
    """Give rates of layers in which the output layer has its own.

    Args:
        rates: of other layers.
        layer: the output layer's name.
        output_rate: ``half`` the rate, the ``same``, or a number.
        rate: of all layers.
    """
    others = {pattern: own for pattern, own in rates.items() if pattern != layer}
    if output_rate == SAME:
        return others
    return {layer: rate / 2 if output_rate == HALF else float(output_rate), **others}


def checked_jobs(options: RoundOptions) -> int:
    """Give how many seeds are at work at the same time, one if that is left open.

    Raises:
        OptionError: if it is below 1.
    """
    if options.jobs is not None and options.jobs < 1:
        raise OptionError(f"the number of jobs is {options.jobs}; it must be at least 1")
    return options.jobs or 1


def check_rewinding(options: RoundOptions) -> None:
    """Make sure that one thing is said about what training starts from.

    Raises:
        OptionError: if there are two.
    """
    if options.rewind_from is not None and options.rewind is not None:
        raise OptionError(f"`rewind` is {options.rewind}, and `rewind_from` names weights; give only one of them")


def rewind_step(options: RoundOptions, recipe: Recipe) -> int | None:
    """Give the step of the recipe to rewind to; None if training goes on, or starts from another checkpoint."""
    check_rewinding(options)
    if options.rewind_from is not None or options.rewind == "none":
        return None
    if options.rewind is None:
        return recipe.rewind_at
    if options.rewind == "init":
        return 0
    kind, _, step = options.rewind.partition(":")
    if kind != "step" or not step.isdecimal() or len(step) > 9:
        raise OptionError(
            f"`rewind` is {options.rewind!r}; it must be init, none, or a step of training as in step:500"
        )
    return int(step)


def rewind_words(options: RoundOptions, step: int | None) -> str:
    """Give what says where training starts from, in every round."""
    if options.rewind_from is not None:
        return f"sha256:{sha256_of(options.rewind_from)}"
    return "none" if step is None else f"step:{step}"


def settings_of(options: RoundOptions, plan: Plan) -> dict[str, object]:
    """Give what decides the rounds: their number only where the targets depend on it, so that more can be added."""
    schedule = plan.schedule
    rates = [f"{pattern}={float(rate)!r}" for pattern, rate in schedule.layer_rates]  # in order: the first that fits
    settings: dict[str, object] = {
        "method": plan.method.value,
        "epsilon": plan.epsilon,
        "scope": plan.scope.value,
        **{name: value for name, value in pattern_settings(plan.patterns).items() if name != "view"},
    }
    if schedule.rate is not None:
        settings["rate"] = float(schedule.rate)
    if options.sparsity is not None:
        settings |= {"sparsity": options.sparsity, "rounds": schedule.n_rounds}
    return {**settings, **({"layer_rates": rates} if rates else {})}


def sha256_of(path: Path) -> str:
    """Give a checksum of the files of a checkpoint."""
    digest = hashlib.sha256()
    for file in open_checkpoint(path).found.weights:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
