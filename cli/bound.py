"""``topoimp bound``."""

from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import SpatialConvention, View
from topoimp.errors import OptionError
from topoimp.reports.cells import Row
from topoimp.reports.report import Report

from .bound_options import parse_shapes
from .gates import Gates
from .options import (
    Command,
    Embeddings,
    Exclude,
    FailIf,
    Format,
    FormatOption,
    Groups,
    Include,
    InputSizes,
    Nulls,
    Quiet,
    Rate,
    Threads,
    ViewOption,
    layer_patterns,
    parse_input_sizes,
    refuse,
)
from .output import first_names, for_people, in_view, note_left_out, noting_compilation, show, show_finding, show_table
from .progress import progress
from .streams import note


def _bound(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(metavar="CHECKPOINT", help="Checkpoint to read: a file, folder or index.", show_default=False),
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
    include: Include = None,
    exclude: Exclude = None,
    embeddings: Embeddings = False,
    groups: Groups = None,
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
    fail_if: FailIf = None,
    threads: Threads = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Print how far each layer of CHECKPOINT can be pruned with its barcode kept, by any method and by magnitude."""
    from topoimp.commands.bound import BoundOptions, architecture_bound_report, bound_report, shape_bound_report
    from topoimp.pruning.schedule import DEFAULT_RATE

    if [checkpoint is None, arch is None, not shapes].count(False) != 1:
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
        seed=seed,
    )
    gates = Gates(fail_if)
    if checkpoint is None:
        if include or exclude or embeddings or groups or view is View.CHANNEL:
            which = "--shape" if arch is None else "--arch"
            raise OptionError(
                "--include, --exclude, --embeddings, --groups and --view channel are about a CHECKPOINT; "
                f"{which} has none"
            )
        images = parse_input_sizes(input_sizes)
        if arch is not None:
            report = architecture_bound_report(
                arch,
                options,
                data=data,
                view=view,
                input_sizes=images,
                spatial_convention=spatial_convention or SpatialConvention.BALWANI,
            )
        else:
            report = shape_bound_report(parse_shapes(shapes or []), options, view=view, input_sizes=images)
        gates.apply(report.rows)
        show(report, format, _show_graphs if view is View.SPATIAL else _show_floors)
        _note_graphs(report, quiet=quiet)
        gates.raise_failures()
        return

    patterns = layer_patterns(include, exclude, groups, embeddings=embeddings, view=view, input_sizes=input_sizes)
    with noting_compilation(quiet=quiet), progress("looking at layers", quiet=quiet) as on_step:
        report = bound_report(checkpoint, options, patterns=patterns, threads=threads, on_step=on_step)
    gates.apply(report.rows)
    show(report, format, _show_graphs if view is View.SPATIAL else _show_bounds)
    note_left_out(report, quiet=quiet)
    _note_graphs(report, quiet=quiet)
    gates.raise_failures()


bound = Command("bound", _bound, "Example: topoimp bound lenet-300-100-mnist.safetensors")


_FLOORS = {
    "layer": "layer",
    "size": "size",
    "floor": "floor",
    "critical_compression": "critical compression",
    "rounds_to_floor": "rounds above floor",
}
_SAFETY = {
    "tau": "tau",
    "certificate_tight": "certificate tight",
    "safe_count": "safe count",
    "safe_sparsity": "safe sparsity",
    "safe_rounds": "safe rounds",
    "binding_vertex": "binding vertex",
}
_GRAPH = {
    "layer": "layer",
    "input_size": "input",
    "columns": "inputs",
    "rows": "outputs",
    "n_edges": "edges",
    "floor": "floor",
    "edge_compression": "critical compression",
}
_SUMS = {"convolutions": "all convolutions", "dense": "all dense layers", "network": "network"}
_KEPT = {
    "layer": "layer",
    "density": "density",
    "n_kept": "kept",
    "floor": "floor",
    "forest_guaranteed": "guaranteed",
    "forest_random": "random",
    "forest_iid": "iid",
    "forest_kept": "observed",
    "retention": "observed share",
    "overlap_bound": "overlap bound",
    "random_connected": "random connected",
}
_OF_NULL = {
    "layer": "layer",
    "density": "density",
    "null": "null model",
    "n_kept": "kept",
    "floor": "floor",
    "retention": "observed share",
    "retention_null": "null",
    "excess": "excess",
    "excess_low": "from",
    "excess_high": "to",
    "z_score": "z-score",
    "p_value": "p-value",
    "p_holm": "p Holm",
}


def _show_floors(report: Report) -> None:
    title = f"{report.settings.get('arch', 'shapes')}, all weights non-zero; rounds at rate {report.settings['rate']}"
    _show(report, title, _FLOORS)


def _show_bounds(report: Report) -> None:
    title = (
        f"{report.inputs['checkpoint']}: floor of any method, safe for magnitude; rounds at {report.settings['rate']}"
        f"{in_view(report)}"
    )
    _show(report, title, {**_FLOORS, **_SAFETY})
    show_finding(_global_line(report))


def _show(report: Report, title: str, columns: dict[str, str]) -> None:
    bounds: list[Row] = [row for row in report.rows if row["level"] != "density"]
    show_table(title, columns, for_people(bounds))
    if report.densities:
        by_density = report.settings.get("null") is None
        kept = {
            name: header
            for name, header in (_KEPT if by_density else _OF_NULL).items()
            if any(row[name] is not None for row in report.densities)
        }
        subject = "forest edges among the strongest weights" + ("" if by_density else ", beside null models")
        show_table(subject, kept, report.densities)


def _show_graphs(report: Report) -> None:
    subject = report.inputs.get("checkpoint", report.settings.get("arch", "shapes"))
    on_data = f" on {report.settings['data']}" if "data" in report.settings else ""
    convention = report.settings.get("spatial_convention")
    counted = f", convention {convention}" if convention else ""
    title = f"{subject}{on_data}: one filter of each convolution unrolled over its image, edges counted{counted}"
    rows: list[Row] = [
        {
            **row,
            "layer": _SUMS.get(str(row["level"]), row.get("layer")),
            "edge_compression": row["critical_compression"],
        }
        for row in report.rows
    ]
    show_table(title, _GRAPH, rows)


def _note_graphs(report: Report, *, quiet: bool) -> None:
    if report.settings.get("view") != View.SPATIAL:
        return
    note("the view spatial counts edges, which share a kernel's weights; input is HxW:stride:padding", quiet=quiet)
    shortcuts = [name for name, reason in report.left_out.items() if "shortcut" in reason]
    if shortcuts:
        note(f"not counted: shortcuts {first_names(shortcuts)}; --spatial-convention exact counts them", quiet=quiet)


def _global_line(report: Report) -> str:
    network = report.network
    if network.get("safe_count_global") is None:
        return "no layer has an edge"
    return (
        "pruned by magnitude with one global order, all barcodes are kept down to "
        f"{network['safe_count_global']:,} weights "
        f"(sparsity {network['safe_sparsity_global']:.4%}) and for {network['safe_rounds_global']} rounds; "
        f"{network['binding_layer']} binds"
    )
