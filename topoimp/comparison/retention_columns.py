"""The share of a forest that is kept beside the shares that chance would keep, as columns."""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

from topoimp.chance.forest_by_chance import ForestByChance
from topoimp.chance.holm import holm
from topoimp.chance.null import Null
from topoimp.chance.null_distribution import TAILS
from topoimp.reports.cells import Cell, Row

NEAR_CEILING = 0.99
"""Share of the forest above which a null model leaves next to no room for an excess."""


A_SINGLE_NETWORK = "the initial weights are a single network; its excess over several seeds has an interval"


def retention_columns(chance: ForestByChance, null: Null | None = None) -> Row:
    """Return the columns of ``compare`` about chance, as shares of the forest; with a null, those about it too."""
    columns: Row = {
        "retention_guaranteed": _share(chance, chance.guaranteed),
        "retention_iid": _share(chance, chance.iid),
        "retention_random": _share(chance, chance.random),
        "overlap_bound": _share(chance, chance.least_expected),
    }
    if null is not None:
        return {**columns, **null_columns(chance, null)}
    excess = None if chance.iid is None else (chance.observed or 0) - chance.iid
    return {**columns, "excess": _share(chance, excess)}


def null_columns(chance: ForestByChance, null: Null) -> Row:
    """Return the columns that compare a retention with a null model.

    ``p_holm`` is corrected for a single test, until ``with_holm`` corrects it for the rows of a report.
    """
    distribution = chance.nulls[null]
    observed = chance.observed or 0
    is_tested = chance.floor > 0 and null.has_deviation and (chance.is_strongest or not null.is_of_strongest)
    z_score = distribution.z_score(observed) if is_tested else None
    p_value = distribution.p_value(observed) if is_tested else None

    lowest, highest = distribution.central or (None, None)
    is_flat = distribution.standard_deviation == 0 or distribution.mean > NEAR_CEILING * chance.floor
    return {
        "null": str(null),
        "retention_null": _share(chance, distribution.mean),
        "excess": _share(chance, distribution.excess(observed)),
        "excess_low": None if highest is None else _share(chance, observed - highest),
        "excess_high": None if lowest is None else _share(chance, observed - lowest),
        "z_score": z_score if z_score is not None and isfinite(z_score) else None,
        "p_value": p_value,
        "p_holm": p_value,
        "uninformative": is_flat if chance.floor else None,
    }


def retention_reasons(chance: ForestByChance, null: Null | None = None) -> Mapping[str, str]:
    """Return the reason for each of these columns that is undefined."""
    missing = [name for name, value in retention_columns(chance, null).items() if value is None]
    if chance.floor == 0:
        return dict.fromkeys(missing, "the reference has no edges")

    reasons = dict.fromkeys(missing, chance.reason or "")
    if null is not None:
        reasons["z_score"] = "the null always keeps the same number, and the other keeps another"
        reasons |= dict.fromkeys(("excess_low", "excess_high"), f"fewer than {TAILS - 1} simulations")
        if not chance.is_strongest and null.is_of_strongest:
            reason = "the other does not keep the strongest weights of the reference"
            reasons |= dict.fromkeys(("z_score", "p_value", "p_holm"), reason)
        if not null.has_deviation:
            reasons |= dict.fromkeys(("excess_low", "excess_high", "z_score", "p_value", "p_holm"), A_SINGLE_NETWORK)
    return {name: reasons[name] for name in missing}


def with_holm(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a report with ``p_holm`` corrected for all rows of a family that have a p-value.

    A family are all rows of one level and null model; of rounds, those of one pruning of one seed.
    """
    families: dict[tuple[Cell, Cell, Path | None], list[int]] = {}
    for place, row in enumerate(rows):
        if row.get("p_value") is not None:
            pruning = None if row.get("round") is None else Path(str(row["other"])).parent
            families.setdefault((row["level"], row["null"], pruning), []).append(place)

    corrected = [*rows]
    for places in families.values():
        p_values = [float(rows[place]["p_value"] or 0) for place in places]
        for place, p_holm in zip(places, holm(p_values), strict=True):
            corrected[place] = {**rows[place], "p_holm": p_holm}
    return corrected


def _share(chance: ForestByChance, number: float | None) -> float | None:
    return None if number is None or chance.floor == 0 else number / chance.floor
