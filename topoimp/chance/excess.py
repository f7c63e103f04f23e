"""What another checkpoint has of a reference's forest, beside what chance alone would have of it.

What is counted is always the same: edges of the reference's forest that are present in the other. k is the number of
edges that the other has, but no more than the reference has. Four numbers stand beside what is observed:

- *guaranteed*: the fewest that the k strongest weights of any layer of that size have.
- *iid*: what the k strongest have on average if strengths are independent and alike.
- *random*: what k random edges have on average.
- *null*: what the k strongest have if the reference is shuffled, as often as asked for.

If the other is the reference pruned by magnitude, what is observed is the rank of its k strongest weights: the same
number as in iid and null, so that excess and z-score say how far the places of the strong weights are from chance. Of
any other mask, and of weights that were trained further, it is not a rank. Iid and null then still say what magnitude
pruning would keep of a layer without structure, and the excess says how much more the other has; but the z-score only
puts a scale on that, and is no test of how the mask was chosen. A method that keeps the forest has all of it by
construction. A mask chosen by chance has what *random* says.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from topoimp.chance.nulls import (
    FEW_ZEROS,
    LEAST_SIDE,
    expected_forest_edges_iid,
    expected_forest_edges_random,
    guaranteed_forest_edges,
)
from topoimp.chance.shuffling import live_shape
from topoimp.chance.simulation import NullDistribution, added_up, shuffled_forest_edges
from topoimp.checkpoint.number_format import NumberFormat
from topoimp.choices import Shuffle, chosen
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.reports.columns import Row
from topoimp.topology.forest import Forest

MANY_TIES = 0.5
"""Edges as strong as the weakest that is kept, as a share of what is kept, from which on their order shows.

