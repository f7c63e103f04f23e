"""How many weights are to be kept after each round.

Targets are always computed from the E edges at round 0, never from the last round's count: round k keeps
round(E (1 - rate)^k), halves up. A sparsity, on the other hand, speaks of all weights, stored zeros included: the last
round of a schedule with a sparsity keeps round(N (1 - sparsity)) of N weights. Layers may have rates of their own, as
the output layer has in the literature of lottery tickets: half the rate of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from topoimp.choices import Scope
from topoimp.errors import OptionError
from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.tensors import matches_layer
from topoimp.pruning.bounds import count_after, exact_rate, round_half_up

DEFAULT_RATE = 0.2
MOST_ROUNDS = 1000


@dataclass(frozen=True)
class Schedule:
    """A number of rounds, and a rate, a sparsity to land on, or both.

    Args:
        n_rounds: at least 1.
        rate: share of the remaining weights that a round removes; None if the sparsity alone decides.
        sparsity: share of all weights that is to be zero after the last round; None if the rate alone decides.
        layer_rates: patterns of layers with a rate of their own, and the rates; the first that matches counts.
    """

    n_rounds: int
    rate: Fraction | None
    sparsity: Fraction | None
    layer_rates: tuple[tuple[str, Fraction], ...] = ()

    def of_layer(self, info: LayerInfo) -> "Schedule":
        """Give the schedule of one layer, where each has targets of its own."""
        own = next((rate for pattern, rate in self.layer_rates if matches_layer(info, pattern)), self.rate)
        return replace(self, rate=own, layer_rates=())

    def targets(self, *, n_weights: int, n_edges: int) -> list[int]:
        """Give how many weights to keep after each round, from round 1 on; never more than the last round kept.

        Args:
            n_weights: weights of the layer, or of all layers if they share a target.
            n_edges: those of them that are not zero at round 0.
        """
        targets = [self._target(k, n_weights, n_edges) for k in range(1, self.n_rounds + 1)]
        if self.sparsity is None:
            return targets
        last = min(n_edges, round_half_up(n_weights * (1 - self.sparsity)))
        return [max(target, last) for target in targets[:-1]] + [last]

    @property
    def numbers(self) -> range:
        """The rounds, from 1."""
        return range(1, self.n_rounds + 1)

    def targets_of(self, info: LayerInfo, n_edges: int) -> list[int]:
        """Give the targets of one layer, where each has its own."""
        return self.of_layer(info).targets(n_weights=info.n_weights, n_edges=n_edges)

    def shared_targets(self, infos: Sequence[LayerInfo], n_edges: Mapping[str, int]) -> list[int]:
        """Give the targets of all layers together, where they share one."""
        n_weights = sum(info.n_weights for info in infos)
        return self.targets(n_weights=n_weights, n_edges=sum(n_edges[info.name] for info in infos))

    def effective_rate(self) -> float:
        """Give the rate; where a sparsity alone decides, that of a layer without stored zeros."""
        if self.rate is not None:
            return float(self.rate)
        density = 1.0 - float(self.sparsity or 0)
        return 1.0 - float(density ** (1 / self.n_rounds))

    def _target(self, k: int, n_weights: int, n_edges: int) -> int:
        if self.rate is not None:
            return count_after(n_edges, 1 - self.rate, k)
        wanted = n_weights * (1 - (self.sparsity or 0))
        return n_edges if wanted >= n_edges else round_geometric(n_edges, Fraction(wanted), k, self.n_rounds)


@dataclass(frozen=True)
class OneRound:
    """One round of a schedule, whose targets go by the edges that there were at round 0.

    Args:
        schedule: the schedule.
        number: of the round, from 1.
        edges: by layer name, the edges at round 0.
    """

    schedule: Schedule
    number: int
    edges: Mapping[str, int]

    @property
    def numbers(self) -> range:
        """The round."""
        return range(self.number, self.number + 1)

    def targets_of(self, info: LayerInfo, n_edges: int) -> list[int]:  # noqa: ARG002  # of a protocol
        """Give the target of one layer, whatever edges it has by now."""
        return [self.schedule.targets_of(info, self.edges[info.name])[self.number - 1]]

    def shared_targets(
        self,
        infos: Sequence[LayerInfo],
        n_edges: Mapping[str, int],  # noqa: ARG002  # of a protocol
    ) -> list[int]:
        """Give the target of all layers together, whatever edges they have by now."""
        return [self.schedule.shared_targets(infos, self.edges)[self.number - 1]]


class Targets(Protocol):
    """How many weights to keep in some rounds: a ``Schedule``, or ``OneRound`` of one."""

    @property
    def numbers(self) -> range:
        """The rounds."""

    def targets_of(self, info: LayerInfo, n_edges: int) -> list[int]:
        """Give the targets of one layer with so many edges, where each has its own."""

    def shared_targets(self, infos: Sequence[LayerInfo], n_edges: Mapping[str, int]) -> list[int]:
        """Give the targets of all layers together, where they share one."""


def check_amounts(*, rounds: int | None, sparsity: float | None, rate: float | None) -> None:
    """Check that each amount that is given lies in its range.

    Raises:
        OptionError: if rounds are below 1 or above 1000, or a sparsity or rate is not above 0 and below 1.
    """
    if rounds is not None and not 1 <= rounds <= MOST_ROUNDS:
        raise OptionError(f"the number of rounds is {rounds}; it must be at least 1 and at most {MOST_ROUNDS}")
    if sparsity is not None and not 0 < sparsity < 1:
        raise OptionError(f"the sparsity is {sparsity}; it must be above 0 and below 1")
    if rate is not None:
        exact_rate(rate)


def plan_schedule(*, rounds: int | None = None, sparsity: float | None = None, rate: float | None = None) -> Schedule:
    """Return the schedule that rounds, sparsity and rate describe; any two of them give the third.

    The rate is 0.2 where neither it nor both of the others are given.

    Raises:
        OptionError: if neither rounds nor sparsity is given, a value is out of range, or all three contradict
            each other.

    >>> plan_schedule(sparsity=0.9).n_rounds
    11
    """
    if rounds is None and sparsity is None:
        raise OptionError("neither rounds nor a sparsity is given; `rounds`, `sparsity` or both are needed")
    check_amounts(rounds=rounds, sparsity=sparsity, rate=rate)

    exact_sparsity = None if sparsity is None else Fraction(str(sparsity))
    if rounds is not None and exact_sparsity is not None and rate is None:
        return Schedule(rounds, None, exact_sparsity)

    removed = exact_rate(DEFAULT_RATE if rate is None else rate)
    if exact_sparsity is None:
        return Schedule(rounds or 0, removed, None)

    needed = _rounds_reaching(1 - exact_sparsity, 1 - removed)
    if rounds not in (None, needed):
        raise OptionError(
            f"a sparsity of {sparsity} at a rate of {rate} takes {needed} rounds, not {rounds}; leave one out"
        )
    return Schedule(needed, removed, exact_sparsity)


def with_layer_rates(
    schedule: Schedule, layer_rates: Mapping[str, float], infos: Sequence[LayerInfo], scope: Scope
) -> Schedule:
    """Give a schedule in which some layers have rates of their own.

    Args:
        schedule: that of the other layers.
        layer_rates: by pattern, as in ``LayerPatterns``; the first that matches a layer counts.
        infos: the layers.
        scope: rates of layers need targets of layers.

    Raises:
        OptionError: if a rate is out of range, a pattern matches no layer, all layers share one target, or the
            sparsity says how many weights are left.

    Source: Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019, section 2: half the rate for the output layer.
    """
    if not layer_rates:
        return schedule
    if scope is Scope.GLOBAL:
        raise OptionError(
            "the scope is global, where all layers share one target; their own rates need the scope layer"
        )
    if schedule.sparsity is not None:
        raise OptionError("a sparsity says what is left of every layer; rates of layers go with rounds alone")
    for pattern in layer_rates:
        if not any(matches_layer(info, pattern) for info in infos):
            names = ", ".join(info.name for info in infos[-3:])
            raise OptionError(f"pattern {pattern!r} matches no layer that is pruned; the last of them are {names}")
    return replace(schedule, layer_rates=tuple((pattern, exact_rate(rate)) for pattern, rate in layer_rates.items()))


def _rounds_reaching(density: Fraction, kept: Fraction) -> int:
    """Give the first round after which at most ``density`` is left."""
    n_rounds, left = 1, kept
    while left > density:
        n_rounds, left = n_rounds + 1, left * kept
        if n_rounds > MOST_ROUNDS:
            raise OptionError(f"reaching that sparsity takes more than {MOST_ROUNDS} rounds; a larger rate is needed")
    return n_rounds


def round_geometric(first: int, last: Fraction, k: int, n: int) -> int:
    """Give round(first * (last / first)^(k / n)), halves up, with integers: the same on every machine.

    Args:
        first: at least 1.
        last: at least 0.
        k: from 0 to n.
        n: at least 1.
    """
    # 2^n times the n-th power of what is to be rounded; its n-th root, rounded down, tells the half from the whole.
    power = Fraction(2) ** n * Fraction(first) ** (n - k) * last**k
    return (_root(power.numerator // power.denominator, n) + 1) // 2


def _root(power: int, n: int) -> int:
    """Give the largest integer whose n-th power is at most ``power``."""
    low, high = 0, 1 << (power.bit_length() // n + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**n <= power else (low, middle)
    return low
