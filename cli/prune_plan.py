"""Print the plan of a pruning: the rounds, those in which floors bind and barcodes change, disk space and memory."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from topoimp.reports.report import Report

from .options import Format
from .output import (
    BESIDE_MAGNITUDE,
    densities,
    for_people,
    known,
    show,
    show_findings,
    show_notes,
    show_table,
    size_text,
    some_names,
)
from .prune_output import DISPENSABLE, beside_magnitude, show_pruning, which_pruning, without_room

if TYPE_CHECKING:
    from topoimp.commands.plan_pruning import PruningPlan


def show_plan(plan: "PruningPlan", format: Format, *, quiet: bool) -> None:  # noqa: A002  # the option's word
    """Print the rounds as the pruning would, and the rounds in which floors bind and barcodes change."""
    show(plan.report, format, show_pruning)
    changed = _by_round("the barcode is another from round", plan.first_changed)
    findings = [
        *densities(plan.report.network),
        *beside_magnitude(plan.report),
        *without_room(plan.report),
        *_by_round("held at the floor from round", plan.first_bound),
        *(changed or ["all barcodes are kept in all rounds"]),
        f"about {size_text(plan.bytes_to_write)} to write, {size_text(plan.peak_memory)} of memory",
    ]
    show_findings(findings, format, quiet=quiet)
    show_notes(plan.report, quiet=quiet)


_ROUND = {
    "seed": "seed",
    "round": "round",
    "target": "target",
    "n_kept": "kept",
    "density": "density",
    "checkpoint_density": "of checkpoint",
    "beta0": "beta0",
    "round_barcode_kept": "round kept barcode",
    "retention": "retention",
    **BESIDE_MAGNITUDE,
    "retention_iid": "by chance",
    "floor_binds": "floor binds",
}
_LAYER = {"layer": "layer", "seed": "seed", "floor": "floor", "target": "target", "floor_binds": "floor binds"}


def show_run_plan(report: Report, format: Format, *, quiet: bool) -> None:  # noqa: A002  # the option's word
    """Print the rounds of a run folder as far as they are known before training."""
    show(report, format, _show_run)
    size = size_text(int(str(report.network["bytes_to_write"])))
    findings = [
        *_by_round("held at the floor from round", _first_bound(report)),
        f"about {size} to write for each round of a seed, round 0 too",
    ]
    show_findings(findings, format, quiet=quiet)
    show_notes(report, quiet=quiet)


def _first_bound(report: Report) -> dict[str, int]:
    """Return, by layer, the first round of any seed in which it is held at its floor."""
    first: dict[str, int] = {}
    for row in report.layers:
        if row["floor_binds"]:
            name = str(row["layer"])
            number = int(str(row["round"]))
            first[name] = min(number, first.get(name, number))
    return first


def _show_run(report: Report) -> None:
    title = f"{report.inputs['run']}: {which_pruning(report)}"
    show_table(title, known(_ROUND, report.rounds), report.rounds, dispensable=DISPENSABLE)
    last = report.network["round"]
    show_table(f"in round {last}", _LAYER, for_people([row for row in report.layers if row["round"] == last]))


def _by_round(event: str, first: Mapping[str, int]) -> list[str]:
    """Return a line for each round, with its layers."""
    from topoimp.layers.records import natural

    names: dict[int, list[str]] = {}
    for name in sorted(first, key=natural):
        names.setdefault(first[name], []).append(name)
    return [f"{event} {number} on: {some_names(names[number])}" for number in sorted(names)]
