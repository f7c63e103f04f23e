"""The picture that a command draws on request: the figures that it has, and the file that one of them goes to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from topoimp.checkpoint import AnyPath, Staging
from topoimp.choices import PictureSize, chosen
from topoimp.errors import OptionError
from topoimp.reports.cells import Row
from topoimp.reports.columns import COLUMNS
from topoimp.reports.rows import Settings
from topoimp.reports.worst import is_numeric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Results = TypeVar("Results")
"""What a command found, and its figures are drawn from."""

MOST_PANELS = 24
"""Panels of a figure with a panel for each layer; of more layers there is the overview."""

OVERVIEW = "overview"
"""The name of the figure of many layers."""


def _nothing(_results: object) -> str | None:
    return None


@dataclass(frozen=True)
class LayerFigure(Generic[Results]):
    """A figure with a panel for each layer, or other graph.

    Args:
        meaning: what it shows, in one line.
        names: the names of the panels.
        panel: draws the panel of a name.
        lacking: what results lack for it, such as "seeds: `seeds`", with the argument that gives it; None if nothing.
        below: draws a second panel under the first, with the same horizontal axis; None for no such panel.
    """

    meaning: str
    names: Callable[[Results], Sequence[str]]
    panel: Callable[[Results, str, "Axes"], object]
    lacking: Callable[[Results], str | None] = _nothing
    below: Callable[[Results, str, "Axes"], object] | None = None

    def draw(self, results: Results, size: PictureSize) -> "Figure":
        """Return the figure, with at most 24 panels."""
        from topoimp.plots import small_multiples

        def drawing(panel: Callable[[Results, str, "Axes"], object]) -> Callable[[str, "Axes"], object]:
            return lambda name, ax: panel(results, name, ax)

        names = self.names(results)[:MOST_PANELS]
        below = None if self.below is None else drawing(self.below)
        return small_multiples(names, drawing(self.panel), size, below=below)

    def too_many(self, results: Results) -> str | None:
        """Return the limit that the figure needs if it would have more than 24 panels; None otherwise."""
        n = len(self.names(results))
        return f"{MOST_PANELS} panels or fewer, and there are {n:,}: `include`" if n > MOST_PANELS else None


@dataclass(frozen=True)
class WholeFigure(Generic[Results]):
    """A figure about all layers together.

    Args:
        meaning: what it shows, in one line.
        draw: returns the figure.
        lacking: as in ``LayerFigure``.
    """

    meaning: str
    draw: Callable[[Results, PictureSize], "Figure"]
    lacking: Callable[[Results], str | None] = _nothing

    def too_many(self, _results: Results) -> str | None:
        """Return nothing: all layers are in one drawing."""
        return None


@dataclass(frozen=True)
class OverviewFigure(Generic[Results]):
    """One column of all layers as colours, block by role, with the worst layers by name.

    Args:
        meaning: what it shows, in one line.
        rows: the rows of the layers.
        column: the column of the report.
    """

    meaning: str
    rows: Callable[[Results], Sequence[Row]]
    column: str

    def of_column(self, column: str) -> "OverviewFigure[Results]":
        """Return the figure of another column.

        Raises:
            OptionError: if no report has a column of numbers of that name.
        """
        if is_numeric(column):
            return replace(self, column=column)
        near = get_close_matches(column, [name for name in COLUMNS if is_numeric(name)], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "docs/reports.md lists the columns"
        raise OptionError(f"there is no column of numbers {column!r}; {hint}")

    def lacking(self, results: Results) -> str | None:
        """Return what the figure needs if its column is blank in the report; None otherwise, and without rows."""
        rows = self.rows(results)
        if not rows or any(row.get(self.column) is not None for row in rows):
            return None
        known = [name for name in COLUMNS if is_numeric(name) and any(row.get(name) is not None for row in rows)]
        return f"a column with numbers, and {self.column} is blank here; there are {', '.join(known)}"

    def draw(self, results: Results, size: PictureSize) -> "Figure":
        """Return the figure."""
        from topoimp import plots

        return plots.overview(self.rows(results), self.column, size=size)

    def too_many(self, _results: Results) -> str | None:
        """Return nothing: all layers are in one drawing."""
        return None


Figures = Mapping[str, LayerFigure[Results] | WholeFigure[Results] | OverviewFigure[Results]]
"""The figures of a command, by name; the first is the one that it draws if none is named."""


@dataclass(frozen=True)
class Picture(Generic[Results]):
    """The requested picture: none without ``plot``; checked when it is made.

    Args:
        figures: the figures of the command.
        plot: an .svg, .pdf or .png file; None for no picture.
        figure: name of the figure, or ``overview:COLUMN`` for the overview of another column; the first if None.
        size: width in a paper; a column if None.

    Raises:
        OptionError: if the file has another ending, the command has no such figure or column, or there are settings
            and no file.
        OutputError: if matplotlib is not installed.
    """

    figures: Figures[Results]
    plot: AnyPath | None = None
    figure: str | None = None
    size: PictureSize | str | None = None

    def __post_init__(self) -> None:
        for name, value in (("figure", self.figure), ("size", self.size)):
            if self.plot is None and value is not None:
                raise OptionError(f"`{name}` needs `plot`")
        if self._parts[0] not in self.figures:
            raise OptionError(f"there is no figure {self.figure!r} here; there are {', '.join(self.figures)}")
        _ = self._drawn  # checks the column
        if self.plot is not None:
            chosen(PictureSize, self.width)
            from topoimp.plots.canvas import ENDINGS

            if Path(self.plot).suffix not in ENDINGS:
                raise OptionError(
                    f"`plot` is {self.plot}; its name must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
                )

    @property
    def name(self) -> str:
        """The name of the figure, with the column of an overview if one was requested."""
        return self.figure or next(iter(self.figures))

    @property
    def _parts(self) -> tuple[str, str]:
        """The name of the figure, and the requested column of an overview; one may be empty."""
        name, _, column = self.name.partition(":")
        return (name, column) if isinstance(self.figures.get(name), OverviewFigure) else (self.name, "")

    @property
    def _drawn(self) -> LayerFigure[Results] | WholeFigure[Results] | OverviewFigure[Results]:
        """The figure, of the requested column."""
        name, column = self._parts
        figure = self.figures[name]
        return figure.of_column(column) if column and isinstance(figure, OverviewFigure) else figure

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the figures that are drawn."""
        return frozenset() if self.plot is None else frozenset({self._parts[0]})

    @property
    def width(self) -> PictureSize:
        """The width of the figure."""
        return PictureSize.COLUMN if self.size is None else chosen(PictureSize, self.size)

    def by_role(self) -> dict[str, Path]:
        """Return the requested path, by argument name."""
        return {} if self.plot is None else {"plot": Path(self.plot)}

    def settings(self) -> Settings:
        """Return the settings of the requested picture."""
        return {} if self.plot is None else {"figure": self.name, "size": self.width}

    def check(self, results: Results) -> None:
        """Check that the results, of which only the options may be known yet, lack nothing that the figure shows.

        Raises:
            OptionError: if they do.
        """
        lacking = None if self.plot is None else self._drawn.lacking(results)
        if lacking is not None:
            raise OptionError(f"the figure {self.name!r} needs {lacking}")

    def write(self, staging: Staging, results: Results) -> Sequence[str]:
        """Draw and write the requested picture under a temporary name; return sentences about it.

        Of more than 24 panels the overview is drawn in their place, which a sentence says.

        Raises:
            OptionError: if the results lack what the figure shows.
        """
        if self.plot is None:
            return []
        from topoimp.plots import save

        self.check(results)
        path = Path(self.plot)
        figure, too_many = self._drawn, self._drawn.too_many(results)
        if too_many is not None and OVERVIEW not in self.figures:
            raise OptionError(f"the figure {self.name!r} needs {too_many}")
        drawn = figure if too_many is None else self.figures[OVERVIEW]
        save(drawn.draw(results, self.width), staging.partial(path), ending=path.suffix)
        return [] if too_many is None else [f"the picture is the overview: the figure {self.name} needs {too_many}"]
