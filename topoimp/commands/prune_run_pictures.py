"""The figures of ``prune`` with training between the rounds, of all rounds in the run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.checkpoint import AnyPath, Staging
from topoimp.choices import PictureSize
from topoimp.commands.pages import Page, PictureFiles
from topoimp.commands.pictures import Figures, Picture, WholeFigure
from topoimp.errors import OutputError
from topoimp.reports.cells import Row
from topoimp.reports.report import Report
from topoimp.rounds.table import read_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class RunResults:
    """The rounds in a run folder, of all prunings: the rows of summary.csv, rounds.csv and paired.csv."""

    summary: Sequence[Row]
    rounds: Sequence[Row]
    paired: Sequence[Row]


def _lottery_ticket(results: RunResults, size: PictureSize) -> "Figure":
    from topoimp import plots

    return plots.lottery_ticket(results.summary, size=size)


def _floors(results: RunResults, size: PictureSize) -> "Figure":
    from topoimp import plots

    return plots.floors_of_prunings(results.rounds, size=size)


def _gains(results: RunResults, size: PictureSize) -> "Figure":
    from topoimp import plots

    return plots.accuracy_gains(results.paired, size=size)


FIGURES: Figures[RunResults] = MappingProxyType(
    {
        "lottery-ticket": WholeFigure(
            "test accuracy, components and retention against density, of all prunings of a run folder", _lottery_ticket
        ),
        "floors": WholeFigure(
            "weights that each layer keeps in each round, as a multiple of its floor, of all prunings", _floors
        ),
        "gains": WholeFigure(
            "test accuracy of each pruning of a run folder less that of magnitude, seed by seed, against density",
            _gains,
        ),
    }
)


def files_of_rounds(
    plot: AnyPath | None,
    figure: str | None,
    size: PictureSize | str | None,
    report: AnyPath | None,
    *,
    force: bool,
) -> PictureFiles[RunResults]:
    """Return the requested picture and page of the rounds in a run folder, before rounds are done.

    Raises:
        OutputError: if a file exists; ``force`` would replace it, and begin the rounds anew.
    """
    files = PictureFiles(Picture(FIGURES, plot, figure, size), Page(FIGURES, report))
    for role, path in files.by_role.items():
        if path.exists() and not force:
            raise OutputError(f"{path}: exists already; `{role}` needs another name, as `force` begins the rounds anew")
    return files


def write_files_of_rounds(
    files: PictureFiles[RunResults], run: Path, report: Report, provenance: Mapping[str, str], *, force: bool
) -> Report:
    """Write the requested files about the finished rounds in a run folder; return the report with them.

    The page has the rows of summary.csv and paired.csv about the network, and ``provenance``.
    """
    if not files.by_role:
        return report
    with Staging(list(files.by_role.values()), force=force) as staging:
        found = read_tables(run)
        tables = {"summary": found.summary, "paired": found.paired}
        of_network = {name: [row for row in rows if row["level"] == "network"] for name, rows in tables.items()}
        results = RunResults(found.summary, found.rounds, found.paired)
        report = files.write(staging, report, results, tables=of_network, provenance=provenance)
        staging.commit()
    return report
