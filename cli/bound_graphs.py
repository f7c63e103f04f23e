"""Print bounds in the view ``spatial``: graphs of convolutions unrolled over their images."""

from topoimp.choices import View
from topoimp.reports.cells import Row
from topoimp.reports.report import Report

from .checkpoint_tables import show_checkpoints, subject_of
from .evaluation import show_evaluation
from .output import first_names
from .role_tables import By
from .streams import note

_GRAPH = {
    "layer": "layer",
    "input_size": "input",
    "columns": "inputs",
    "rows": "outputs",
    "n_edges": "edges",
    "floor": "floor",
    "edge_compression": "critical compression",
}
_SUMS = {"convolutions": "all convolutions", "dense": "all dense layers", "network": "network"}


def show_graphs(report: Report, by: By) -> None:
    """Print a row for each layer or role, for the sums and for the network; of several checkpoints, the networks."""
    subject = subject_of(report) if report.inputs else report.settings.get("arch", "shapes")
    on_data = f" on {report.settings['data']}" if "data" in report.settings else ""
    convention = report.settings.get("spatial_convention")
    counted = f", convention {convention}" if convention else ""
    title = f"{subject}{on_data}: one filter of each convolution unrolled over its image, edges counted{counted}"
    rows: list[Row] = [
        {
            **row,
            "layer": _SUMS.get(str(row["level"]), row.get("layer")),
            "edge_compression": row["critical_compression"],
        }
        for row in report.rows
    ]
    show_checkpoints(title, _GRAPH, rows, by)
    show_evaluation(report)


def note_graphs(report: Report, *, quiet: bool) -> None:
    """Note the unit of the counts and the shortcuts that they leave out; nothing in other views."""
    if report.settings.get("view") != View.SPATIAL:
        return
    note("the view spatial counts edges, which share a kernel's weights; input is HxW:stride:padding", quiet=quiet)
    shortcuts = [name for name, reason in report.left_out.items() if "shortcut" in reason]
    if shortcuts:
        note(f"not counted: shortcuts {first_names(shortcuts)}; --spatial-convention exact counts them", quiet=quiet)
