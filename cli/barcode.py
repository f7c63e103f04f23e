"""``topoimp barcode``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topoimp.choices import BarConvention, View
from topoimp.reports.report import Report

from .options import (
    CheckpointPath,
    Command,
    Convention,
    Exclude,
    Force,
    Format,
    FormatOption,
    Groups,
    Include,
    Quiet,
    ScaleOption,
    Threads,
    ViewOption,
    layer_patterns,
)
from .output import for_people, in_view, note, note_left_out, noting_compilation, progress, show, show_table

if TYPE_CHECKING:
    from topoimp.topology.vectors import VectorSettings

FILES = "Files"
CHECK = "Check"


def _barcode(
    checkpoint: CheckpointPath,
    include: Include = None,
    exclude: Exclude = None,
    groups: Groups = None,
    view: ViewOption = View.MATRIX,
    scale: ScaleOption = None,
    np: Convention = None,
    p: Annotated[
        float | None,
        typer.Option(
            "--p",
            metavar="P",
            help="Norm of neural persistence, degree of total persistence; from 1.",
            show_default="2",
        ),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List every tensor: the layers, and why the others are none.")
    ] = False,
    bars: Annotated[
        Path | None,
        typer.Option(
            "--bars",
            metavar="FILE.csv|.npz",
            help="Write every bar and the weight that ends it.",
            rich_help_panel=FILES,
        ),
    ] = None,
    convention: Annotated[
        BarConvention | None,
        typer.Option(
            "--convention",
            help="How bars are written there: from 1 down, or negative, as GUDHI has them.",
            show_default="superlevel",
            rich_help_panel=FILES,
        ),
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(
            "--curve",
            metavar="FILE.csv",
            help="Write the numbers of edges, components and cycles at levels, and what chance would give.",
            rich_help_panel=FILES,
        ),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            "--levels",
            metavar="T,...",
            help="Levels of --curve (strength divided by the scale), from 0.",
            show_default="1, 0.99, ..., 0",
            rich_help_panel=FILES,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="S",
            help="Of the simulations that --curve may need to say what chance would give, from 0.",
            show_default="0",
            rich_help_panel=FILES,
        ),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            "--vectors",
            metavar="FILE.npz",
            help="Write landscapes, silhouettes and persistence images of the finite bars, by GUDHI.",
            rich_help_panel=FILES,
        ),
    ] = None,
    landscapes: Annotated[
        int | None,
        typer.Option("--landscapes", metavar="K", help="Landscapes, from 1.", show_default="5", rich_help_panel=FILES),
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option(
            "--resolution",
            metavar="N",
            help="Samples of each landscape, silhouette and image, from 2.",
            show_default="100",
            rich_help_panel=FILES,
        ),
    ] = None,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            "--bandwidth",
            metavar="B",
            help="Standard deviation of a bar's bell in an image, as a share of the longest bar there can be.",
            show_default="0.05",
            rich_help_panel=FILES,
        ),
    ] = None,
    force: Force = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Find every bar again by GUDHI, of layers that are not too large; exit with 4 if one differs.",
            rich_help_panel=CHECK,
        ),
    ] = False,
    check_limit: Annotated[
        int | None,
        typer.Option(
            "--check-limit",
            metavar="N",
            help="Edges up to which a layer is not too large: GUDHI takes about 90 bytes and 1 microsecond for each.",
            show_default="4,000,000",
            rich_help_panel=CHECK,
        ),
    ] = None,
    threads: Threads = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Print the zeroth-order topology of each layer of CHECKPOINT: components, deaths, neural persistence."""
    from topoimp.commands.barcode import barcode_report, tensor_list
    from topoimp.errors import OptionError

    patterns = layer_patterns(include, exclude, groups, embeddings=True, view=view)
    if list_ and (scale or np):
        raise OptionError("--list shows tensors and no topology; --scale and --np do not go with it")
    of_bars = {"--convention": convention}
    of_curve = {"--levels": levels, "--seed": seed}
    of_vectors = {"--landscapes": landscapes, "--resolution": resolution, "--bandwidth": bandwidth}
    of_check = {"--check-limit": check_limit}
    if list_:
        files = {"--bars": bars, "--curve": curve, "--vectors": vectors, "--check": check or None, "--p": p}
        _refuse(
            {**files, **of_bars, **of_curve, **of_vectors, **of_check}, "does not go with --list, which shows tensors"
        )
        show(tensor_list(checkpoint, patterns=patterns), format, _show_list)
        return
    for needed, value, options in (
        ("--bars", bars, of_bars),
        ("--curve", curve, of_curve),
        ("--vectors", vectors, of_vectors),
        ("--check", check or None, of_check),
    ):
        if value is None:
            _refuse(options, f"says something about {needed}, which is not asked for")
    with noting_compilation(quiet=quiet), progress("looking at layers", quiet=quiet) as on_step:
        report = barcode_report(
            checkpoint,
            patterns=patterns,
            scale=scale,
            convention=np,
            p=2.0 if p is None else p,
            bars=bars,
            bar_convention=convention or BarConvention.SUPERLEVEL,
            vectors=vectors,
            vector_settings=_vector_settings(landscapes, resolution, bandwidth),
            curve=curve,
            levels=_levels(levels),
            seed=seed or 0,
            check=check,
            check_limit=check_limit,
            force=force,
            threads=threads,
            on_step=on_step,
        )
    show(report, format, _show_barcodes)
    note_left_out(report, quiet=quiet)
    _note_check(report, quiet=quiet)
    for path in report.outputs.values():
        note(f"wrote {path}", quiet=quiet)


