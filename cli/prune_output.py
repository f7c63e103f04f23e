"""Print the pruning of a checkpoint: tables and findings, and notes on stderr."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topoimp.choices import Method
from topoimp.reports.cells import Row
from topoimp.reports.report import Report

from .evaluation import show_evaluation
from .options import Format
from .output import (
    BESIDE_MAGNITUDE,
    ON_NO_PATH,
    WITHOUT_ROOM,
    densities,
    for_people,
    in_view,
    known,
    noting_compilation,
    show_findings,
    show_notes,
    show_table,
    size_text,
    some_names,
)
from .progress import progress
from .streams import note

if TYPE_CHECKING:
    from topoimp.commands.pruning_job import Pruning

_FACTS = {
    "target": "target",
    "n_kept": "kept",
    "n_repaired": "repaired",
    "density": "density",
    "checkpoint_density": "of checkpoint",
    **ON_NO_PATH,
    "beta0": "beta0",
    "barcode_kept": "barcode kept",
    "retention": "retention",
    **BESIDE_MAGNITUDE,
    **WITHOUT_ROOM,
    "retention_iid": "by chance",
    "floor_binds": "floor binds",
}


DISPENSABLE = (["checkpoint_density"], ["target"], list(BESIDE_MAGNITUDE))
"""Columns that tables of rounds leave out where the terminal is narrow: sentences below have two of them."""


def show_pruning(report: Report) -> None:
    """Print a row per round, and the layers after the last; of a pruning by a given mask, the layers."""
    settings = report.settings
    facts = {name: header for name, header in known(_FACTS, report.rows).items() if name in report.layers[-1]}
    if "rounds" not in settings:
        shuffle = f", shuffled ({settings['shuffle_mask']})" if "shuffle_mask" in settings else ""
        repaired = ", repaired" if "repair" in settings else ""
        of_mask = f"{settings['method']} of {report.inputs['mask']}{shuffle}{repaired}"
        title = f"{report.inputs['checkpoint']} under the {of_mask}{in_view(report)}"
        show_table(title, {"layer": "layer", "floor": "floor", **facts}, for_people(report.rows))
        show_evaluation(report)
        return
    of_rounds = {name: header for name, header in known(_FACTS, report.rows).items() if name in report.network}
    title = f"{report.inputs['checkpoint']}: {which_pruning(report)}"
    show_table(title, {"round": "round", **of_rounds}, report.rounds, dispensable=DISPENSABLE)
    last = report.network["round"]
    layers = for_people([row for row in report.rows if row["round"] == last])
    columns = {"layer": "layer", "floor": "floor", **facts}
    show_table(f"after round {last}", columns, layers, dispensable=DISPENSABLE)
    show_evaluation(report)


def which_pruning(report: Report) -> str:
    """Return the method, scope or pattern, schedule, preset and scores of a pruning, the usual ones left out."""
    settings = report.settings
    epsilon = f", epsilon {settings['epsilon']:g}" if settings.get("epsilon") else ""
    schedule = f", schedule {settings['schedule']}" if "schedule" in settings else ""
    preset = f", preset {settings['preset']}" if "preset" in settings else ""
    extent = f"scope {settings['scope']}" if "scope" in settings else f"pattern {settings['pattern']}"
    return f"method {settings['method']}{epsilon}, {extent}{schedule}{preset}{in_view(report)}"


def beside_magnitude(report: Report) -> list[str]:
    """Return the finding about the masks of ``topological`` and ``magnitude`` in the last round, if it is of one."""
    n_added = report.network.get("n_forest_added")
    if n_added is None:
        return []
    if n_added == 0:
        return [f"topological and magnitude pruning keep the same weights in round {report.network['round']}"]
    if report.settings["method"] == Method.MAGNITUDE:
        return [f"topological pruning to the same targets keeps {n_added:,} of the weights that were dropped"]
    return [f"magnitude pruning to the same targets drops {n_added:,} of the {report.network['n_kept']:,} weights kept"]


def without_room(report: Report) -> list[str]:
    """Return the finding about the edges of forests that do not fit in a pattern, if there are any."""
    unfit = [row for row in report.rows if row["level"] == "layer" and row.get("n_forest_unfit")]
    if not unfit:
        return []
    n_unfit, n_edges = (sum(int(str(row[name])) for row in unfit) for name in ("n_forest_unfit", "floor"))
    names = some_names([str(row["layer"]) for row in unfit])
    pattern = report.settings["pattern"]
    return [f"the pattern {pattern} has no room for {n_unfit:,} of {n_edges:,} forest edges: {names}"]


def sizes(network: Row) -> list[str]:
    """Return the finding about the bytes of the checkpoint and its mask, if the size under zstd was asked for."""
    if "bytes_zstd" not in network:
        return []
    whole, compressed, mask = (size_text(int(str(network[name]))) for name in ("bytes", "bytes_zstd", "bytes_mask"))
    return [f"the checkpoint takes {whole}, under zstd {compressed}; its mask takes {mask}"]


def held_layers(names: Sequence[str]) -> list[str]:
    """Return the finding that names the layers that are held at their floor, if there are any."""
    return [f"held at the floor, as their target is below it: {some_names(names)}"] if names else []


def grown_layers(names: Sequence[str]) -> list[str]:
    """Return the finding that names the layers whose repaired mask is larger than the mask, if there are any."""
    return [f"grown to the floor, as the mask keeps fewer weights: {some_names(names)}"] if names else []


def sum_up_pruning(pruning: "Pruning", format: Format, *, quiet: bool, verbose: bool) -> None:  # noqa: A002  # the option's word
    """Print the layers held at their floor, and the notes of the report; note the files written."""
    report, outputs = pruning.report, pruning.outputs
    held = grown_layers if "repair" in report.settings else held_layers
    findings = [
        *densities(report.network),
        *beside_magnitude(report),
        *without_room(report),
        *sizes(report.network),
        *held(pruning.held_at_floor),
    ]
    show_findings(findings, format, quiet=quiet)
    show_notes(report, quiet=quiet)
    if verbose:
        for name, reason in report.left_out.items():
            note(f"left out {name}: {reason}", quiet=quiet)
    weights = (*outputs.rounds.values(), outputs.checkpoint, outputs.mask)
    for path in (*weights, outputs.table, *outputs.pictures.values()):
        note(f"wrote {path}", quiet=quiet)


@contextmanager
def working_on(title: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show compilation and progress of a pruning."""
    with noting_compilation(quiet=quiet), progress(title, quiet=quiet) as on_step:
        yield on_step
