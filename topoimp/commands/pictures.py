"""The picture that a command draws on request: the figures that it has, and the file that one of them goes to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from topoimp.checkpoint import AnyPath, Staging
from topoimp.choices import PictureSize, chosen
from topoimp.errors import OptionError
from topoimp.reports.rows import Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Results = TypeVar("Results")
"""What a command found, and its figures are drawn from."""

MOST_PANELS = 24


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
        """Return the figure, with the first 24 panels if there are more."""
        from topoimp.plots import small_multiples

        def drawing(panel: Callable[[Results, str, "Axes"], object]) -> Callable[[str, "Axes"], object]:
            return lambda name, ax: panel(results, name, ax)

        names = self.names(results)[:MOST_PANELS]
        below = None if self.below is None else drawing(self.below)
        return small_multiples(names, drawing(self.panel), size, below=below)

    def notes(self, results: Results) -> Sequence[str]:
        """Return a sentence that says so if not all panels are drawn."""
        n = len(self.names(results))
        return [f"the picture has {MOST_PANELS} of {n:,} layers; `include` chooses others"] if n > MOST_PANELS else []


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

    def notes(self, _results: Results) -> Sequence[str]:
        """Return nothing: all is drawn."""
        return []


Figures = Mapping[str, LayerFigure[Results] | WholeFigure[Results]]
"""The figures of a command, by name; the first is the one that it draws if none is named."""


@dataclass(frozen=True)
class Picture(Generic[Results]):
    """The requested picture: none without ``plot``; checked when it is made.

    Args:
        figures: the figures of the command.
        plot: an .svg, .pdf or .png file; None for no picture.
        figure: name of the figure; the first if None.
        size: width in a paper; a column if None.

    Raises:
        OptionError: if the file has another ending, the command has no such figure, or there are settings and no file.
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
        if self.figure is not None and self.figure not in self.figures:
            raise OptionError(f"there is no figure {self.figure!r} here; there are {', '.join(self.figures)}")
        if self.plot is not None:
            chosen(PictureSize, self.width)
            from topoimp.plots.canvas import ENDINGS

            if Path(self.plot).suffix not in ENDINGS:
                raise OptionError(
                    f"`plot` is {self.plot}; its name must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
                )

    @property
    def name(self) -> str:
        """The name of the figure."""
        return self.figure or next(iter(self.figures))

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the figures that are drawn."""
        return frozenset() if self.plot is None else frozenset({self.name})

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
        lacking = None if self.plot is None else self.figures[self.name].lacking(results)
        if lacking is not None:
            raise OptionError(f"the figure {self.name!r} needs {lacking}")

    def write(self, staging: Staging, results: Results) -> Sequence[str]:
        """Draw and write the requested picture under a temporary name; return sentences about it.

        Raises:
            OptionError: if the results lack what the figure shows.
        """
        if self.plot is None:
            return []
        from topoimp.plots import save

        self.check(results)
        path = Path(self.plot)
        figure = self.figures[self.name]
        save(figure.draw(results, self.width), staging.partial(path), ending=path.suffix)
        return figure.notes(results)
