"""``topoimp bound``."""

from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import View
from topoimp.report import Report

from .options import (
    Command,
    Embeddings,
    Exclude,
    Format,
    FormatOption,
    Groups,
    Include,
    Quiet,
    Rate,
    Threads,
    ViewOption,
    layer_patterns,
)
from .output import for_people, in_view, note, note_left_out, noting_compilation, progress, show, show_table


def _bound(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(metavar="CHECKPOINT", help="A checkpoint: file, folder or index.", show_default=False),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch", metavar="MODEL", help="Shapes alone: lenet-300-100, vgg-16, ..., or mlp:784-300-100-10."
        ),
    ] = None,
    rate: Rate = None,
    include: Include = None,
    exclude: Exclude = None,
    embeddings: Embeddings = False,
    groups: Groups = None,
    view: ViewOption = View.MATRIX,
    threads: Threads = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Print how far each layer of CHECKPOINT can be pruned with its barcode kept, by any method and by magnitude."""
    from topoimp.commands.bound import architecture_bound_report, bound_report
    from topoimp.errors import OptionError
    from topoimp.schedule import DEFAULT_RATE

    rate = DEFAULT_RATE if rate is None else rate
    if (checkpoint is None) == (arch is None):
        raise OptionError("bound takes either a CHECKPOINT or --arch MODEL, and one of them is needed")
    if checkpoint is None:
        if include or exclude or embeddings or groups or view is not View.MATRIX:
            raise OptionError(
                "--include, --exclude, --embeddings, --groups and --view are about a CHECKPOINT; --arch has none"
            )
        show(architecture_bound_report(str(arch), rate=rate), format, _show_floors)
        return
    patterns = layer_patterns(include, exclude, groups, embeddings=embeddings, view=view)
    with noting_compilation(quiet=quiet), progress("looking at layers", quiet=quiet) as on_step:
        report = bound_report(checkpoint, patterns=patterns, rate=rate, threads=threads, on_step=on_step)
    show(report, format, _show_bounds)
    note_left_out(report, quiet=quiet)
    if format is Format.TABLE:
        note(_global_line(report), quiet=quiet)


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
    "safe_count": "safe count",
    "safe_sparsity": "safe sparsity",
    "safe_rounds": "safe rounds",
    "binding_vertex": "binding vertex",
}


def _show_floors(report: Report) -> None:
    title = f"{report.settings['arch']}, all weights non-zero; rounds at rate {report.settings['rate']}"
    show_table(title, _FLOORS, for_people(report.rows))


def _show_bounds(report: Report) -> None:
    title = (
        f"{report.inputs['checkpoint']}: floor of any method, safe for magnitude; rounds at {report.settings['rate']}"
        f"{in_view(report)}"
    )
    show_table(title, {**_FLOORS, **_SAFETY}, for_people(report.rows))


def _global_line(report: Report) -> str:
    network = report.network
    if network.get("safe_count_global") is None:
        return "no layer has an edge"
    return (
        "pruned by magnitude with one global order, all barcodes are kept down to "
        f"{network['safe_count_global']:,} weights "
        f"(sparsity {network['safe_sparsity_global']:.4%}); {network['binding_layer']} binds"
    )
