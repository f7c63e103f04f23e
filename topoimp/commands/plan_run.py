"""Plan the pruning of a run folder: its first round as it will be, and the targets of the others.

The later masks are found on weights that training has yet to give. Under full protection the number of components, and
with it the floor, does not change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from topoimp.checkpoint import AnyPath, as_local, bytes_of_copy, open_checkpoint
from topoimp.choices import Scope
from topoimp.commands.chance_columns import with_retention_iid
from topoimp.commands.pruning_job import DRY_RUN
from topoimp.commands.run_inputs import images_of, seeds_requested
from topoimp.layers.notes import notes_on
from topoimp.layers.records import LayerInfo
from topoimp.pruning.masks import mask_bytes, mask_shapes
from topoimp.pruning.network_targets import network_target
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.round import refuse_missed_targets
from topoimp.reports.cells import Row
from topoimp.reports.checkpoint_columns import with_checkpoint_columns
from topoimp.reports.report import Report
from topoimp.reports.rows import layer_columns, left_out, run_settings
from topoimp.rounds.network_inputs import needs_images, plan_for_network, with_training
from topoimp.rounds.plan import Plan
from topoimp.rounds.planning import Rewinding, plan_of, rewinding_of, rounds_of, threads_of
from topoimp.rounds.recipe_file import read_recipe
from topoimp.rounds.run_folder import SUFFIX, PruningFiles, RunFiles, SeedFiles
from topoimp.rounds.trainer import Trainer
from topoimp.topology.forest import Forest, spanning_forests

TARGETS = "later rounds are found on weights that are not trained yet: their targets are known"


def plan_run(
    run: AnyPath,
    options: PruningOptions,
    *,
    rewind: str | None = None,
    rewind_from: AnyPath | None = None,
    seeds: Sequence[int] | None = None,
    trainer: Trainer | None = None,
    data_dir: AnyPath | None = None,
    strict: bool = False,
    threads: int | None = None,
) -> Report:
    """Return the rounds that ``prune_run`` would do with the same arguments; write and train nothing.

    The images are read only if the masks depend on them.

    Returns:
        the first round of each seed as it will be; of later rounds the targets, and the floors as they are now. Each
        round, round 0 included, writes about ``bytes_to_write``.

    Raises:
        OptionError: if an option does not fit the network, or contradicts another.
        CheckpointError: if the folder is no run folder, or lacks a seed.
        DataError: if the images are needed and cannot be read, or differ from those of the recipe.
        GateError: if ``strict`` and the first round's target is below a floor.
    """
    run = as_local(run)
    recorded = read_recipe(run)
    recipe = recorded.recipe
    files = [RunFiles(run).seed(seed) for seed in seeds_requested(run, seeds)]
    rewinding = rewinding_of(rewind, rewind_from, recipe, options.preset)
    trained = open_checkpoint(files[0].trained)
    plan, layers = plan_of(options, trained, recipe, threads=threads_of(threads, jobs=1), strict=strict)
    plan = with_training(plan, has_images=trainer is None)
    folder = None if data_dir is None else Path(data_dir)
    plan = plan_for_network(plan, images_of(run, recorded, folder) if needs_images(plan) else None)

    rows = [row for each in files for row in _rows_of_seed(each, plan)]
    rewind = rewinding.text()
    settings = run_settings(plan.scheme, seeds=[str(each.seed) for each in files], rewind=rewind)

    is_usual = rewinding == Rewinding(recipe.rewind_at)
    rounds = [rounds_of(each, plan.scheme, {"rewind": rewind}, SUFFIX, is_usual=is_usual) for each in files]
    notes = [*notes_on(layers), TARGETS, *_existing(rounds, plan.scheme.schedule.n_rounds), DRY_RUN]
    return Report("prune", {"run": run}, {**settings, "dry_run": True}, rows, left_out(layers), notes=notes)


def _existing(folders: Sequence[PruningFiles], n_rounds: int) -> list[str]:
    """Return the sentences about the rounds of each seed that are finished, round 0 aside."""
    numbers = {files.folder: min(files.n_finished() - 1, n_rounds) for files in folders}
    return [
        f"{n} of {n_rounds} rounds exist already, `force` would begin anew: {folder}"
        for folder, n in numbers.items()
        if n > 0
    ]


def _rows_of_seed(files: SeedFiles, plan: Plan) -> list[Row]:
    stream = plan.stream(open_checkpoint(files.trained))
    layers = stream.layers
    forests = spanning_forests(stream)

    (first,) = sweep(stream, replace(plan.scheme, seed=files.seed), only=1, forests=forests).rounds
    if plan.strict:
        refuse_missed_targets([first], "nothing was written")
    (first_rows,) = with_retention_iid(stream, [first], forests, plan.scheme.seed)

    numbers = plan.scheme.schedule.numbers[1:]
    later = [row for number in numbers for row in _rows_of_later(number, layers.infos, plan.scheme, forests)]
    rows = with_checkpoint_columns([*map(_of_first, first_rows), *later], layers.checkpoint)
    n_bytes = bytes_of_copy(layers.checkpoint) + sum(map(mask_bytes, mask_shapes(layers).values()))
    sizes: dict[str, Row] = {"layer": {}, "network": {"bytes_to_write": n_bytes}}
    return [{"seed": files.seed, **row, **sizes[str(row["level"])]} for row in rows]


def _of_first(row: Row) -> Row:
    """Return the first mask's row; the bars of weights trained under it are not known."""
    of_round = {f"round_{name}": row[name] for name in ("beta0_kept", "barcode_kept", "retention")}
    return {**{column: value for column, value in row.items() if column != "barcode_kept"}, **of_round}


def _rows_of_later(number: int, infos: Sequence[LayerInfo], scheme: Scheme, forests: Mapping[str, Forest]) -> list[Row]:
    """Return the targets of a round; whether floors bind is known only under full protection."""
    schedule = scheme.schedule
    edges = {name: forest.n_edges for name, forest in forests.items()}
    of_network = network_target(scheme, infos, edges, number)
    is_global = scheme.scope is Scope.GLOBAL or of_network is not None
    has_own_rate = {info.name for info in schedule.split(infos)[0]} if of_network is None else set()
    is_whole = scheme.protects_forests

    own = scheme.layer_targets(infos, edges)
    rows: list[Row] = []
    for info in infos:
        n_edges = forests[info.name].n_edges
        floor = len(forests[info.name].indices)
        target = None if is_global and info.name not in has_own_rate else own[info.name][number - 1]
        counts = {"round": number, "target": target, "n_weights": info.n_weights, "n_edges": n_edges, "floor": floor}
        binds = target < floor if is_whole and target is not None else None
        rows.append({**layer_columns(info), **counts, "floor_binds": binds})

    columns = ("target", "n_weights", "n_edges", "floor")
    sums = {column: sum(int(row[column] or 0) for row in rows) for column in columns}
    if is_global:
        sums["target"] = schedule.shared_targets(infos, edges)[number - 1] if of_network is None else of_network
    shared = [row for row in rows if row["target"] is None]
    left = sums["target"] - sum(int(row["target"] or 0) for row in rows)
    missed = any(row["floor_binds"] for row in rows) or left < sum(int(row["floor"] or 0) for row in shared)
    return [*rows, {"level": "network", "round": number, **sums, "floor_binds": missed if is_whole else None}]
