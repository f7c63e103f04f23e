"""Print bounds: the floors, how far magnitude may go, and the retention at densities."""

from topoimp.reports.cells import Row
from topoimp.reports.report import Report

from .checkpoint_tables import show_checkpoints, subject_of
from .evaluation import show_evaluation
from .output import for_people, in_view, show_finding, show_table
from .role_tables import By, by_subject

_FLOORS = {
    "layer": "layer",
    "size": "size",
    "floor": "floor",
    "critical_compression": "critical compression",
    "rounds_to_floor": "rounds above floor",
}
_SAFETY = {
    "tau": "tau",
    "certificate_tight": "certificate tight",
    "safe_count": "safe count",
    "safe_sparsity": "safe sparsity",
    "safe_rounds": "safe rounds",
    "binding_vertex": "binding vertex",
}
_DISPENSABLE = (
    *("binding_vertex", "certificate_tight", "rounds_to_floor", "size", "tau", "safe_count", "floor"),
    *("critical_compression", "n_layers"),
)
"""Columns that a table of roles can do without, in the order in which they go."""
_KEPT = {
    "layer": "layer",
    "density": "density",
    "n_kept": "kept",
    "floor": "floor",
    "forest_guaranteed": "guaranteed",
    "forest_random": "random",
    "forest_iid": "iid",
    "forest_kept": "observed",
    "retention": "observed share",
    "overlap_bound": "overlap bound",
    "random_connected": "random connected",
}
_OF_NULL = {
    "layer": "layer",
    "density": "density",
    "null": "null model",
    "n_kept": "kept",
    "floor": "floor",
    "retention": "observed share",
    "retention_null": "null",
    "excess": "excess",
    "excess_low": "from",
    "excess_high": "to",
    "z_score": "z-score",
    "p_value": "p-value",
    "p_holm": "p Holm",
}


def show_floors(report: Report, by: By) -> None:
    """Print a row for each shape or role and for the network."""
    title = f"{report.settings.get('arch', 'shapes')}, all weights non-zero; rounds at rate {report.settings['rate']}"
    _show(report, title, _FLOORS, by)


def show_bounds(report: Report, by: By) -> None:
    """Print a row for each layer or role and for the network; of several checkpoints, the networks."""
    title = (
        f"{subject_of(report)}: floor of any method, safe for magnitude; rounds at {report.settings['rate']}"
        f"{in_view(report)}"
    )
    _show(report, title, {**_FLOORS, **_SAFETY}, by)
    for network in report.rounds:
        if network["safe_count_row"]:
            show_finding(_row_line(network))
        show_finding(_global_line(network))


def _show(report: Report, title: str, columns: dict[str, str], by: By) -> None:
    bounds: list[Row] = [row for row in report.rows if row["level"] != "density"]
    show_checkpoints(title, columns, for_people(bounds), by, dispensable=_DISPENSABLE)
    if report.densities:
        by_density = report.settings.get("null") is None
        kept = {
            name: header
            for name, header in (_KEPT if by_density else _OF_NULL).items()
            if any(row[name] is not None for row in report.densities)
        }
        if "checkpoint" in report.network:
            kept = {"checkpoint": "checkpoint", **kept}
        subject = "forest edges among the strongest weights" + ("" if by_density else ", beside null models")
        show_table(subject, *by_subject(kept, report.densities, by))
    show_evaluation(report)


def _row_line(network: Row) -> str:
    subject = f"{network['checkpoint']}: " if "checkpoint" in network else ""
    return (
        f"{subject}pruned by magnitude with as many weights for each output (scope row), all barcodes are kept down to "
        f"{network['safe_count_row']:,} weights (sparsity {network['safe_sparsity_row']:.4%}) and for "
        f"{_rounds(network['safe_rounds_row'])}"
    )


def _global_line(network: Row) -> str:
    subject = f"{network['checkpoint']}: " if "checkpoint" in network else ""
    if network["binding_layer"] is None:
        return f"{subject}no layer has an edge"
    return (
        f"{subject}pruned by magnitude with one global order, all barcodes are kept down to "
        f"{network['safe_count_global']:,} weights "
        f"(sparsity {network['safe_sparsity_global']:.4%} of the selected layers, "
        f"{network['safe_sparsity_checkpoint']:.4%} of the checkpoint) and for "
        f"{_rounds(network['safe_rounds_global'])}; {network['binding_layer']} binds"
    )


def _rounds(number: object) -> str:
    return "1 round" if number == 1 else f"{number} rounds"
