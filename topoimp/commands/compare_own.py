"""Report the rounds of prunings, each beside a reference of its own: its unpruned network, or the round before."""

from collections.abc import Sequence

from topoimp.checkpoint import AnyPath, as_place, open_checkpoint
from topoimp.choices import RoundReference
from topoimp.commands.compare_evaluation import evaluated_files
from topoimp.commands.compare_graph import facts_of_round
from topoimp.commands.compare_measures import Measures
from topoimp.commands.compare_pictures import Deaths
from topoimp.commands.compare_rows import notes_on_chance
from topoimp.commands.compare_run import compare_rounds, passes_over, reference_of, selected
from topoimp.comparison.matched_deaths import MatchedDeaths
from topoimp.comparison.retention_columns import with_holm
from topoimp.errors import OptionError
from topoimp.layers.notes import notes_on
from topoimp.layers.streaming import counted
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import with_evaluation
from topoimp.reports.report import Report
from topoimp.reports.rows import left_out
from topoimp.rounds.finished import RoundSelection, files_of, holds_rounds


def own_report(
    paths: Sequence[AnyPath], reference: RoundReference, selection: RoundSelection, measures: Measures
) -> tuple[Report, Deaths]:
    """Report the rounds in folders, each beside its own reference, with the deaths for a picture."""
    without = [path for path in paths if not holds_rounds(as_place(path))]
    if without and without[0] != paths[0]:
        no_reference = f"{paths[0]}: is a folder of rounds, and no reference for {without[0]}"
        raise OptionError(f"{no_reference}; a checkpoint in it can be one")
    if without:
        raise OptionError(f"{without[0]}: holds no rounds of pruning; only rounds have references of their own")
    if not paths:
        raise OptionError("there is nothing to compare; at least one folder of rounds is needed")

    files = [found for path in paths for found in files_of(as_place(path), selection)]
    passes = passes_over(files, reference)
    if not passes:
        raise OptionError("only round 0 is selected, and no round is before it")

    evaluated = evaluated_files(
        measures.evaluate, {file: reference_of(file, reference) for each in passes for file in each.rounds}
    )
    first = passes[0].layers(measures.patterns)
    compared = compare_rounds(
        passes,
        reference,
        measures.patterns,
        nulls=measures.nulls,
        seed=measures.seed,
        threads=measures.threads,
        workers=measures.workers,
        on_layer=counted(measures.on_step, len(first.infos) * len(passes)),
    )
    rows: list[Row] = []
    deaths: dict[tuple[str, str], MatchedDeaths] = {}
    for file, layers, scales in compared:
        of_round: Row = {"other": file.name, "pruning": file.pruning.name, "seed": file.seed, "round": file.round}
        found = measures.rows(layers, scales, open_checkpoint(file.path), facts_of_round(file))
        rows += [{**row, **of_round} for row in with_evaluation(found, evaluated.get(file.name, {}))]
        deaths |= measures.deaths(file.name, layers, scales)

    roles = ["run"] if len(paths) == 1 else [f"run-{number + 1}" for number in range(len(paths))]
    settings = {**measures.settings(), "reference": reference, **selected(selection)}
    inputs = dict(zip(roles, map(as_place, paths), strict=True))
    notes = [*notes_on(first), *notes_on_chance(rows, measures.nulls)]
    return Report("compare", inputs, settings, with_holm(rows), left_out(first), notes=notes), deaths
