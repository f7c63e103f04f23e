"""The options of pictures, and the list of the figures of a command."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from topoimp.choices import PictureSize

if TYPE_CHECKING:
    from topoimp.commands.pictures import Figures

PICTURE = "Picture"


def _figures_of(command: str | None) -> "Mapping[str, Figures[Any]]":
    """Return the figures of a command, by the kind of input that they are about; "" for a command of one kind."""
    from topoimp.commands import barcode_pictures, bound_pictures, compare_pictures, prune_pictures, prune_run_pictures

    of_commands: Mapping[str | None, Mapping[str, Figures[Any]]] = {
        "barcode": {"": barcode_pictures.FIGURES},
        "bound": {"": bound_pictures.FIGURES},
        "compare": {"": compare_pictures.FIGURES},
        "prune": {
            "of a checkpoint": prune_pictures.FIGURES,
            "of a run folder, or with --trainer": prune_run_pictures.FIGURES,
        },
    }
    return of_commands[command]


def _list_figures(context: typer.Context, name: str | None) -> str | None:
    """Print the figures of the command and end it, if the name is ``list``."""
    if name != "list":
        return name
    of_inputs = _figures_of(context.info_name)
    longest = max(len(each) for figures in of_inputs.values() for each in figures)
    for input_, figures in of_inputs.items():
        if input_:
            typer.echo(f"{input_}:")
        for each, figure in figures.items():
            typer.echo(f"{each:{longest}}  {figure.meaning}")
    raise typer.Exit


Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE.svg|.pdf|.png",
        help="Draw a figure into this file.",
        show_default="not drawn",
        rich_help_panel=PICTURE,
    ),
]
FigureName = Annotated[
    str | None,
    typer.Option(
        "--figure",
        metavar="NAME",
        help="Figure to draw; list shows the figures of this command. The overview of many layers shows another column "
        "as overview:COLUMN.",
        show_default="the first of the list",
        is_eager=True,
        callback=_list_figures,
        rich_help_panel=PICTURE,
    ),
]
Size = Annotated[
    PictureSize | None,
    typer.Option(
        "--size",
        help="Width of the picture in a paper: a column, 3.25 inches, or the page, 6.75 inches.",
        show_default="column",
        rich_help_panel=PICTURE,
    ),
]
PictureNull = Annotated[
    str | None,
    typer.Option(
        "--null",
        metavar="MODEL:N",
        help="Show also a null model in the figures diagram and betti-curves, by N simulations: shuffled weights "
        "(edges, block, rows, columns), graphs with the same degrees (degrees) or row and column scales (scales), "
        "independent weights (iid).",
        show_default="none",
        rich_help_panel=PICTURE,
    ),
]
Image = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="HxW[xC]",
        help="Size of the images that a dense first layer reads, for the figure input-image: height, width and "
        "channels.",
        show_default="that of the run folder's data",
        rich_help_panel=PICTURE,
    ),
]
PageFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Write a page with the report and all figures that have their numbers: one file, to open in a browser.",
        show_default="not written",
        rich_help_panel=PICTURE,
    ),
]


class PictureArguments(TypedDict):
    """The requested picture and page, under the names that the functions of the library have for them."""

    plot: Path | None
    figure: str | None
    size: PictureSize | None
    report: Path | None
