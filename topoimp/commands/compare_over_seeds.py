"""Statistics over the seeds of a comparison of rounds: the mean of each quantity, and of its paired differences."""

from dataclasses import replace
from pathlib import Path

from topoimp.errors import OptionError
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import evaluated_columns
from topoimp.reports.report import Report
from topoimp.reports.rows import DISTANCES, PERSISTENCE_COLUMNS, TOTAL
from topoimp.rounds.over_seeds import SeedRows, means_of, paired_of
from topoimp.rounds.recipe_file import read_toml
from topoimp.rounds.run_folder import PruningFiles

QUANTITIES = (
    *("n_kept", "density", "sparsity", "beta0", "beta0_kept", "retention", "mask_overlap", "forest_overlap"),
    *("retention_guaranteed", "retention_iid", "retention_random", "retention_null", "excess", "overlap_bound"),
    *DISTANCES,
    *PERSISTENCE_COLUMNS.values(),
    *(column + TOTAL for column in PERSISTENCE_COLUMNS.values()),
)
"""Columns that are averaged over the seeds, true as 1 and false as 0; those of an evaluation are too."""


def comparison_over_seeds(report: Report) -> Report:
    """Return the statistics over the seeds of a comparison of rounds.

    Seeds of one run folder whose prunings have the same settings belong together. The seed is the unit: its rounds and
    layers are not independent.

    Args:
        report: a report of ``comparison_report`` about rounds of pruning.

    Returns:
        For each pruning, round, layer and ``quantity`` a row with the number of seeds, mean, its 95 % interval by
        Student's t, deviation, minimum and maximum. Then the same of the differences of every two prunings with the
        same targets on the same seeds, with the column ``baseline``.

    Raises:
        OptionError: if the report is about no rounds.
    """
    if "round" not in report.network:
        raise OptionError("`over_seeds` is about rounds of pruning, and none is compared")

    # The folder of a row's pruning: RUN/seed-<s>/<pruning>/round-<NN> is its name.
    by_pruning: dict[Path, list[Row]] = {}
    for row in report.rows:
        by_pruning.setdefault(Path(str(row["other"])).parent, []).append(row)

    by_run: dict[Path, list[SeedRows]] = {}
    for folder, rows in by_pruning.items():
        alike = by_run.setdefault(folder.parent.parent, [])
        settings = _settings_of(folder)
        group = next((group for group in alike if group.settings == settings), None)
        if group is None:
            alike.append(SeedRows(folder.name, settings, list(rows)))
        else:
            group.rows.extend(rows)

    quantities = (*QUANTITIES, *evaluated_columns(report.rows))
    means = [row for groups in by_run.values() for row in means_of(groups, quantities)]
    pairs = [row for groups in by_run.values() for row in paired_of(groups, quantities)]
    return replace(report, rows=[*means, *pairs], settings={**report.settings, "over_seeds": True})


def _settings_of(folder: Path) -> dict[str, object]:
    """Return the settings of a pruning, without the checksum that identifies its network."""
    files = PruningFiles(folder)
    settings = dict(read_toml(files.settings)) if files.settings.is_file() else {}
    settings.pop("checkpoint_sha256", None)
    return settings
