"""Print tables about one checkpoint, or about several: of these one row for each network."""

from collections.abc import Mapping, Sequence

from topoimp.reports.cells import Row
from topoimp.reports.report import Report

from .output import show_table
from .role_tables import By, by_subject


def subject_of(report: Report) -> str:
    """Return the path of the checkpoint, or the number of several and the formats with their layers, for a title."""
    if "checkpoint" in report.inputs:
        return str(report.inputs["checkpoint"])
    n_used = len(report.inputs)  # others could not be read
    return f"{n_used} checkpoint{'s' if n_used != 1 else ''} (all columns, and the layers: --format csv)"


def show_checkpoints(
    title: str,
    columns: Mapping[str, str],
    rows: Sequence[Row],
    by: By = By.LAYER,
    *,
    dispensable: Sequence[str] = (),
) -> None:
    """Print the rows of one checkpoint, by layer or by role.

    Of several checkpoints these are the network rows, without columns that are blank in all of them. A table of roles
    leaves out the dispensable columns, in their order, until it fits the terminal.
    """
    if any("checkpoint" in row for row in rows):
        rows = [row for row in rows if row["level"] == "network"]
        own = {name: header for name, header in columns.items() if name != "layer"}
        columns = {
            "checkpoint": "checkpoint",
            **{name: header for name, header in own.items() if any(row.get(name) is not None for row in rows)},
        }
    if by is By.LAYER:
        show_table(title, columns, rows)
        return
    show_table(
        f"{title} (all columns: --format csv)",
        *by_subject(columns, rows, by),
        dispensable=[[column] for column in dispensable],
    )
