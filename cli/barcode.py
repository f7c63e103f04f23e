"""``topoimp barcode``."""

from typing import TYPE_CHECKING, Annotated

import typer

from topoimp.choices import BarConvention, View

from .barcode_options import (
    Bandwidth,
    BarForm,
    Bars,
    ComponentsFile,
    Curve,
    Landscapes,
    Levels,
    Resolution,
    Seed,
    Vectors,
)
from .barcode_output import as_one_graph, checked, show_barcodes, show_list
from .gates import Gates
from .image_sizes import parse_image
from .options import (
    Chain,
    CheckpointPaths,
    ClusterOfLayers,
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
    Scores,
    Threads,
    ViewOption,
    layer_patterns,
    parse_numbers,
    refuse,
)
from .output import noting_compilation, show, show_findings, show_notes
from .picture_options import FigureName, Image, PageFile, PictureNull, Plot, Size
from .progress import parts_of, progress
from .role_tables import By, ByOption, check_by
from .streams import note

if TYPE_CHECKING:
    from topoimp.topology.vectors import VectorSettings

CHECK = "Check"


def _barcode(
    checkpoint: CheckpointPaths,
    key: Key = None,
    include: Include = None,
    exclude: Exclude = None,
    groups: Groups = None,
    chain: Chain = None,
    scores: Scores = None,
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
    bars: Bars = None,
    bar_convention: BarForm = None,
    curve: Curve = None,
    levels: Levels = None,
    components: ComponentsFile = None,
    seed: Seed = None,
    vectors: Vectors = None,
    n_landscapes: Landscapes = None,
    resolution: Resolution = None,
    bandwidth: Bandwidth = None,
    plot: Plot = None,
    figure: FigureName = None,
    size: Size = None,
    null: PictureNull = None,
    image: Image = None,
    report: PageFile = None,
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
    cluster: ClusterOfLayers = None,
    by: ByOption = By.LAYER,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Print the zeroth-order topology of each layer of CHECKPOINT: components, deaths, neural persistence."""
    from topoimp.commands.barcode import barcode_report
    from topoimp.commands.each_checkpoint import AT_ONCE, report_of_each
    from topoimp.commands.tensor_list import tensor_list
    from topoimp.engine.cluster import notes_on_cluster, workers_on
    from topoimp.reports.path_columns import GLUED, ON_PATHS, PERSISTENCES

    patterns = layer_patterns(include, exclude, groups, embeddings=True, view=view, input_sizes=input_sizes)
    of_files: dict[str, dict[str, object]] = {
        "--curve": {"--levels": levels},
        "--vectors": {"--landscapes": n_landscapes, "--resolution": resolution, "--bandwidth": bandwidth},
        "--plot": {"--figure": figure, "--size": size},
        "--check": {"--check-limit": check_limit},
    }
    files = {"--bars": bars, "--curve": curve, "--vectors": vectors, "--components": components}
    files |= {"--plot": plot, "--report": report}
    requested = {**files, "--check": check or None}
    if list_:
        of_topology = {"--scale": scale, "--np-convention": np_convention, "--p": p, "--chain": chain, **requested}
        of_gates = {"--fail-if": fail_if, "--junit": junit, "--by": by if by is By.ROLE else None}
        shared = {"--bar-convention": bar_convention, "--seed": seed, "--null": null, "--image": image}
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
    if plot is None and report is None:
        refuse({"--null": null, "--image": image}, "needs --plot or --report")
        refuse({"--bar-convention": bar_convention if bars is None else None}, "needs --bars, --plot or --report")
        refuse({"--seed": seed if curve is None else None}, "needs --curve, --plot or --report")
    if len(checkpoint) > 1:
        refuse(files, "writes one file, about one CHECKPOINT")
    check_by(by, format, len(checkpoint))
    gates = Gates("barcode", fail_if, junit)
    if chain is None:
        gates.refuse((*ON_PATHS, *GLUED, *PERSISTENCES), "needs --chain")

    for sentence in notes_on_cluster(cluster):
        note(sentence, quiet=quiet)
    looking = progress("looking at layers", quiet=quiet)
    with noting_compilation(quiet=quiet), looking as on_step, workers_on(cluster) as workers:
        steps = parts_of(on_step, len(checkpoint))
        each = report_of_each(
            checkpoint,
            lambda path: barcode_report(
                path,
                key=key,
                patterns=patterns,
                chain=chain,
                scores=scores,
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
                report=report,
                check=check,
                check_limit=check_limit,
                force=force,
                threads=threads,
                cluster=workers,
                on_step=next(steps),
            ),
            at_once=1 if workers is None else AT_ONCE,
        )
    found = gates.apply_to_each(each)
    show(found, format, lambda report: show_barcodes(report, by))
    show_findings([*as_one_graph(found), *checked(found)], format, quiet=quiet)
    show_notes(found, quiet=quiet)
    for path in found.outputs.values():
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
