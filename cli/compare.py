"""``topoimp compare``."""

from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import View
from topoimp.report import Report

from .options import (
    Command,
    Convention,
    Embeddings,
    Exclude,
    Format,
    FormatOption,
    Groups,
    Include,
    Quiet,
    Threads,
    ViewOption,
    layer_patterns,
)
from .output import for_people, in_view, note_left_out, noting_compilation, progress, show, show_table


def _compare(
    reference: Annotated[
        Path, typer.Argument(metavar="REFERENCE", help="A checkpoint: file, folder or index.", show_default=False)
    ],
    other: Annotated[
        Path,
        typer.Argument(
            metavar="OTHER", help="A checkpoint with the same layers, or a mask of REFERENCE.", show_default=False
        ),
    ],
    include: Include = None,
    exclude: Exclude = None,
    embeddings: Embeddings = False,
    groups: Groups = None,
    view: ViewOption = View.MATRIX,
    np: Convention = None,
    threads: Threads = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Print what OTHER has of the topology of REFERENCE, layer by layer."""
    from topoimp.choices import NeuralPersistence
    from topoimp.commands.compare import comparison_report

    patterns = layer_patterns(include, exclude, groups, embeddings=embeddings, view=view)
    with noting_compilation(quiet=quiet), progress("looking at layers", quiet=quiet) as on_step:
        report = comparison_report(reference, other, patterns=patterns, threads=threads, on_step=on_step)
    show(report, format, lambda report: _show_comparison(report, np or NeuralPersistence.RIECK))
    note_left_out(report, quiet=quiet)


compare = Command(
    "compare", _compare, "Example: topoimp compare lenet-300-100-mnist-init.safetensors lenet-300-100-mnist.safetensors"
)


def _show_comparison(report: Report, convention: str) -> None:
    persistence = f"np_{convention.replace('-', '_')}"
    columns = {
        "layer": "layer",
        "density": "density",
        "beta0_reference": "beta0 before",
        "beta0": "after",
        "beta0_kept": "beta0 kept",
        "barcode_kept": "barcode kept",
        "retention": "retention",
        f"{persistence}_reference": f"np {convention} before",
        persistence: "after",
    }
    title = f"{report.inputs['other']} against {report.inputs['reference']}{in_view(report)}"
    show_table(title, columns, for_people(report.rows))
