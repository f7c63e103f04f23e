"""The options of ``barcode`` about its files and figures."""

from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import BarConvention

FILES = "Files"

Bars = Annotated[
    Path | None,
    typer.Option(
        "--bars",
        metavar="FILE.csv|.npz",
        help="Write every bar, and the weight that ends it, to this file.",
        show_default="not written",
        rich_help_panel=FILES,
    ),
]
BarForm = Annotated[
    BarConvention | None,
    typer.Option(
        "--bar-convention",
        "--convention",
        help="Form of the bars in the file of --bars and in the figure diagram: from birth 1 down to death, or "
        "negative, as in GUDHI.",
        show_default="superlevel",
        rich_help_panel=FILES,
    ),
]
Curve = Annotated[
    Path | None,
    typer.Option(
        "--curve",
        metavar="FILE.csv",
        help="Write the numbers of edges, components and cycles at some levels, beside those expected by chance.",
        show_default="not written",
        rich_help_panel=FILES,
    ),
]
Levels = Annotated[
    str | None,
    typer.Option(
        "--levels",
        metavar="T,...",
        help="Levels of --curve: strengths divided by the scale, at least 0.",
        show_default="1, 0.99, ..., 0",
        rich_help_panel=FILES,
    ),
]
ComponentsFile = Annotated[
    Path | None,
    typer.Option(
        "--components",
        metavar="FILE.csv",
        help="Write the number of rows and columns of every connected component to this file.",
        show_default="not written",
        rich_help_panel=FILES,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="S",
        help="Seed of the simulations that --curve and --plot may need for the numbers by chance, at least 0.",
        show_default="0",
        rich_help_panel=FILES,
    ),
]
Vectors = Annotated[
    Path | None,
    typer.Option(
        "--vectors",
        metavar="FILE.npz",
        help="Write landscapes, silhouettes and persistence images of the finite bars, made by GUDHI.",
        show_default="not written",
        rich_help_panel=FILES,
    ),
]
Landscapes = Annotated[
    int | None,
    typer.Option(
        "--landscapes",
        metavar="K",
        help="Number of landscapes in the file of --vectors, at least 1.",
        show_default="5",
        rich_help_panel=FILES,
    ),
]
Resolution = Annotated[
    int | None,
    typer.Option(
        "--resolution",
        metavar="N",
        help="Number of samples of each landscape, silhouette and image, at least 2.",
        show_default="100",
        rich_help_panel=FILES,
    ),
]
Bandwidth = Annotated[
    float | None,
    typer.Option(
        "--bandwidth",
        metavar="B",
        help="Standard deviation of a bar's bell in an image, above 0, as a share of the longest possible bar.",
        show_default="0.05",
        rich_help_panel=FILES,
    ),
]
