"""Rates and sparsities of single layers, by pattern or, of sparsities, in a table such as ``bound`` prints."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from topoimp.choices import Scope
from topoimp.errors import OptionError
from topoimp.layers.matching import as_meant, matches_layer
from topoimp.layers.records import LayerInfo
from topoimp.pruning.schedule import Schedule, check_leaves_weights, pruning_rate

LayerSparsities: TypeAlias = Mapping[str, float] | PathLike[str] | str
"""Sparsities by pattern of layers, or a CSV file with them."""

COLUMNS = ("sparsity", "safe_sparsity")
"""The columns of a file that may hold them; the first one that it has counts."""


def layer_sparsities(given: LayerSparsities) -> dict[str, float]:
    """Return sparsities by pattern of layers, from 0 to 1, in the order in which they are given.

    A CSV file has a column ``layer``, and ``sparsity`` or else ``safe_sparsity``, as the report of ``bound`` has.
    Its rows of a network, in the column ``level``, and rows without a sparsity count for nothing.

    Raises:
        OptionError: if a file cannot be read so, names a layer twice, or a sparsity is out of range.

    >>> layer_sparsities({"conv*": 0.5})
    {'conv*': 0.5}
    """
    pairs = given.items() if isinstance(given, Mapping) else _pairs_in(Path(given))
    found: dict[str, float] = {}
    for pattern, value in pairs:
        sparsity = _number(value)
        if sparsity is None or not 0 <= sparsity <= 1:
            raise OptionError(f"the sparsity of {pattern} is {value}; it must be at least 0 and at most 1")
        if pattern in found:
            raise OptionError(f"`layer_sparsity` names {pattern} twice; each layer has one sparsity")
        found[pattern] = sparsity
    return found


def with_layer_rates(
    schedule: Schedule, layer_rates: Mapping[str, float], infos: Sequence[LayerInfo], scope: Scope
) -> Schedule:
    """Return a schedule in which some layers have rates of their own, by pattern; the first that matches counts.

    In the scope ``global`` these layers have targets of their own, and the others share one.

    Source: Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019, section 2: half the rate for the output layer.
    """
    if not layer_rates:
        return schedule
    if scope is Scope.ERK:
        raise OptionError("in the scope erk shapes decide; rates of layers need the scope layer, row or global")
    if schedule.sparsity is not None:
        raise OptionError("a sparsity already fixes the density of every layer; rates of layers go with rounds alone")

    meant = patterns_as_meant(layer_rates, infos)
    rates = tuple((meant[pattern], pruning_rate(rate)) for pattern, rate in layer_rates.items())
    for _, rate in rates:
        check_leaves_weights(schedule, rate)
    return replace(schedule, layer_rates=rates)


def with_layer_sparsities(
    schedule: Schedule, layer_sparsities: Mapping[str, float], infos: Sequence[LayerInfo], scope: Scope
) -> Schedule:
    """Return a schedule in which some layers land on a sparsity of their own; the first pattern that matches counts.

    In the scope ``global`` these layers have targets of their own, and the others share one.
    """
    if layer_sparsities and scope is Scope.ERK:
        raise OptionError("in the scope erk shapes decide; sparsities of layers need the scope layer, row or global")
    meant = patterns_as_meant(layer_sparsities, infos)
    exact = tuple((meant[pattern], Fraction(str(sparsity))) for pattern, sparsity in layer_sparsities.items())
    return replace(schedule, layer_sparsities=exact)


def patterns_as_meant(patterns: Iterable[str], infos: Sequence[LayerInfo]) -> dict[str, str]:
    """Return how patterns of layers are read; raise an OptionError for one that matches none of them."""
    meant = {pattern: as_meant(pattern, infos) for pattern in patterns}
    for pattern, as_read in meant.items():
        if not any(matches_layer(info, as_read) for info in infos):
            names = ", ".join(info.name for info in infos[-3:])
            raise OptionError(f"pattern {pattern!r} matches no layer that is pruned; the last of them are {names}")
    return meant


def _pairs_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the layers of a CSV file with their sparsities."""
    needed = f"needed is a CSV file with the columns layer and {' or '.join(COLUMNS)}"
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{path}: cannot be read as a table; {needed}") from error

    columns = list(rows[0]) if rows else []
    column = next((name for name in COLUMNS if name in columns), None)
    if column is None or "layer" not in columns:
        shown = ", ".join(map(str, columns)) or "no rows"
        raise OptionError(f"{path}: has {shown if len(shown) < 100 else 'other columns'}; {needed}")
    for row in rows:
        if row.get("level", "layer") == "layer" and row[column]:
            yield row["layer"], row[column]


def _number(value: float | str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
