"""The figures of ``prune`` with training between the rounds, of all rounds in the run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.checkpoint import Staging
from topoimp.choices import PictureSize
from topoimp.commands.pages import Page
from topoimp.commands.pictures import Figures, Picture, WholeFigure
from topoimp.errors import OutputError
from topoimp.reports.cells import Row
from topoimp.reports.report import Report
from topoimp.rounds.table import read_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class RunResults:
    """The rounds in a run folder, of all prunings: the rows of summary.csv and of rounds.csv."""

    summary: Sequence[Row]
    rounds: Sequence[Row]


def _lottery_ticket(results: RunResults, size: PictureSize) -> "Figure":
    from topoimp import plots

    return plots.lottery_ticket(results.summary, size=size)


def _floors(results: RunResults, size: PictureSize) -> "Figure":
    from topoimp import plots

    return plots.floors_of_prunings(results.rounds, size=size)


FIGURES: Figures[RunResults] = MappingProxyType(
    {
        "lottery-ticket": WholeFigure(
            "test accuracy, components and retention against density, of all prunings of a run folder", _lottery_ticket
        ),
        "floors": WholeFigure(
            "weights that each layer keeps in each round, as a multiple of its floor, of all prunings", _floors
        ),
    }
)


@dataclass(frozen=True)
class RoundFiles:
    """The requested picture and page of the rounds in a run folder, which are written once the rounds are done."""

    picture: Picture[RunResults]
    page: Page[RunResults]

    @property
    def by_role(self) -> dict[str, Path]:
        """The requested paths, by argument name."""
        return {**self.picture.by_role(), **self.page.by_role()}

    def check_new(self, *, force: bool) -> None:
        """Raise an OutputError if a requested file exists, before rounds are done; ``force`` would begin them anew."""
        for role, path in self.by_role.items():
            if path.exists() and not force:
                needed = f"`{role}` needs another name, as `force` begins the rounds anew"
                raise OutputError(f"{path}: exists already; {needed}")

    def write(self, run: Path, report: Report, provenance: Mapping[str, str], *, force: bool) -> Report:
        """Write the requested files about the finished rounds in a run folder; return the report with them.

        The page has the rows of summary.csv and paired.csv about the network, and ``provenance``.
        """
        if not self.by_role:
            return report
        with Staging(list(self.by_role.values()), force=force) as staging:
            found = read_tables(run)
            results = RunResults(found.summary, found.rounds)
            notes = [*report.notes, *self.picture.write(staging, results)]
            settings = {**report.settings, **self.picture.settings()}
            outputs = {**report.outputs, **self.by_role}
            report = replace(report, settings=settings, outputs=outputs, notes=notes)

            tables = {"summary": found.summary, "paired": found.paired}
            of_network = {name: [row for row in rows if row["level"] == "network"] for name, rows in tables.items()}
            self.page.write(staging, report, results, tables=of_network, provenance=provenance)
            staging.commit()
        return report
