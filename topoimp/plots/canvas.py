"""Figures: their sizes and look, panels in a grid, and files with the same bytes for the same drawing.

Only the objects of matplotlib are used, never pyplot: nothing is global, and no window opens.
"""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from topoimp.choices import PictureSize
from topoimp.plots.colour_bars import share_colour_bars
from topoimp.plots.titles import panel_titles, shortened
from topoimp.reports.readable import plain

WIDTHS = MappingProxyType({PictureSize.COLUMN: 3.25, PictureSize.PAGE: 6.75})
"""Inches: a column and a page of a paper in two columns."""

HEIGHT = 2.3
"""Inches of a figure of one panel."""

PANEL_HEIGHT = 1.5
"""Inches of a panel among others."""

PANELS_IN_A_ROW = MappingProxyType({PictureSize.COLUMN: 2, PictureSize.PAGE: 4})

LONGEST_SINGLE_TITLE = 40
"""Characters of the title of a figure of one panel, as wide as a column."""

MOST_LABELS_INSIDE = 2
"""Labels of a legend inside a single panel; a larger legend would hide what is drawn, and lies above."""

STYLE: MappingProxyType[str, Any] = MappingProxyType(
    {
        "font.family": "DejaVu Sans",  # comes with matplotlib, and so is the same everywhere
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "lines.linewidth": 1.0,
        "hatch.linewidth": 0.4,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "image.cmap": "viridis",
        "figure.dpi": 100,
        "savefig.dpi": 300,
        "svg.fonttype": "path",
        "svg.hashsalt": "topoimp",  # the names of the parts of an SVG are otherwise new each time
        "pdf.fonttype": 42,
        "text.parse_math": False,  # names of layers are no formulas
    }
)
"""Settings of all figures; fonts are embedded, as publishers ask for."""

_NO_DATES: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {"Software": None}}
)
"""Metadata, by ending, without what changes from one time to the next."""

ENDINGS = tuple(_NO_DATES)


def in_our_look() -> AbstractContextManager[None]:
    """Return the context in which axes are made and drawn on."""
    settings: Any = dict(STYLE)  # rc_context has a type that lists all its names
    return rc_context(settings)


def new_figure(size: PictureSize = PictureSize.COLUMN, *, height: float = HEIGHT) -> Figure:
    """Return an empty figure of a paper's width, with a height in inches."""
    with in_our_look():
        return Figure(figsize=(WIDTHS[size], height), layout="constrained")


@contextmanager
def axes_or_new(ax: Axes | None) -> Iterator[Axes]:
    """Give the axes to draw on: those of the caller, whose settings stay, or those of a new figure in our look."""
    if ax is not None:
        yield ax
        return
    figure = new_figure()
    with in_our_look():
        yield figure.add_subplot()


Draw = Callable[[str, Axes], object]
"""Draws the panel of a name."""


def small_multiples(
    names: Sequence[str], draw: Draw, size: PictureSize = PictureSize.COLUMN, *, below: Draw | None = None
) -> Figure:
    """Return a figure with a panel for each name, at least one, which ``draw`` draws; the names are their titles.

    With ``below`` each name has a second panel under the first, with the same horizontal axis. A label that all panels
    share is written once, and so are the legend, above them, and a colour bar. The legend of a single panel is above it
    too if it has more than two labels or would lie on an image. Long names are shortened (``titles``).
    """
    shown = ["\n".join(map(plain, name.split("\n"))) for name in names]  # some have two lines
    titles = panel_titles(shown) if len(shown) > 1 else [shortened(name, LONGEST_SINGLE_TITLE) for name in shown]
    draws = [draw] if below is None else [draw, below]
    n_columns = min(len(names), PANELS_IN_A_ROW[size])
    n_rows = ceil(len(names) / n_columns) * len(draws)
    figure = new_figure(size, height=HEIGHT * len(draws) ** 0.5 if len(names) == 1 else 0.6 + PANEL_HEIGHT * n_rows)
    with in_our_look():
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        columns: list[list[Axes]] = [
            list(grid[k : k + len(draws), column]) for k in range(0, n_rows, len(draws)) for column in range(n_columns)
        ]
        for panels, name, title in zip(columns, names, titles, strict=False):
            for ax, each in zip(panels, draws, strict=True):
                each(name, ax)
            panels[0].set_title(title, fontsize=STYLE["axes.titlesize"] - (len(names) > 1))
            _share_horizontal_axis(panels)
        for panels in columns[len(names) :]:
            for ax in panels:
                ax.remove()
        if below is not None:
            _label_first_column(grid)
        drawn = [ax for panels in columns[: len(names)] for ax in panels]
        if len(drawn) > 1:
            _share_labels(figure, drawn)
            share_colour_bars(drawn)
        n_labels = len(drawn[0].get_legend_handles_labels()[1])
        if len(drawn) > 1 or n_labels > MOST_LABELS_INSIDE or drawn[0].images:
            _share_legend(figure, drawn, PANELS_IN_A_ROW[size])
    return figure


def _share_horizontal_axis(panels: Sequence[Axes]) -> None:
    """Write the ticks of panels below each other once, under the last."""
    for ax in panels[:-1]:
        ax.tick_params(labelbottom=False)


def _label_first_column(grid: np.ndarray) -> None:
    """Write the labels of vertical axes, which are the same in a row, at the first panel alone."""
    for ax in grid[:, 1:].flat:
        ax.set_ylabel("")


def _share_labels(figure: Figure, panels: Sequence[Axes]) -> None:
    for side in ("x", "y"):
        labels = {getattr(ax, f"get_{side}label")() for ax in panels}
        if len(labels) == 1:
            getattr(figure, f"sup{side}label")(labels.pop(), fontsize=STYLE["axes.labelsize"])
            for ax in panels:
                getattr(ax, f"set_{side}label")("")


def _share_legend(figure: Figure, panels: Sequence[Axes], n_columns: int) -> None:
    """Write one legend for all panels: each label once, where it comes first."""
    handles: dict[str, Any] = {}
    for ax in panels:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
        legend = ax.get_legend()
        if legend is not None:
            legend.remove()
    if handles:
        figure.legend(
            list(handles.values()), list(handles), loc="outside upper center", ncols=min(len(handles), n_columns)
        )


def save(figure: Figure, path: Path, *, ending: str | None = None) -> None:
    """Write a figure as SVG, PDF or PNG, by the ending of the path's name or the given one, such as ".svg".

    The same drawing gives the same bytes, with the same release of matplotlib.
    """
    kind = ending or path.suffix
    with in_our_look(), _without_warnings_of_letters():
        figure.savefig(path, format=kind.removeprefix("."), metadata=_NO_DATES[kind])


def svg_text(figure: Figure) -> str:
    """Return a figure as SVG without a background, for a page."""
    text = io.StringIO()
    with in_our_look(), _without_warnings_of_letters():
        figure.savefig(text, format="svg", metadata=_NO_DATES[".svg"], transparent=True)
    return text.getvalue()


@contextmanager
def _without_warnings_of_letters() -> Iterator[None]:
    """Draw a letter of a name that the font lacks as a box, and without a word on stderr."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield
