"""``topoimp compare``."""

from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import Essential, RoundReference, View

from .compare_output import show_comparison, show_over_seeds
from .evaluation import EvalTimeout, Evaluate, evaluation_of
from .gates import Gates
from .options import (
    Chain,
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
    Junit,
    Key,
    NpConvention,
    Nulls,
    Quiet,
    Scores,
    Threads,
    ViewOption,
    layer_patterns,
    refuse,
)
from .output import (
    noting_compilation,
    show,
    show_notes,
)
from .picture_options import FigureName, PageFile, Plot, Size
from .progress import progress
from .role_tables import By, ByOption, check_by
from .streams import note
from .training_options import parse_seeds

OF_ROUNDS = "Rounds of pruning"
"""Title of the options about folders of rounds in the help."""


def _compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[REFERENCE] OTHER...",
            help="REFERENCE is a checkpoint: a file, folder or index. OTHERs are checkpoints with the same layers, "
            "masks of REFERENCE, or folders of pruning rounds. Without REFERENCE, each round has a reference of its "
            "own.",
            show_default=False,
        ),
    ],
    reference: Annotated[
        RoundReference | None,
        typer.Option(
            "--reference",
            help="Compare each round with its own unpruned network (round-0), or with the round before (previous).",
            show_default="round-0 without REFERENCE",
            rich_help_panel=OF_ROUNDS,
        ),
    ] = None,
    rounds: Annotated[
        str | None,
        typer.Option(
            "--rounds",
            metavar="K,...,last",
            help="Compare only these rounds, as in 5,10,last.",
            show_default="all",
            rich_help_panel=OF_ROUNDS,
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            metavar="N|A,B,...",
            help="Compare only rounds of the N seeds from 0, or of a list of seeds.",
            show_default="all",
            rich_help_panel=OF_ROUNDS,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="Compare only rounds of this method.",
            show_default="all",
            rich_help_panel=OF_ROUNDS,
        ),
    ] = None,
    across_seeds: Annotated[
        bool,
        typer.Option(
            "--across-seeds",
            help="Compare REFERENCE also with rounds that start from another network.",
            rich_help_panel=OF_ROUNDS,
        ),
    ] = False,
    over_seeds: Annotated[
        bool,
        typer.Option(
            "--over-seeds",
            help="Print the means over the seeds with their 95 % intervals, and the mean differences of prunings.",
            rich_help_panel=OF_ROUNDS,
        ),
    ] = False,
    null: Nulls = None,
    fail_if: FailIf = None,
    junit: Junit = None,
    key: Key = None,
    include: Include = None,
    exclude: Exclude = None,
    embeddings: Embeddings = False,
    groups: Groups = None,
    chain: Chain = None,
    scores: Scores = None,
    view: ViewOption = View.MATRIX,
    np_convention: NpConvention = None,
    p: Annotated[float, typer.Option("--p", metavar="P", help="Norm of neural persistence, at least 1.")] = 2.0,
    essential: Annotated[
        Essential, typer.Option("--essential", help="Death of essential bars in the distances between barcodes.")
    ] = Essential.DIES_AT_ZERO,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Seed of the shuffles and other simulations, at least 0.")
    ] = 0,
    evaluate: Evaluate = None,
    eval_timeout: EvalTimeout = None,
    plot: Plot = None,
    figure: FigureName = None,
    size: Size = None,
    report: PageFile = None,
    force: Force = False,
    threads: Threads = None,
    cluster: ClusterOfLayers = None,
    by: ByOption = By.LAYER,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
) -> None:
    """Print how much of the topology of a reference each OTHER keeps, layer by layer, beside chance."""
    from topoimp.commands.compare import comparison_report
    from topoimp.commands.compare_over_seeds import comparison_over_seeds
    from topoimp.rounds.finished import holds_rounds

    patterns = layer_patterns(include, exclude, groups, embeddings=embeddings, view=view)
    is_of_rounds = any(map(holds_rounds, paths))
    check_by(by, format, 2 if is_of_rounds else len(paths) - 1)
    if over_seeds:
        refuse({"--by": by if by is By.ROLE else None}, "does not go with --over-seeds, whose table has networks")
    gates = Gates("compare", fail_if, junit)
    evaluation = evaluation_of(evaluate, eval_timeout, gates)
    with noting_compilation(quiet=quiet), progress("looking at layers", quiet=quiet) as on_step:
        found = comparison_report(
            *paths,
            reference=reference,
            rounds=parse_rounds(rounds),
            seeds=parse_seeds(seeds),
            method=method,
            across_seeds=across_seeds,
            key=key,
            patterns=patterns,
            chain=chain,
            scores=scores,
            null=null,
            seed=seed,
            essential=essential,
            p=p,
            evaluate=evaluation,
            plot=plot,
            figure=figure,
            size=size,
            report=report,
            force=force,
            threads=threads,
            cluster=cluster,
            on_step=on_step,
        )
    shown = comparison_over_seeds(found) if over_seeds else found
    gates.apply(shown.rows)
    show(shown, format, show_over_seeds if over_seeds else lambda report: show_comparison(report, np_convention, by))
    show_notes(found, quiet=quiet)
    for path in found.outputs.values():
        note(f"wrote {path}", quiet=quiet)
    gates.raise_failures()


compare = Command(
    "compare", _compare, "Example: topoimp compare lenet-300-100-mnist-init.safetensors lenet-300-100-mnist.safetensors"
)


def parse_rounds(text: str | None) -> list[int | str] | None:
    """Return the numbers of rounds that a text such as ``5,10,last`` names; another word stays as it is."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    return [int(word) if word.isdecimal() and len(word) < 10 else word for word in words]
