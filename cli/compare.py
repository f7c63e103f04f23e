"""``topoimp compare``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import Essential, NeuralPersistence, RoundReference, View
from topoimp.reports.evaluation_columns import EVALUATED
from topoimp.reports.report import Report

from .evaluation import EvalTimeout, Evaluate, evaluation_of, show_evaluation
from .gates import Gates
from .options import (
    Chain,
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
    ON_NO_PATH,
    densities,
    for_people,
    in_view,
    known,
    noting_compilation,
    show,
    show_finding,
    show_notes,
    show_table,
)
from .picture_options import FigureName, PageFile, Plot, Size
from .progress import progress
from .role_tables import By, ByOption, by_subject, check_by
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
            on_step=on_step,
        )
    shown = comparison_over_seeds(found) if over_seeds else found
    gates.apply(shown.rows)
    show(shown, format, _show_over_seeds if over_seeds else lambda report: _show_comparison(report, np_convention, by))
    show_notes(found, quiet=quiet)
    for path in found.outputs.values():
        note(f"wrote {path}", quiet=quiet)
    gates.raise_failures()


compare = Command(
    "compare", _compare, "Example: topoimp compare lenet-300-100-mnist-init.safetensors lenet-300-100-mnist.safetensors"
)


def _show_comparison(report: Report, np_convention: NeuralPersistence | None, by: By) -> None:
    """Print eleven columns at most, as far as they fit, by layer or role; of several others only networks."""
    others = [name for name in report.inputs if name != "reference"]
    is_one = "other" not in report.network
    first = {"layer": "layer"} if is_one else {"other": "other"}
    if isinstance(report.settings["null"], list):
        first["null"] = "null model"
    subject = str(report.inputs[others[0]]) if is_one else _counted(report, others)
    rest = "all columns: --format csv" if is_one else "all columns, and the layers: --format csv"
    rows = for_people(report.rows) if is_one else report.rounds
    persistences = _persistences(np_convention or NeuralPersistence.RIECK)
    if np_convention is None and report.settings["null"] is not None:
        persistences = {}  # the columns of the null model take their place
    chance = _BY_CHANCE if report.settings["null"] is None else _OF_NULL
    kept = {name: header for name, header in known(_KEPT, rows).items() if not is_one or name != "checkpoint_density"}
    dispensable = [["checkpoint_density"], list(persistences), ["bottleneck"], ["excess"], list(ON_NO_PATH)]
    if by is By.ROLE:  # ranges are wide
        dispensable += [[column] for column in ("density", "beta0_kept", "beta0", "barcode_kept", "n_layers")]
    show_table(
        f"{subject} against {_reference_of(report)}{in_view(report)} ({rest})",
        *by_subject({**first, **kept, **chance, **persistences}, rows, by),
        dispensable=dispensable,
    )
    show_evaluation(report)
    for finding in densities(report.network) if is_one else []:
        show_finding(finding)


def _show_over_seeds(report: Report) -> None:
    """Print the mean retention and its excess over chance, of each round of the network and of each pair."""
    quantities = ("retention", "retention_iid" if report.settings["null"] is None else "retention_null", "excess")
    runs = ", ".join(str(path) for name, path in report.inputs.items() if name != "reference")
    show_table(
        f"{runs} over the seeds, against {_reference_of(report)}{in_view(report)} (all quantities: --format csv)",
        {name: header for name, header in _OVER_SEEDS.items() if name != "null" or name in report.network},
        [row for row in report.rounds if row["quantity"] in quantities or str(row["quantity"]).startswith(EVALUATED)],
        dispensable=[["minimum", "maximum"]],
    )


_OVER_SEEDS = {
    "pruning": "pruning",
    "baseline": "less",
    "round": "round",
    "null": "null model",
    "quantity": "quantity",
    "n_seeds": "seeds",
    "mean": "mean",
    "mean_low": "95 % from",
    "mean_high": "to",
    "minimum": "minimum",
    "maximum": "maximum",
}
_KEPT = {
    "density": "density",
    "checkpoint_density": "of checkpoint",
    **ON_NO_PATH,
    "beta0": "beta0",
    "beta0_kept": "beta0 kept",
    "barcode_kept": "barcode kept",
    "retention": "retention",
}
_BY_CHANCE = {"retention_iid": "by chance", "bottleneck": "bottleneck"}
_OF_NULL = {"retention_null": "null", "excess": "excess", "z_score": "z-score", "p_value": "p-value"}


def _persistences(np_convention: NeuralPersistence) -> dict[str, str]:
    """Return the columns of the neural persistence in the table, before and after."""
    column = f"np_{np_convention.replace('-', '_')}"
    return {f"{column}_reference": f"np {np_convention} before", column: "after"}


def _counted(report: Report, others: Sequence[str]) -> str:
    """Return the number of others, and their folder if all are rounds of one."""
    noun = "rounds" if "round" in report.network else "others"
    n_nulls = len({row.get("null") for row in report.rounds})
    n_compared = len(report.rounds) // n_nulls
    return f"{n_compared} {noun}" + (f" of {report.inputs[others[0]]}" if len(others) == 1 else "")


def _reference_of(report: Report) -> str:
    """Return the reference for the title: a path, or what each round is compared with."""
    if "reference" in report.inputs:
        return str(report.inputs["reference"])
    return "their own round 0" if report.settings["reference"] == RoundReference.ROUND_0 else "the round before"


def parse_rounds(text: str | None) -> list[int | str] | None:
    """Return the numbers of rounds that a text such as ``5,10,last`` names; another word stays as it is."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    return [int(word) if word.isdecimal() and len(word) < 10 else word for word in words]
