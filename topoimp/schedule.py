"""How many weights are to be kept after each round.

Targets are always computed from the E edges at round 0, never from the last round's count: round k keeps
round(E (1 - rate)^k), halves up. A sparsity, on the other hand, speaks of all weights, stored zeros included: the last
round of a schedule with a sparsity keeps round(N (1 - sparsity)) of N weights.
"""

from dataclasses import dataclass
from fractions import Fraction

from topoimp.bounds import count_after, exact_rate, round_half_up
from topoimp.errors import OptionError

DEFAULT_RATE = 0.2
MOST_ROUNDS = 1000


@dataclass(frozen=True)
class Schedule:
    """A number of rounds, and a rate, a sparsity to land on, or both.

    Args:
        n_rounds: at least 1.
        rate: share of the remaining weights that a round removes; None if the sparsity alone decides.
        sparsity: share of all weights that is to be zero after the last round; None if the rate alone decides.
    """

    n_rounds: int
    rate: Fraction | None
    sparsity: Fraction | None

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


def plan_schedule(*, n_rounds: int | None, sparsity: float | None, rate: float | None) -> Schedule:
    """Give the schedule that rounds, sparsity and rate describe; any two of them give the third.

    Args:
        n_rounds: at least 1.
        sparsity: above 0 and below 1.
        rate: above 0 and below 1; 0.2 where neither it nor both of the others are given.

    Raises:
        OptionError: if neither rounds nor sparsity is given, a value is out of range, or all three contradict each
        other.

    >>> plan_schedule(n_rounds=None, sparsity=0.9, rate=None).n_rounds
    11
    """
    if n_rounds is None and sparsity is None:
        raise OptionError("neither rounds nor a sparsity is given; --rounds N, --sparsity S or both are needed")
    if n_rounds is not None and not 1 <= n_rounds <= MOST_ROUNDS:
        raise OptionError(f"the number of rounds is {n_rounds}; it must be at least 1 and at most {MOST_ROUNDS}")
    if sparsity is not None and not 0 < sparsity < 1:
        raise OptionError(f"the sparsity is {sparsity}; it must be above 0 and below 1")
    exact_sparsity = None if sparsity is None else Fraction(str(sparsity))
    if n_rounds is not None and exact_sparsity is not None and rate is None:
        return Schedule(n_rounds, None, exact_sparsity)
    kept = 1 - exact_rate(DEFAULT_RATE if rate is None else rate)
    if exact_sparsity is None:
        return Schedule(n_rounds or 0, 1 - kept, None)
    needed = _rounds_reaching(1 - exact_sparsity, kept)
    if n_rounds not in (None, needed):
        raise OptionError(
            f"a sparsity of {sparsity} at a rate of {rate} takes {needed} rounds, not {n_rounds}; leave one out"
        )
    return Schedule(needed, 1 - kept, exact_sparsity)


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
