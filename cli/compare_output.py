"""Print comparisons: what others keep of a reference, beside chance, of each layer, each other or over the seeds."""

from collections.abc import Sequence

from topoimp.choices import NeuralPersistence, RoundReference
from topoimp.reports.evaluation_columns import EVALUATED
from topoimp.reports.report import Report

from .evaluation import show_evaluation
from .output import ON_NO_PATH, densities, for_people, in_view, known, show_finding, show_table
from .role_tables import By, by_subject


def show_comparison(report: Report, np_convention: NeuralPersistence | None, by: By) -> None:
    """Print eleven columns at most, as far as they fit, by layer or role; of several others only networks."""
    others = [name for name in report.inputs if name != "reference"]
    is_one = "other" not in report.network
    first = {"layer": "layer"} if is_one else {"other": "other"}
    if isinstance(report.settings["null"], list):
        first["null"] = "null model"
    subject = str(report.inputs[others[0]]) if is_one else _counted(report, others)
    rest = "all columns: --format csv" if is_one else "all columns, and the layers: --format csv"
    rows = for_people(report.rows) if is_one else report.rounds
    persistences = _persistences(np_convention or NeuralPersistence.RIECK)
    if np_convention is None and report.settings["null"] is not None:
        persistences = {}  # the columns of the null model take their place
    chance = _BY_CHANCE if report.settings["null"] is None else _OF_NULL
    kept = {name: header for name, header in known(_KEPT, rows).items() if not is_one or name != "checkpoint_density"}
    dispensable = [["checkpoint_density"], list(persistences), ["bottleneck"], ["excess"], list(ON_NO_PATH)]
    if by is By.ROLE:  # ranges are wide
        dispensable += [[column] for column in ("density", "beta0_kept", "beta0", "barcode_kept", "n_layers")]
    show_table(
        f"{subject} against {_reference_of(report)}{in_view(report)} ({rest})",
        *by_subject({**first, **kept, **chance, **persistences}, rows, by),
        dispensable=dispensable,
    )
    show_evaluation(report)
    for finding in densities(report.network) if is_one else []:
        show_finding(finding)


def show_over_seeds(report: Report) -> None:
    """Print the mean retention and its excess over chance, of each round of the network and of each pair."""
    quantities = ("retention", "retention_iid" if report.settings["null"] is None else "retention_null", "excess")
    runs = ", ".join(str(path) for name, path in report.inputs.items() if name != "reference")
    show_table(
        f"{runs} over the seeds, against {_reference_of(report)}{in_view(report)} (all quantities: --format csv)",
        {name: header for name, header in _OVER_SEEDS.items() if name != "null" or name in report.network},
        [row for row in report.rounds if row["quantity"] in quantities or str(row["quantity"]).startswith(EVALUATED)],
        dispensable=[["minimum", "maximum"]],
    )


_OVER_SEEDS = {
    "pruning": "pruning",
    "baseline": "less",
    "round": "round",
    "null": "null model",
    "quantity": "quantity",
    "n_seeds": "seeds",
    "mean": "mean",
    "mean_low": "95 % from",
    "mean_high": "to",
    "minimum": "minimum",
    "maximum": "maximum",
}
_KEPT = {
    "density": "density",
    "checkpoint_density": "of checkpoint",
    **ON_NO_PATH,
    "beta0": "beta0",
    "beta0_kept": "beta0 kept",
    "barcode_kept": "barcode kept",
    "retention": "retention",
}
_BY_CHANCE = {"retention_iid": "by chance", "bottleneck": "bottleneck"}
_OF_NULL = {"retention_null": "null", "excess": "excess", "z_score": "z-score", "p_value": "p-value"}


def _persistences(np_convention: NeuralPersistence) -> dict[str, str]:
    """Return the columns of the neural persistence in the table, before and after."""
    column = f"np_{np_convention.replace('-', '_')}"
    return {f"{column}_reference": f"np {np_convention} before", column: "after"}


def _counted(report: Report, others: Sequence[str]) -> str:
    """Return the number of others, and their folder if all are rounds of one."""
    noun = "rounds" if "round" in report.network else "others"
    n_nulls = len({row.get("null") for row in report.rounds})
    n_compared = len(report.rounds) // n_nulls
    return f"{n_compared} {noun}" + (f" of {report.inputs[others[0]]}" if len(others) == 1 else "")


def _reference_of(report: Report) -> str:
    """Return the reference for the title: a path, or what each round is compared with."""
    if "reference" in report.inputs:
        return str(report.inputs["reference"])
    return "their own round 0" if report.settings["reference"] == RoundReference.ROUND_0 else "the round before"
