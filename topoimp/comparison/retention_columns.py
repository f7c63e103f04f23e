"""The share of a forest that is kept beside the shares that chance would keep, as columns."""

from collections.abc import Mapping
from math import isfinite

from topoimp.chance.forest_by_chance import ForestByChance
from topoimp.reports.columns import Row


def retention_columns(chance: ForestByChance) -> Row:
    """Return the columns of ``compare`` about chance, as shares of the forest."""
    floor = chance.floor
    observed = chance.observed or 0

    def share(number: float | None) -> float | None:
        return None if number is None or floor == 0 else number / floor

    columns: Row = {
        "retention_guaranteed": share(chance.guaranteed),
        "retention_iid": share(chance.iid),
        "retention_random": share(chance.random),
        "overlap_bound": share(chance.least_expected),
    }
    if chance.null is None:
        return {**columns, "excess": None if chance.iid is None else share(observed - chance.iid)}

    z_score = chance.null.z_score(observed) if floor else None
    return {
        **columns,
        "retention_null": share(chance.null.mean),
        "excess": share(chance.null.excess(observed)),
        "z_score": z_score if z_score is not None and isfinite(z_score) else None,
    }


def retention_reasons(chance: ForestByChance) -> Mapping[str, str]:
    """Return the reason for each of these columns that is undefined."""
    missing = [name for name, value in retention_columns(chance).items() if value is None]
    if chance.floor == 0:
        return dict.fromkeys(missing, "the reference has no edges")
    same = "all shuffles have the same number, and the other has another"
    return {name: same if name == "z_score" else chance.reason or "" for name in missing}
