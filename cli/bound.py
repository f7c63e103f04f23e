"""``topoimp bound``."""

from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import SpatialConvention, View
from topoimp.errors import OptionError

from .bound_graphs import note_graphs, show_graphs
from .bound_options import parse_shapes
from .bound_output import show_bounds, show_floors
from .evaluation import EvalTimeout, Evaluate, evaluation_of
from .gates import Gates
from .image_sizes import parse_input_sizes
from .options import (
    ClusterOfLayers,
    Command,
    Embeddings,
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
    Nulls,
    OutputColumns,
    Quiet,
    Rate,
    Scores,
    Threads,
    ViewOption,
    layer_patterns,
    refuse,
)
from .output import noting_compilation, show, show_notes, show_outputs
from .picture_options import FigureName, PageFile, Plot, Size
from .progress import parts_of, progress
from .role_tables import By, ByOption, check_by
from .streams import note


def _bound(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Checkpoints to read: files, folders or indices. Of several, the table has the networks, and CSV and "
            "JSON also have the layers.",
            show_default=False,
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch",
            metavar="MODEL",
            help="Bound the shapes of a network alone: lenet-300-100, vgg-16, ..., widths as in mlp:784-300-100-10, or "
            "a VGG with other dense layers, as in vgg-11:512-256-10.",
            show_default="none",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAME",
            help="Size of the images and number of classes for --arch: digits, mnist, fashion-mnist, cifar10, cifar100 "
            "or tiny-imagenet.",
            show_default="those that the network was designed for",
        ),
    ] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            metavar="64x3x3x3",
            help="Bound the shape of a layer alone. Repeatable.",
            show_default="none",
        ),
    ] = None,
    rate: Rate = None,
    densities: Annotated[
        str | None,
        typer.Option(
            "--densities",
            metavar="D,...",
            help="Print also the forest edges that each layer keeps at these densities, in [0, 1], beside chance; "
            "critical is the layer's critical density, 4*critical a multiple of it.",
            show_default="none",
        ),
    ] = None,
    null: Nulls = None,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="S", help="Seed of the simulations of --null and --densities, at least 0."),
    ] = 0,
    key: Key = None,
    include: Include = None,
    exclude: Exclude = None,
    embeddings: Embeddings = False,
    groups: Groups = None,
    output_columns: OutputColumns = None,
    scores: Scores = None,
    evaluate: Evaluate = None,
    eval_timeout: EvalTimeout = None,
    view: ViewOption = View.MATRIX,
    input_sizes: InputSizes = None,
    spatial_convention: Annotated[
        SpatialConvention | None,
        typer.Option(
            "--spatial-convention",
            help="Count strided convolutions of --arch as table 1 of Balwani & Krzyston does (stride 1 at the size of "
            "the output, no shortcuts), or exactly, with --view spatial.",
            show_default="balwani",
        ),
    ] = None,
    plot: Plot = None,
    figure: FigureName = None,
    size: Size = None,
    report: PageFile = None,
    force: Force = False,
    fail_if: FailIf = None,
    junit: Junit = None,
    threads: Threads = None,
    cluster: ClusterOfLayers = None,
    by: ByOption = By.LAYER,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Print how far each layer of CHECKPOINT can be pruned with its barcode kept, by any method and by magnitude."""
    from topoimp.commands.bound import bound_report
    from topoimp.commands.bound_options import BoundOptions
    from topoimp.commands.bound_shapes import architecture_bound_report, shape_bound_report
    from topoimp.commands.each_checkpoint import AT_ONCE, report_of_each
    from topoimp.engine.cluster import notes_on_cluster, workers_on
    from topoimp.pruning.schedule import DEFAULT_RATE

    if [not checkpoint, arch is None, not shapes].count(False) != 1:
        raise OptionError("bound takes a CHECKPOINT, --arch MODEL or --shape, and one of them is needed")
    if view is View.SPATIAL:
        refuse({"--rate": rate}, "counts weights, and the view spatial counts edges that share them")
    else:
        refuse({"--spatial-convention": spatial_convention}, "is for --view spatial")
    if arch is None:
        refuse({"--data": data, "--spatial-convention": spatial_convention}, "is for --arch")
    options = BoundOptions(
        rate=DEFAULT_RATE if rate is None else rate,
        densities=[] if densities is None else densities.split(","),
        null=null,
        output_columns=tuple(output_columns or ()),
        seed=seed,
    )
    if plot is None:
        refuse({"--figure": figure, "--size": size}, "needs --plot")
    if len(checkpoint or []) > 1:
        refuse({"--plot": plot, "--report": report}, "writes one file, about one CHECKPOINT")
    check_by(by, format, len(checkpoint or []))
    gates = Gates("bound", fail_if, junit)
    evaluation = evaluation_of(evaluate, eval_timeout, gates)
    if not checkpoint:
        refuse({"--output-columns": output_columns, "--scores": scores}, "is about a CHECKPOINT")
        refuse({"--eval": evaluate}, "runs on a CHECKPOINT; --arch and --shape have none")
        if key is not None or include or exclude or embeddings or groups or view is View.CHANNEL:
            which = "--shape" if arch is None else "--arch"
            raise OptionError(
                "--key, --include, --exclude, --embeddings, --groups and --view channel are about a CHECKPOINT; "
                f"{which} has none"
            )
        images = parse_input_sizes(input_sizes)
        with noting_compilation(quiet=quiet), progress("looking at shapes", quiet=quiet):
            if arch is not None:
                found = architecture_bound_report(
                    arch,
                    options,
                    data=data,
                    view=view,
                    input_sizes=images,
                    spatial_convention=spatial_convention or SpatialConvention.BALWANI,
                    plot=plot,
                    figure=figure,
                    size=size,
                    report=report,
                    force=force,
                )
            else:
                found = shape_bound_report(
                    parse_shapes(shapes or []),
                    options,
                    view=view,
                    input_sizes=images,
                    plot=plot,
                    figure=figure,
                    size=size,
                    report=report,
                    force=force,
                )
        gates.apply(found.rows)
        show_tables = show_graphs if view is View.SPATIAL else show_floors
        show(found, format, lambda report: show_tables(report, by))
        note_graphs(found, quiet=quiet)
        show_outputs(found, quiet=quiet)
        gates.raise_failures()
        return

    patterns = layer_patterns(include, exclude, groups, embeddings=embeddings, view=view, input_sizes=input_sizes)

    for sentence in notes_on_cluster(cluster):
        note(sentence, quiet=quiet)
    looking = progress("looking at layers", quiet=quiet)
    with noting_compilation(quiet=quiet), looking as on_step, workers_on(cluster) as workers:
        steps = parts_of(on_step, len(checkpoint))
        each = report_of_each(
            checkpoint,
            lambda path: bound_report(
                path,
                options,
                key=key,
                patterns=patterns,
                scores=scores,
                evaluate=evaluation,
                plot=plot,
                figure=figure,
                size=size,
                report=report,
                force=force,
                threads=threads,
                cluster=workers,
                on_step=next(steps),
            ),
            at_once=1 if workers is None or evaluation is not None else AT_ONCE,
        )
    found = gates.apply_to_each(each)
    show_tables = show_graphs if view is View.SPATIAL else show_bounds
    show(found, format, lambda report: show_tables(report, by))
    show_notes(found, quiet=quiet)
    note_graphs(found, quiet=quiet)
    show_outputs(found, quiet=quiet)
    gates.raise_failures()


bound = Command("bound", _bound, "Example: topoimp bound lenet-300-100-mnist.safetensors")
