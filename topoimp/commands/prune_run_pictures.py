"""The figures of ``prune`` with training between the rounds, of all rounds in the run folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.checkpoint import Staging
from topoimp.choices import PictureSize
from topoimp.commands.pictures import Figures, Picture, WholeFigure
from topoimp.errors import OutputError
from topoimp.reports.cells import Row
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


def check_new(picture: Picture[RunResults], *, force: bool) -> None:
    """Raise an OutputError if the requested picture exists, before rounds are done; ``force`` would begin them anew."""
    for path in picture.by_role().values():
        if path.exists() and not force:
            raise OutputError(f"{path}: exists already; `plot` needs another name, as `force` begins the rounds anew")


def draw_rounds(picture: Picture[RunResults], run: Path, *, force: bool) -> Sequence[str]:
    """Draw the requested picture of the finished rounds in a run folder; return sentences about it."""
    outputs = list(picture.by_role().values())
    if not outputs:
        return []
    with Staging(outputs, force=force) as staging:
        tables = read_tables(run)
        notes = picture.write(staging, RunResults(tables.summary, tables.rounds))
        staging.commit()
    return notes
