"""Do the rounds of all seeds, with training between them, and report them: tasks in, tables and a report out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from topoimp.commands.evaluated_outputs import evaluation_settings
from topoimp.commands.pages import PictureFiles
from topoimp.commands.prune_run_pictures import RunResults, write_files_of_rounds
from topoimp.engine.cluster import SideBySide
from topoimp.errors import OptionError, TopoimpError
from topoimp.kernels.threads import OnStep
from topoimp.layers.notes import notes_on
from topoimp.layers.records import Layers, natural
from topoimp.network.chain import notes_on_chain
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.own import can_be_sent
from topoimp.reports.report import Report
from topoimp.reports.rows import chain_settings, left_out, run_settings
from topoimp.rounds.planning import NO_REWINDING
from topoimp.rounds.run_folder import RunFiles
from topoimp.rounds.seed import SeedTask, await_ending_run, prune_seed
from topoimp.rounds.table import rows_in, write_tables


@dataclass(frozen=True)
class IterativePruning:
    """Rounds of pruning that are written.

    Args:
        report: a row per seed, round and layer, and one per seed and round.
        folders: the folder of the rounds of each seed.
        n_new: rounds done by this call; the others existed.
        held_at_floor: layers whose last target is below their floor.
    """

    report: Report
    folders: Sequence[Path]
    n_new: int
    held_at_floor: Sequence[str]


def prune_seeds(
    run: Path,
    tasks: Sequence[SeedTask],
    layers: Layers,
    pictures: PictureFiles[RunResults],
    provenance: Mapping[str, str],
    side_by_side: SideBySide,
    usual_jobs: int,
    on_step: OnStep | None,
    on_wait: Callable[[str], None],
    *,
    chain: NetworkGraph | None = None,
) -> IterativePruning:
    """Do the rounds of all seeds; write the tables of finished rounds, even if a seed fails, then picture and page."""
    for task in tasks:
        await_ending_run(task.rounds, on_wait)
    n_rounds = tasks[0].plan.scheme.schedule.n_rounds
    n_before = sum(0 if task.force else min(max(task.rounds.n_finished() - 1, 0), n_rounds) for task in tasks)
    n_new = n_rounds * len(tasks) - n_before
    try:
        side_by_side = _as_can_be_sent(side_by_side, tasks[0].plan.scheme.method)
        side_by_side.run(prune_seed, tasks, usual_jobs=usual_jobs, on_step=on_step)
    except BaseException:
        with suppress(TopoimpError):  # the first error is the one to report
            write_tables(run)
        raise
    write_tables(run)

    scheme = tasks[0].plan.scheme
    settings = tasks[0].settings
    rows = [row for task in tasks for row in rows_in(task.rounds, n_rounds)]
    last = [row for row in rows if row["round"] == n_rounds and row["level"] == "layer"]
    held = sorted({str(row["layer"]) for row in last if row["floor_binds"]}, key=natural)

    of_run = {name: str(settings[name]) for name in ("rewind", "trainer")}
    shown = {**run_settings(scheme, seeds=[str(task.files.seed) for task in tasks], **of_run), **chain_settings(chain)}
    shown |= evaluation_settings(tasks[0].evaluate)
    tables = {name: RunFiles(run).table(name) for name in ("rounds", "summary", "paired")}
    outputs = {name: path for name, path in tables.items() if path.is_file()}
    folders = [task.rounds.folder for task in tasks]
    notes = [
        *notes_on(layers),
        *notes_on_chain(layers, chain),
        *side_by_side.notes(),
        *_notes_on_rounds(folders, n_rounds, n_new, rewind=of_run["rewind"]),
    ]
    report = Report("prune", {"run": run}, shown, rows, left_out(layers), outputs, notes)
    report = write_files_of_rounds(pictures, run, report, provenance, force=tasks[0].force)
    return IterativePruning(report, folders, n_new, held)


def _as_can_be_sent(side_by_side: SideBySide, method: PruningMethod) -> SideBySide:
    """Return how seeds are pruned: one after the other, in this process, by a method that no other can have."""
    if can_be_sent(method):
        return side_by_side
    if side_by_side.machines is not None:
        needed = "a method that other machines can have: a function of a module that they import"
        raise OptionError(f"`cluster` needs {needed}")
    return replace(side_by_side, jobs=1, keep_going=False)


def _notes_on_rounds(folders: Sequence[Path], n_rounds: int, n_new: int, *, rewind: str) -> list[str]:
    """Return the sentences about rounds that existed, training without rewinding, and the folders of the rounds."""
    n_all = n_rounds * len(folders)
    notes = []
    if n_new < n_all:
        notes.append(f"{n_all - n_new} of {n_all} rounds were there already, and are left as they are")
    if rewind == NO_REWINDING:
        notes.append("no rewinding: every round trains on from the weights of the last")
    return [*notes, *(f"rounds are in {folder}" for folder in folders)]
