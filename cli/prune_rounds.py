"""Print rounds with training between them."""

from typing import TYPE_CHECKING

from topoimp.reports.report import Report

from .evaluation import show_evaluation
from .options import Format
from .output import BESIDE_MAGNITUDE, ON_NO_PATH, densities, for_people, known, show_findings, show_notes, show_table
from .prune_output import DISPENSABLE, beside_magnitude, held_layers, which_pruning
from .streams import note

if TYPE_CHECKING:
    from topoimp.commands.trained_rounds import IterativePruning

PICTURES = ("plot", "report")
"""Roles of the outputs that the user names; the others are tables of the run folder."""

_DEVIATION = "accuracy_deviation"
_ROUND = {
    "round": "round",
    "target": "target",
    "n_kept": "kept",
    "density": "density",
    "checkpoint_density": "of checkpoint",
    "test_accuracy": "accuracy",
    _DEVIATION: "+-",
    **ON_NO_PATH,
    "retention": "retention",
    **BESIDE_MAGNITUDE,
    "beta0": "beta0",
    "round_barcode_kept": "round kept barcode",
    "bottleneck": "bottleneck",
}
_LAYER = {
    "layer": "layer",
    "seed": "seed",
    "floor": "floor",
    "target": "target",
    "n_kept": "kept",
    "density": "density",
    **ON_NO_PATH,
    "retention": "retention",
    **BESIDE_MAGNITUDE,
    "beta0": "beta0",
    "round_barcode_kept": "round kept barcode",
    "floor_binds": "floor binds",
}


def show_rounds(report: Report) -> None:
    """Print a row per round, on average over the seeds, and the layers after the last."""
    from topoimp.rounds.over_seeds import round_means

    seeds = report.settings["seeds"]
    n_seeds = len(seeds) if isinstance(seeds, list) else 1
    mean = f", mean of {n_seeds} seeds" if n_seeds > 1 else ""
    means = round_means(report.rows)
    columns = {name: header for name, header in known(_ROUND, means).items() if n_seeds > 1 or name != _DEVIATION}
    show_table(f"{report.inputs['run']}: {which_pruning(report)}{mean}", columns, means, dispensable=DISPENSABLE)
    last = report.network["round"]
    layers = [row for row in report.rows if row["round"] == last and row["level"] == "layer"]
    columns = {name: header for name, header in known(_LAYER, layers).items() if n_seeds > 1 or name != "seed"}
    show_table(f"after round {last}", columns, for_people(layers), dispensable=DISPENSABLE)
    show_evaluation(report, means)


def sum_up_rounds(
    pruning: "IterativePruning",
    format: Format,  # noqa: A002  # the option's word
    *,
    quiet: bool,
    verbose: bool,
) -> None:
    """Print the layers held at their floor, and the notes of the report; note the files written."""
    report = pruning.report
    is_one = len(report.rounds) == len({row["round"] for row in report.rounds})
    of_seed = [*densities(report.network), *beside_magnitude(report)] if is_one else []
    show_findings([*of_seed, *held_layers(pruning.held_at_floor)], format, quiet=quiet)
    show_notes(report, quiet=quiet)
    if verbose:
        for name, reason in report.left_out.items():
            note(f"left out {name}: {reason}", quiet=quiet)
    first, *others = (path for role, path in report.outputs.items() if role not in PICTURES)
    note(f"wrote {', '.join([str(first), *(path.name for path in others[:-1])])} and {others[-1].name}", quiet=quiet)
    for role in PICTURES:
        if role in report.outputs:
            note(f"wrote {report.outputs[role]}", quiet=quiet)
