"""How many weights to keep after each round, in exact arithmetic: the same counts on every machine.

Targets are computed from the E edges at round 0, never from the last round's count. A *geometric* schedule removes the
same share of the remaining weights in each round: round k keeps round(E (1 - rate)^k), halves up. A *linear* schedule
removes the same number: round k keeps round(E (1 - k rate)), so that the rate is the share of the edges at round 0. A
sparsity counts all weights, stored zeros included: the last round of a schedule with a sparsity keeps
round(N (1 - sparsity)) of N weights. Rounding happens once, so the numbers that linear rounds remove differ by 1 at
most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction

from topoimp.choices import PruningSchedule
from topoimp.errors import OptionError
from topoimp.layers.matching import matches_layer
from topoimp.layers.records import LayerInfo

DEFAULT_RATE = 0.2
MOST_ROUNDS = 1000


@dataclass(frozen=True)
class Schedule:
    """A number of rounds, and a rate, a sparsity to land on, or both.

    Args:
        n_rounds: at least 1.
        rate: share of the remaining weights, or if linear of the edges at round 0, that a round removes; None if the
            sparsity alone decides.
        sparsity: share of all weights that is zero after the last round; None if the rate alone decides.
        layer_rates: patterns of layers with a rate of their own, and the rates; the first that matches counts.
        form: geometric or linear.
        layer_sparsities: patterns of layers that land on a sparsity of their own; the first that matches counts.
    """

    n_rounds: int
    rate: Fraction | None
    sparsity: Fraction | None
    layer_rates: tuple[tuple[str, Fraction], ...] = ()
    form: PruningSchedule = PruningSchedule.GEOMETRIC
    layer_sparsities: tuple[tuple[str, Fraction], ...] = ()

    @property
    def own_patterns(self) -> list[str]:
        """The patterns of layers with a rate or a sparsity of their own."""
        return [pattern for pattern, _ in (*self.layer_rates, *self.layer_sparsities)]

    @property
    def is_linear(self) -> bool:
        """Whether each round removes the same number of weights."""
        return self.form is PruningSchedule.LINEAR

    @property
    def numbers(self) -> range:
        """The rounds, from 1."""
        return range(1, self.n_rounds + 1)

    def targets(self, *, n_weights: int, n_edges: int) -> list[int]:
        """Return the number of weights to keep after each round, from round 1 on; it never rises.

        The counts are of a layer, or of all layers that share a target; edges are its nonzero weights at round 0.
        """
        targets = [self._target(k, n_weights, n_edges) for k in self.numbers]
        if self.sparsity is None:
            return targets
        last = min(n_edges, round_half_up(n_weights * (1 - self.sparsity)))
        return [max(target, last) for target in targets[:-1]] + [last]

    def targets_of(self, info: LayerInfo, n_edges: int) -> list[int]:
        """Return the targets of one layer, where each layer has its own."""
        rate = next((rate for pattern, rate in self.layer_rates if matches_layer(info, pattern)), self.rate)
        own = replace(self, rate=rate)
        sparsity = next((each for pattern, each in self.layer_sparsities if matches_layer(info, pattern)), None)
        if sparsity is not None:
            own = replace(self, rate=None, sparsity=sparsity)
        return own.targets(n_weights=info.n_weights, n_edges=n_edges)

    def shared_targets(self, infos: Sequence[LayerInfo], n_edges: Mapping[str, int]) -> list[int]:
        """Return the targets of all layers together, from the edges by layer name; own rates of layers count."""
        own, others = self.split(infos)
        n_weights = sum(info.n_weights for info in others)
        shared = self.targets(n_weights=n_weights, n_edges=sum(n_edges[info.name] for info in others))
        alone = [self.targets_of(info, n_edges[info.name]) for info in own]
        return [sum(targets) for targets in zip(shared, *alone, strict=True)]

    def split(self, infos: Sequence[LayerInfo]) -> tuple[list[LayerInfo], list[LayerInfo]]:
        """Return the layers with a rate or a sparsity of their own, and the others."""
        own = [info for info in infos if any(matches_layer(info, pattern) for pattern in self.own_patterns)]
        return own, [info for info in infos if info not in own]

    def effective_rate(self) -> float:
        """Return the rate; where a sparsity alone decides, the rate of a layer without stored zeros."""
        if self.rate is not None:
            return float(self.rate)
        if self.is_linear:
            return float((self.sparsity or 0) / Fraction(self.n_rounds))
        density = 1.0 - float(self.sparsity or 0)
        return 1.0 - float(density ** (1 / self.n_rounds))

    def _target(self, k: int, n_weights: int, n_edges: int) -> int:
        last = Fraction(n_weights * (1 - (self.sparsity or 0)))
        if self.is_linear:
            in_all = max(n_edges - last, Fraction(0))
            n_removed = in_all * k / self.n_rounds if self.rate is None else n_edges * k * self.rate
            return round_half_up(n_edges - n_removed)
        if self.rate is not None:
            return count_after(n_edges, 1 - self.rate, k)
        return n_edges if last >= n_edges else round_geometric(n_edges, last, k, self.n_rounds)


ONE_ROUND = Schedule(1, Fraction(0), None)
"""One round that removes nothing by its rate: something else decides how much is kept."""


def check_amounts(*, rounds: int | None, sparsity: float | None, rate: float | None) -> None:
    """Check that each amount that is given lies in its range: rounds in 1 to 1000, the others below 1."""
    if rounds is not None and not 1 <= rounds <= MOST_ROUNDS:
        raise OptionError(f"the number of rounds is {rounds}; it must be at least 1 and at most {MOST_ROUNDS}")
    if sparsity is not None and not 0 < sparsity < 1:
        raise OptionError(f"the sparsity is {sparsity}; it must be above 0 and below 1")
    if rate is not None:
        pruning_rate(rate)


def plan_schedule(
    *,
    rounds: int | None = None,
    sparsity: float | None = None,
    rate: float | None = None,
    form: PruningSchedule = PruningSchedule.GEOMETRIC,
) -> Schedule:
    """Return the schedule that rounds, sparsity and rate describe; any two of them give the third.

    The rate is 0.2 where neither it nor both of the others are given. Rounds, a sparsity or both are needed, all three
    may not contradict each other, and linear rounds without a sparsity must leave some weights.

    >>> plan_schedule(sparsity=0.9).n_rounds
    11
    >>> plan_schedule(rounds=3, sparsity=0.9, form=PruningSchedule.LINEAR).targets(n_weights=1000, n_edges=1000)
    [700, 400, 100]
    """
    if rounds is None and sparsity is None:
        raise OptionError("neither rounds nor a sparsity is given; `rounds`, `sparsity` or both are needed")
    check_amounts(rounds=rounds, sparsity=sparsity, rate=rate)

    # Rounds and a sparsity: each layer goes down to it in steps of equal ratios, or of equal numbers.
    exact_sparsity = None if sparsity is None else Fraction(str(sparsity))
    if rounds is not None and exact_sparsity is not None and rate is None:
        return Schedule(rounds, None, exact_sparsity, form=form)

    # A rate: with rounds it says where they end, with a sparsity how many rounds there are.
    removed = pruning_rate(DEFAULT_RATE if rate is None else rate)
    if exact_sparsity is None:
        schedule = Schedule(rounds or 0, removed, None, form=form)
        check_leaves_weights(schedule, removed)
        return schedule

    needed = _rounds_reaching(exact_sparsity, removed, form)
    if rounds not in (None, needed):
        raise OptionError(
            f"a sparsity of {sparsity} at a rate of {rate} takes {needed} rounds, not {rounds}; leave one out"
        )
    return Schedule(needed, removed, exact_sparsity, form=form)


def check_leaves_weights(schedule: Schedule, rate: Fraction) -> None:
    """Raise an OptionError if linear rounds at a rate remove all weights."""
    if schedule.is_linear and schedule.n_rounds * rate >= 1:
        raise OptionError(
            f"{schedule.n_rounds} linear rounds at a rate of {float(rate)} remove all weights; fewer rounds, a smaller "
            "rate, or a sparsity is needed"
        )


def exact_rate(rate: float | Fraction) -> Fraction:
    """Return a rate, above 0 and below 1, as the fraction that its decimal digits say: 0.2 is 1/5."""
    if not 0 < rate < 1:
        raise OptionError(f"the rate is {rate}; it must be above 0 and below 1")
    return Fraction(str(rate))


def pruning_rate(rate: float | Fraction) -> Fraction:
    """Return the rate of a pruning as an exact fraction; at 0, its rounds remove nothing, and report what is there."""
    if not 0 <= rate < 1:
        raise OptionError(f"the rate is {rate}; it must be at least 0 and below 1")
    return Fraction(str(rate))


def round_half_up(value: Fraction) -> int:
    """Round to the nearest integer, halves up, exactly."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def count_after(n_edges: int, kept: Fraction, rounds: int) -> int:
    """Return round(n_edges * kept^rounds), halves up, exactly; a round keeps a share above 0 and below 1."""
    # A tie needs the denominator of kept^rounds, 2^rounds at least, to divide twice the edges.
    can_tie = rounds <= (2 * n_edges).bit_length()
    digits = 60  # enough for all but the closest cases
    while True:
        with localcontext() as context:
            context.prec = digits
            value = n_edges * (Decimal(kept.numerator) / kept.denominator) ** rounds + Decimal("0.5")
            # Only the side of the nearest integer matters.
            distance = abs(value - value.to_integral_value())
            if distance > Decimal(10) ** (10 - digits) * value * (rounds + 1):
                return int(value)

        # Integers settle a possible tie; without one, more digits decide.
        if can_tie:
            return round_half_up(n_edges * kept**rounds)
        digits *= 2


