"""``topoimp barcode``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topoimp.choices import BarConvention, View

from .barcode_output import checked, show_barcodes, show_list
from .gates import Gates
from .options import (
    CheckpointPaths,
    Command,
    Exclude,
    FailIf,
    Force,
    Format,
    FormatOption,
    Groups,
    Include,
    InputSizes,
    Junit,
    Key,
    NpConvention,
    Quiet,
    ScaleOption,
    Threads,
    ViewOption,
    layer_patterns,
    parse_image,
    parse_numbers,
    refuse,
)
from .output import noting_compilation, show, show_findings, show_notes
from .picture_options import FigureName, Image, PictureNull, Plot, Size
from .progress import parts_of, progress
from .streams import note

if TYPE_CHECKING:
    from topoimp.topology.vectors import VectorSettings

FILES = "Files"
CHECK = "Check"


def _barcode(
    checkpoint: CheckpointPaths,
    key: Key = None,
    include: Include = None,
    exclude: Exclude = None,
    groups: Groups = None,
    view: ViewOption = View.MATRIX,
    input_sizes: InputSizes = None,
    scale: ScaleOption = None,
    np_convention: NpConvention = None,
    p: Annotated[
        float | None,
        typer.Option(
            "--p",
            metavar="P",
            help="Norm of neural persistence and degree of total persistence, at least 1.",
            show_default="2",
        ),
    ] = None,
    list_: Annotated[
        bool,
        typer.Option(
            "--list", help="List every tensor: whether it is a layer, whether prune takes it by default, and why not."
        ),
    ] = False,
    bars: Annotated[
        Path | None,
        typer.Option(
            "--bars",
            metavar="FILE.csv|.npz",
            help="Write every bar, and the weight that ends it, to this file.",
            show_default="not written",
            rich_help_panel=FILES,
        ),
    ] = None,
    bar_convention: Annotated[
        BarConvention | None,
        typer.Option(
            "--bar-convention",
            "--convention",
            help="Form of the bars in the file of --bars and in the figure diagram: from birth 1 down to death, or "
            "negative, as in GUDHI.",
            show_default="superlevel",
            rich_help_panel=FILES,
        ),
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(
            "--curve",
            metavar="FILE.csv",
            help="Write the numbers of edges, components and cycles at some levels, beside those expected by chance.",
            show_default="not written",
            rich_help_panel=FILES,
        ),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            "--levels",
            metavar="T,...",
            help="Levels of --curve: strengths divided by the scale, at least 0.",
            show_default="1, 0.99, ..., 0",
            rich_help_panel=FILES,
        ),
    ] = None,
    components: Annotated[
        Path | None,
        typer.Option(
            "--components",
            metavar="FILE.csv",
            help="Write the number of rows and columns of every connected component to this file.",
            show_default="not written",
            rich_help_panel=FILES,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="S",
            help="Seed of the simulations that --curve and --plot may need for the numbers by chance, at least 0.",
            show_default="0",
            rich_help_panel=FILES,
        ),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            "--vectors",
            metavar="FILE.npz",
            help="Write landscapes, silhouettes and persistence images of the finite bars, made by GUDHI.",
            show_default="not written",
            rich_help_panel=FILES,
        ),
    ] = None,
    n_landscapes: Annotated[
        int | None,
        typer.Option(
            "--landscapes",
            metavar="K",
            help="Number of landscapes in the file of --vectors, at least 1.",
            show_default="5",
            rich_help_panel=FILES,
        ),
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option(
            "--resolution",
            metavar="N",
            help="Number of samples of each landscape, silhouette and image, at least 2.",
            show_default="100",
            rich_help_panel=FILES,
        ),
    ] = None,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            "--bandwidth",
            metavar="B",
            help="Standard deviation of a bar's bell in an image, above 0, as a share of the longest possible bar.",
            show_default="0.05",
            rich_help_panel=FILES,
        ),
    ] = None,
    plot: Plot = None,
    figure: FigureName = None,
    size: Size = None,
    null: PictureNull = None,
    image: Image = None,
    force: Force = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Find every bar again by GUDHI, in layers that are not too large; exit with 4 if one differs.",
            rich_help_panel=CHECK,
        ),
    ] = False,
    check_limit: Annotated[
        int | None,
        typer.Option(
            "--check-limit",
            metavar="N",
            help="Number of edges up to which --check reads a layer; GUDHI takes about 90 bytes and 1 microsecond for "
            "each.",
            show_default="4,000,000",
            rich_help_panel=CHECK,
        ),
    ] = None,
    fail_if: FailIf = None,
    junit: Junit = None,
    threads: Threads = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Print the zeroth-order topology of each layer of CHECKPOINT: components, deaths, neural persistence."""
    from topoimp.commands.barcode import barcode_report, tensor_list
    from topoimp.commands.each_checkpoint import report_of_each

    patterns = layer_patterns(include, exclude, groups, embeddings=True, view=view, input_sizes=input_sizes)
    of_files: dict[str, dict[str, object]] = {
        "--curve": {"--levels": levels},
        "--vectors": {"--landscapes": n_landscapes, "--resolution": resolution, "--bandwidth": bandwidth},
        "--plot": {"--figure": figure, "--size": size, "--null": null, "--image": image},
        "--check": {"--check-limit": check_limit},
    }
    files = {"--bars": bars, "--curve": curve, "--vectors": vectors, "--components": components, "--plot": plot}
    requested = {**files, "--check": check or None}
    if list_:
        of_topology = {"--scale": scale, "--np-convention": np_convention, "--p": p, **requested}
        of_gates = {"--fail-if": fail_if, "--junit": junit}
        shared = {"--bar-convention": bar_convention, "--seed": seed}
        details = {**shared, **{flag: value for options in of_files.values() for flag, value in options.items()}}
        refuse({**of_topology, **of_gates, **details}, "does not go with --list, which shows tensors and no topology")
        each = report_of_each(checkpoint, lambda path: tensor_list(path, key=key, patterns=patterns))
        if each.report is not None:
            show(each.report, format, show_list)
            show_notes(each.report, quiet=quiet)
        each.raise_failures()
        return

    for flag, options in of_files.items():
        if requested[flag] is None:
            refuse(options, f"needs {flag}")
    if plot is None:
        refuse({"--bar-convention": bar_convention if bars is None else None}, "needs --bars or --plot")
        refuse({"--seed": seed if curve is None else None}, "needs --curve or --plot")
    if len(checkpoint) > 1:
        refuse(files, "writes one file, about one CHECKPOINT")
    gates = Gates("barcode", fail_if, junit)

    with noting_compilation(quiet=quiet), progress("looking at layers", quiet=quiet) as on_step:
        steps = parts_of(on_step, len(checkpoint))
        each = report_of_each(
            checkpoint,
            lambda path: barcode_report(
                path,
                key=key,
                patterns=patterns,
                scale=scale,
                np_convention=np_convention,
                p=2.0 if p is None else p,
                bars=bars,
                bar_convention=bar_convention or BarConvention.SUPERLEVEL,
                vectors=vectors,
                vector_settings=_vector_settings(n_landscapes, resolution, bandwidth),
                curve=curve,
                levels=parse_numbers(levels, "--levels") or None,
                components=components,
                seed=seed or 0,
                plot=plot,
                figure=figure,
                size=size,
                null=null,
                image=parse_image(image),
                check=check,
                check_limit=check_limit,
                force=force,
                threads=threads,
                on_step=next(steps),
            ),
        )
    report = gates.apply_to_each(each)
    show(report, format, show_barcodes)
    show_findings(checked(report), format, quiet=quiet)
    show_notes(report, quiet=quiet)
    for path in report.outputs.values():
        note(f"wrote {path}", quiet=quiet)
    gates.raise_failures()


barcode = Command("barcode", _barcode, "Example: topoimp barcode lenet-300-100-mnist.safetensors --np balwani")


def _vector_settings(n_landscapes: int | None, resolution: int | None, bandwidth: float | None) -> "VectorSettings":
    from topoimp.topology.vectors import VectorSettings

    default = VectorSettings()
    return VectorSettings(
        n_landscapes=default.n_landscapes if n_landscapes is None else n_landscapes,
        resolution=default.resolution if resolution is None else resolution,
        bandwidth=default.bandwidth if bandwidth is None else bandwidth,
    )
