"""``topoimp train``."""

from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import Data
from topoimp.report import Report

from .options import Command, Force, Format, FormatOption, Quiet
from .output import note, progress, show, show_table


def _train(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="lenet-300-100, lenet-5, or widths as in mlp:64-32-10.", show_default=False
        ),
    ],
    data: Annotated[Data, typer.Option("--data", help="The data set; digits is embedded.")] = Data.DIGITS,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="Folder of the published .gz files of mnist or fashion-mnist."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="The run folder.", show_default="./MODEL-DATA"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            help="Passes over the data.",
            show_default="digits 40, mnist 6, fashion-mnist 12",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", metavar="N", help="Images a step.", show_default="digits 32, the others 60"),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", metavar="R", help="Of Adam.", show_default="digits 0.002, the others 0.0012"),
    ] = None,
    rewind_at: Annotated[
        int,
        typer.Option(
            "--rewind-at",
            metavar="STEP",
            help="Step after which the rewind weights are taken; 0: the initial ones.",
        ),
    ] = 0,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Of the initial weights and the order of the images.")
    ] = 0,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", metavar="N", help="Results repeat bit for bit at equal threads.", show_default="all cores"
        ),
    ] = None,
    force: Force = False,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Train a small network to study; writes a run folder with its initial, rewind and trained weights."""
    from topoimp.commands.train import train_run

    with progress(f"training {model}", quiet=quiet) as on_step:
        training = train_run(
            model,
            data=data,
            data_folder=data_dir,
            output=output,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            rewind_at=rewind_at,
            seed=seed,
            threads=threads,
            force=force,
            on_step=on_step,
        )
    show(training.report, format, _show_epochs)
    note(
        f"wrote {training.seed_folder / 'model.safetensors'} (and init, rewind, metrics.csv beside it)",
        quiet=quiet,
    )


train = Command("train", _train, "Example: topoimp train mlp:64-32-10 --data digits --epochs 3")


def _show_epochs(report: Report) -> None:
    columns = {
        "epoch": "epoch",
        "step": "step",
        "train_loss": "training loss",
        "test_loss": "test loss",
        "test_accuracy": "test accuracy",
    }
    show_table(f"{report.settings['model']} on {report.settings['data']}", columns, report.rows)