Up to there the closed form was off by less than 1 % of the forest (normal weights in 2 to 256 equal steps, 40 x 40 to
512 x 2048, densities of 0.5 to 50 %); beyond, by up to 19 %.
"""

FEWEST = 2
"""One shuffle alone has no standard deviation."""


@dataclass(frozen=True)
class Null:
    """How a reference is shuffled.

    Args:
        n_shuffles: at least 2.
        shuffle: what is shuffled.
    """

    n_shuffles: int
    shuffle: Shuffle = Shuffle.EDGES

    def __str__(self) -> str:
        return f"shuffle:{self.n_shuffles}:{self.shuffle}"

    def simulated(self, reference: Layer, forest: Forest, n_kept: int, seed: int) -> NullDistribution:
        """Give how many forest edges the so many strongest weights of the shuffled reference have."""
        return shuffled_forest_edges(
            reference, n_kept, forest=forest, shuffle=self.shuffle, n_simulations=self.n_shuffles, seed=seed
        )


def parse_null(text: str) -> Null:
    """Read how a reference is shuffled: ``shuffle:N``, or ``shuffle:N:WHAT``.

    Raises:
        OptionError: if it is not written so, or N is below 2.

    >>> parse_null("shuffle:20:rows")
    Null(n_shuffles=20, shuffle=<Shuffle.ROWS: 'rows'>)
    """
    found = re.fullmatch(r"shuffle:([0-9]{1,9})(?::(.+))?", text, re.ASCII)
    if found is None:
        raise OptionError(f"the null is {text!r}; it must be shuffle:N or shuffle:N:WHAT, as in 'shuffle:20:rows'")
    n_shuffles, what = int(found[1]), chosen(Shuffle, found[2] or Shuffle.EDGES)
    if n_shuffles < FEWEST:
        raise OptionError(f"the null is {text!r}; it needs {FEWEST} shuffles or more")
    return Null(n_shuffles, what)


@dataclass(frozen=True)
class ByChance:
    """What chance alone would have of a forest, or of several together.

    Args:
        floor: edges of the reference's forest.
        observed: how many of them the other has.
        guaranteed: the fewest that as many strongest weights have.
        iid: what they have on average if strengths are independent and alike; None where no closed form holds.
        random: what as many random edges have on average.
        null: what they have in shuffled references; None if none was asked for.
        reason: why ``iid`` is None.
    """

    floor: int
    observed: int
    guaranteed: int
    iid: float | None
    random: float
    null: NullDistribution | None = None
    reason: str | None = None

    def columns(self) -> Row:
        """Give the columns of a report: shares of the forest."""
        share = {
            "retention_guaranteed": self._share(self.guaranteed),
            "retention_iid": self._share(self.iid),
            "retention_random": self._share(self.random),
        }
        if self.null is None:
            return {**share, "excess": None if self.iid is None else self._share(self.observed - self.iid)}
        z_score = self.null.z_score(self.observed) if self.floor else None
        return {
            **share,
            "retention_null": self._share(self.null.mean),
            "excess": self._share(self.null.excess(self.observed)),
            "z_score": z_score if z_score is not None and isfinite(z_score) else None,
        }

    def reasons(self) -> Mapping[str, str]:
        """Say of each column why it is undefined, where it is."""
        missing = [name for name, value in self.columns().items() if value is None]
        if self.floor == 0:
            return dict.fromkeys(missing, "the reference has no edges")
        same = "all shuffles have the same number, and the other has another"
        return {name: same if name == "z_score" else self.reason or "" for name in missing}

    def _share(self, n: float | None) -> float | None:
        return None if n is None or self.floor == 0 else n / self.floor


def by_chance(
    forest: Forest,
    number_format: NumberFormat,
    *,
    n_kept: int,
    observed: int,
    tied_share: float = 0.0,
    null: NullDistribution | None = None,
) -> ByChance:
    """Give what chance alone would have of a layer's forest.

    The closed form of independent strengths is for layers without zeros but in dead rows and columns, one weight in a
    thousand excepted, and without a side shorter than 9; and not for formats of 8 bits, nor where weights of a wider
    one take a few values only, as signs or dequantised weights do: so many strengths are equal then that the order of
    equal ones shows (``MANY_TIES``). In bfloat16 it shows by less than a hundredth of the forest (normal weights, 40 x
    40 to 512 x 2048). Shuffles keep the rule for equal strengths.

    Args:
        forest: the maximum spanning forest of the reference's layer.
        number_format: of its weights.
        n_kept: edges that the other has.
        observed: how many edges of the forest it has.
        tied_share: edges as strong as the weakest of the n_kept strongest, as a share of these.
        null: what shuffles gave, if there were any.
    """
    n_kept = min(n_kept, forest.n_edges)
    n_rows, n_columns = live_shape(forest)
    reason, iid = None, None
    if number_format.n_bits == 8:
        reason = "too many strengths of 8 bits are equal; shuffles tell"
    elif forest.n_edges < (1 - FEW_ZEROS) * n_rows * n_columns:
        reason = "the reference has zeros in rows and columns that are not dead; shuffles tell"
    elif min(n_rows, n_columns) >= LEAST_SIDE and tied_share > MANY_TIES:
        reason = "too many strengths are equal; shuffles tell"
    elif n_rows:
        iid = expected_forest_edges_iid(n_rows, n_columns, n_kept)
        reason = "a side is too short for a closed form; shuffles tell" if iid is None else None
        iid = None if iid is None else min(iid, len(forest.indices))  # a few zeros can leave a component more
    return ByChance(
        floor=len(forest.indices),
        observed=observed,
        guaranteed=guaranteed_forest_edges(n_rows, n_columns, n_kept) if n_kept else 0,
        iid=iid,
        random=expected_forest_edges_random(forest.n_edges, len(forest.indices), n_kept).mean,
        null=null,
        reason=reason,
    )


def together_by_chance(parts: Sequence[ByChance]) -> ByChance:
    """Give the same of several layers together: a number that one of them lacks is lacking."""
    iid = [part.iid if part.floor else 0.0 for part in parts]
    numbers = [number for number in iid if number is not None]
    nulls = [part.null for part in parts if part.null is not None]
    return ByChance(
        floor=sum(part.floor for part in parts),
        observed=sum(part.observed for part in parts),
        guaranteed=sum(part.guaranteed for part in parts),
        iid=sum(numbers) if len(numbers) == len(iid) else None,
        random=sum(part.random for part in parts),
        null=added_up(nulls) if nulls else None,
        reason=next((part.reason for part in parts if part.floor and part.reason), None),
    )