barcode = Command("barcode", _barcode, "Example: topoimp barcode lenet-300-100-mnist.safetensors --np balwani")


def _refuse(options: Mapping[str, object], why: str) -> None:
    from topoimp.errors import OptionError

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise OptionError(f"{given[0]} {why}")


def _levels(text: str | None) -> list[float] | None:
    from topoimp.errors import OptionError

    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise OptionError(f"--levels is {text!r}; it must be numbers with commas, as in 0.5,0.1") from error


def _vector_settings(landscapes: int | None, resolution: int | None, bandwidth: float | None) -> "VectorSettings":
    from topoimp.topology.vectors import VectorSettings

    default = VectorSettings()
    return VectorSettings(
        n_landscapes=default.n_landscapes if landscapes is None else landscapes,
        resolution=default.resolution if resolution is None else resolution,
        bandwidth=default.bandwidth if bandwidth is None else bandwidth,
    )


def _note_check(report: Report, *, quiet: bool) -> None:
    if "check_limit" not in report.settings:
        return
    checked = [row for row in report.layers if row["gudhi_agrees"]]
    note(f"GUDHI finds the same bars in {len(checked)} of {len(report.layers)} layers", quiet=quiet)
    too_large = [str(row["layer"]) for row in report.layers if not row["gudhi_agrees"]]
    if too_large:
        shown = ", ".join(too_large[:3]) + (", ..." if len(too_large) > 3 else "")
        note(f"not checked, as they have more than {report.settings['check_limit']:,} edges: {shown}", quiet=quiet)


def _show_barcodes(report: Report) -> None:
    convention, scale, p = report.settings["np"], report.settings["scale"], report.settings["p"]
    columns = {
        "layer": "layer",
        "size": "size",
        "dtype": "type",
        "density": "density",
        "beta0": "beta0",
        "floor": "finite bars",
        "median_death": "median death",
        "last_death": "last death",
    }
    if scale != "none":
        columns[f"np_{str(convention).replace('-', '_')}"] = (
            f"neural persistence ({convention})" if p == 2 else f"neural persistence ({convention}, p = {p:g})"
        )
    if "check_limit" in report.settings:
        columns["gudhi_agrees"] = "GUDHI agrees"
    unit = "strengths as stored" if scale == "none" else f"deaths divided by the largest strength of the {scale}"
    show_table(f"{report.inputs['checkpoint']}: {unit}{in_view(report)}", columns, for_people(report.rows))


def _show_list(report: Report) -> None:
    columns = {"layer": "tensor", "dtype": "type", "shape": "shape", "selected": "layer", "reason": "why not"}
    show_table(str(report.inputs["checkpoint"]), columns, report.rows)