def rounds_above(n_edges: int, n_needed: int, rate: float | Fraction) -> int | None:
    """Return the largest k with round(n_edges * (1 - rate)^k) >= n_needed, halves rounded up, exactly.

    ``n_needed`` is the floor, or the magnitude-safe count; at 0 there is no largest k, and the result is None.

    >>> rounds_above(1000, 109, 0.2)
    9
    """
    if n_needed == 0:
        return None
    kept = 1 - exact_rate(rate)
    few, many = 0, 1  # few rounds leave enough, many do not
    while count_after(n_edges, kept, many) >= n_needed:
        few = many
        many = 2 * many

    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if count_after(n_edges, kept, middle) >= n_needed else (few, middle)
    return few


def _rounds_reaching(sparsity: Fraction, rate: Fraction, form: PruningSchedule) -> int:
    """Return the number of the first round after which at least ``sparsity`` is removed."""
    n_rounds = 1
    left = 1 - rate
    while left > 1 - sparsity:
        n_rounds = n_rounds + 1
        left = left - rate if form is PruningSchedule.LINEAR else left * (1 - rate)
        if n_rounds > MOST_ROUNDS:
            raise OptionError(f"reaching that sparsity takes more than {MOST_ROUNDS} rounds; a larger rate is needed")
    return n_rounds


def round_geometric(first: int, last: Fraction, k: int, n: int) -> int:
    """Return round(first * (last / first)^(k / n)), halves up, exactly; ``first`` is at least 1, and k from 0 to n."""
    # 2^n times the n-th power of the unrounded value; its n-th root, rounded down, tells the half from the whole.
    power = Fraction(2) ** n * Fraction(first) ** (n - k) * last**k
    return (_root(power.numerator // power.denominator, n) + 1) // 2


def _root(power: int, n: int) -> int:
    """Return the largest integer whose n-th power is at most ``power``."""
    low = 0
    high = 1 << (power.bit_length() // n + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**n <= power else (low, middle)
    return low
