"""``topoimp train``."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topoimp.choices import Optimizer, Recipes
from topoimp.reports.report import Report

from .options import Command, Force, Format, FormatOption, Quiet
from .output import noting_compilation, show, show_notes, show_table
from .progress import progress
from .streams import note
from .training_options import ClusterOption, DataDir, Jobs, KeepGoing, Seeds, parse_seeds, parse_sets

if TYPE_CHECKING:
    from topoimp.commands.train import Training


def _train(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="Network: lenet-300-100, lenet-5, conv-2, conv-4, conv-6, vgg-11, vgg-16, resnet-20, resnet-18, or "
            "the widths of its layers as in mlp:64-32-10, or a VGG with other dense layers as in vgg-11:512-256-10. "
            "A recipe file may name it instead.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="Data set: digits (embedded), mnist, fashion-mnist, cifar10, or an .npz file of arrays.",
            show_default="the recipe's, or digits",
        ),
    ] = None,
    data_dir: DataDir = None,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            metavar="default|canonical|quick|FILE.toml",
            help="Settings of training: the default of the data, those published for the network, these in fewer "
            "epochs, or those of a file, such as recipe.toml of a run folder.",
        ),
    ] = Recipes.DEFAULT.value,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change a setting of the recipe by its name in recipe.toml, as in schedule=cosine, augment=true, "
            "'drops=[400,800]' or pruning.rate=0.1. Repeatable.",
            show_default="no change",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="Run folder to write.", show_default="./MODEL-DATA"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", metavar="N", help="Number of passes over the data.", show_default="the recipe's"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size", metavar="N", help="Number of images per step, from 1.", show_default="the recipe's"
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            metavar="R",
            help="Learning rate of the first step, above 0.",
            show_default="the recipe's",
        ),
    ] = None,
    optimizer: Annotated[
        Optimizer | None, typer.Option("--optimizer", help="Rule of the steps.", show_default="the recipe's")
    ] = None,
    momentum: Annotated[
        float | None,
        typer.Option(
            "--momentum",
            metavar="M",
            help="Momentum of SGD, from 0 to below 1.",
            show_default="the recipe's; 0 with another optimizer than the recipe's",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            "--weight-decay", metavar="L", help="L2 penalty on the weights, at least 0.", show_default="the recipe's"
        ),
    ] = None,
    rewind_at: Annotated[
        int | None,
        typer.Option(
            "--rewind-at",
            metavar="STEP",
            help="Training step after which the rewind weights are taken; 0 takes the initial weights.",
            show_default="the recipe file's, or 0",
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            "--init",
            metavar="FILE",
            help="Safetensors file of initial weights, with every tensor of the network.",
            show_default="those of the seed",
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="Mask file: the weights that it prunes are zero at the start and stay zero.",
            show_default="none",
        ),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch",
            metavar="COLUMN,...",
            help="Record these columns of barcode, overlap, or np for all neural persistences, for every layer during "
            "training, in topology.csv of each seed.",
            show_default="no record",
        ),
    ] = None,
    watch_every: Annotated[
        int | None,
        typer.Option(
            "--watch-every",
            metavar="STEPS",
            help="Number of steps between two records of --watch, from 1; step 0 and the last are recorded too.",
            show_default="each epoch",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="S",
            help="Seed of the initial weights and of the order of the images, at least 0.",
            show_default="0",
        ),
    ] = None,
    seeds: Seeds = None,
    jobs: Jobs = None,
    cluster: ClusterOption = None,
    keep_going: KeepGoing = False,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            help="Number of threads of each replicate, from 1; the same number gives the same bits.",
            show_default="the recipe file's, or 1 for up to a million parameters, else all cores",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="cpu|cuda|auto",
            help="Device that trains; auto takes cuda where there is any.",
            show_default="the recipe file's, or auto",
        ),
    ] = None,
    force: Force = False,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Train a small network to study; writes a run folder with its initial, rewind and trained weights."""
    from topoimp.commands.train import train_run
    from topoimp.errors import OptionError

    if seed is not None and seeds is not None:
        raise OptionError("--seed and --seeds are given; give only one of them")
    compiling = nullcontext() if watch is None else noting_compilation(quiet=quiet)
    with compiling, progress(f"training {model or recipe}", quiet=quiet) as on_step:
        training = train_run(
            model,
            data=data,
            data_dir=data_dir,
            recipe=recipe,
            sets=parse_sets(sets),
            output=output,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            optimizer=optimizer,
            momentum=momentum,
            weight_decay=weight_decay,
            rewind_at=rewind_at,
            init=init,
            mask=mask,
            watch=[] if watch is None else [word.strip() for word in watch.split(",")],
            watch_every=watch_every,
            seed=seed or 0,
            seeds=parse_seeds(seeds),
            jobs=jobs,
            cluster=cluster,
            keep_going=keep_going,
            threads=threads,
            device=device,
            force=force,
            on_step=on_step,
        )
    show(training.report, format, _show_epochs)
    _note_training(training, quiet=quiet)


train = Command("train", _train, "Example: topoimp train mlp:64-32-10 --data digits --epochs 3")


def _show_epochs(report: Report) -> None:
    columns = {
        "epoch": "epoch",
        "step": "step",
        "train_loss": "training loss",
        "test_loss": "test loss",
        "test_accuracy": "test accuracy",
    }
    if len({row["seed"] for row in report.rows}) > 1:
        columns = {"seed": "seed", **columns}
    show_table(f"{report.settings['model']} on {report.settings['data']}", columns, report.rows)


def _note_training(training: "Training", *, quiet: bool) -> None:
    show_notes(training.report, quiet=quiet)
    n_seeds = len(training.seed_folders)
    if n_seeds == 1 and training.n_new:
        folder = training.seed_folders[0]
        tables = "metrics.csv, topology.csv" if "watch" in training.report.settings else "metrics.csv"
        note(f"wrote {folder / 'model.safetensors'} (and init, rewind, {tables} beside it)", quiet=quiet)
    if n_seeds > 1:
        note(f"wrote {training.n_new} seeds to {training.folder}", quiet=quiet)
