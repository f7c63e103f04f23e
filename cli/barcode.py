"""``topoimp barcode``."""

from typing import Annotated

import typer

from topoimp.choices import View
from topoimp.report import Report

from .options import (
    CheckpointPath,
    Command,
    Convention,
    Exclude,
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
from .output import for_people, in_view, note_left_out, noting_compilation, progress, show, show_table


def _barcode(
    checkpoint: CheckpointPath,
    include: Include = None,
    exclude: Exclude = None,
    groups: Groups = None,
    view: ViewOption = View.MATRIX,
    scale: ScaleOption = None,
    np: Convention = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List every tensor: the layers, and why the others are none.")
    ] = False,
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
    if list_:
        show(tensor_list(checkpoint, patterns=patterns), format, _show_list)
    else:
        with noting_compilation(quiet=quiet), progress("looking at layers", quiet=quiet) as on_step:
            report = barcode_report(
                checkpoint, patterns=patterns, scale=scale, convention=np, threads=threads, on_step=on_step
            )
        show(report, format, _show_barcodes)
        note_left_out(report, quiet=quiet)


barcode = Command("barcode", _barcode, "Example: topoimp barcode lenet-300-100-mnist.safetensors --np balwani")


def _show_barcodes(report: Report) -> None:
    convention, scale = report.settings["np"], report.settings["scale"]
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
        columns[f"np_{str(convention).replace('-', '_')}"] = f"neural persistence ({convention})"
    unit = "strengths as stored" if scale == "none" else f"deaths divided by the largest strength of the {scale}"
    show_table(f"{report.inputs['checkpoint']}: {unit}{in_view(report)}", columns, for_people(report.rows))


def _show_list(report: Report) -> None:
    columns = {"layer": "tensor", "dtype": "type", "shape": "shape", "selected": "layer", "reason": "why not"}
    show_table(str(report.inputs["checkpoint"]), columns, report.rows)
