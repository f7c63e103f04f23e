"""What pruning a run folder would do: its first round, and the targets of the others; nothing is written or trained.

The first mask is found on weights that are there. The next ones are found on weights that training has yet to give, so
of those rounds it is known how many weights are to be kept. Under full protection the number of components, and with it
the floor, stays what it is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from topoimp.checkpoint import bytes_of_copy
from topoimp.choices import Method, Scope
from topoimp.commands.prune_run import seeds_wanted
from topoimp.layers.catalogue import LayerInfo
from topoimp.pruning.masks import mask_bytes, mask_shapes
from topoimp.pruning.one_shot import refuse_missed_targets, sweep
from topoimp.pruning.schedule import OneRound
from topoimp.reports.columns import Row
from topoimp.reports.report import Report
from topoimp.reports.rows import layer_columns, left_out, pattern_settings, rows_of_pruning
from topoimp.rounds.loop import Plan
from topoimp.rounds.planning import RoundOptions, plan_of, rewind_step, rewind_words
from topoimp.rounds.recipe_file import read_recipe
from topoimp.rounds.run_folder import RunFiles, SeedFiles
from topoimp.topology.forest import Forest, spanning_forests


def plan_run(run: Path, options: RoundOptions, *, seeds: Sequence[int] | None = None) -> Report:
    """Say what ``prune_run`` would do.

    Args:
        run: what ``train_run`` wrote.
        options: how to prune.
        seeds: which of its networks; all if None.

    Returns:
        the first round of each seed as it will be, and of the others the targets and the floors of now. Every round,
        and round 0 beside them, writes about ``bytes_to_write``.

    Raises:
        OptionError: if an option is out of range, or contradicts another.
        CheckpointError: if the folder is no run folder, or a seed is not there.
        GateError: if ``strict`` and the first round's target is below a floor.
    """
    run = Path(run)
    recipe, wanted = read_recipe(run).recipe, seeds_wanted(run, seeds)
    files = [RunFiles(run).seed(seed) for seed in wanted]
    plan, step = plan_of(options, files[0].trained, recipe, jobs=1), rewind_step(options, recipe)
    return Report(
        "prune",
        {"run": run},
        {
            "method": plan.method,
            "epsilon": plan.epsilon if plan.method is Method.TOPOLOGICAL else None,
            "scope": plan.scope,
            "rounds": plan.schedule.n_rounds,
            "rate": plan.schedule.effective_rate(),
            "layer_rates": [f"{pattern}={float(rate)!r}" for pattern, rate in plan.schedule.layer_rates],
            "sparsity": None if plan.schedule.sparsity is None else float(plan.schedule.sparsity),
            "seeds": [str(seed) for seed in wanted],
            "rewind": rewind_words(options, step),
            **pattern_settings(plan.patterns),
            "dry_run": True,
        },
        [row for of_seed in files for row in _rows_of_seed(of_seed, plan)],
        left_out(plan.stream(files[0].trained).layers),
    )


def _rows_of_seed(files: SeedFiles, plan: Plan) -> list[Row]:
    stream = plan.stream(files.trained)
    forests, infos = spanning_forests(stream), stream.layers.infos
    first_alone = OneRound(plan.schedule, 1, {name: forest.n_edges for name, forest in forests.items()})
    (first,) = sweep(
        stream,
        first_alone,
        method=plan.method,
        scope=plan.scope,
        seed=files.seed,
        epsilon=plan.epsilon,
        forests=forests,
    ).rounds
    if plan.strict:
        refuse_missed_targets([first], "nothing was written")
    rows = [_of_first(row) for row in rows_of_pruning(infos, first)]
    for number in plan.schedule.numbers[1:]:
        rows += _rows_of_later(infos, number, plan, forests)
    layers = stream.layers
    n_bytes = bytes_of_copy(layers.checkpoint) + sum(map(mask_bytes, mask_shapes(layers).values()))
    sizes: dict[str, Row] = {"layer": {}, "network": {"bytes_to_write": n_bytes}}
    return [{"seed": files.seed, **row, **sizes[str(row["level"])]} for row in rows]


def _of_first(row: Row) -> Row:
    """Say of the first mask what it keeps of the weights; the bars of weights trained under it are not known."""
    of_round = {f"round_{name}": row[name] for name in ("beta0_kept", "barcode_kept", "retention")}
    return {**{column: value for column, value in row.items() if column != "barcode_kept"}, **of_round}


def _rows_of_later(infos: Sequence[LayerInfo], number: int, plan: Plan, forests: Mapping[str, Forest]) -> list[Row]:
    """Give the targets of a round; floors are protected whole, or it is not known how much of them is."""
    edges = {name: forest.n_edges for name, forest in forests.items()}
    now, is_whole = OneRound(plan.schedule, number, edges), plan.method is Method.TOPOLOGICAL and not plan.epsilon
    rows: list[Row] = []
    for info in infos:
        floor = len(forests[info.name].indices)
        target = now.targets_of(info, edges[info.name])[0] if plan.scope is Scope.LAYER else None
        binds = target < floor if is_whole and target is not None else None
        rows.append({**layer_columns(info), **_known(number, target, info.n_weights, edges[info.name], floor, binds)})
    if plan.scope is Scope.GLOBAL:
        total = now.shared_targets(infos, edges)[0]
    else:
        total = sum(now.targets_of(info, edges[info.name])[0] for info in infos)
    floor = sum(len(forest.indices) for forest in forests.values())
    missed = total < floor if plan.scope is Scope.GLOBAL else any(row["floor_binds"] for row in rows)
    n_weights = sum(info.n_weights for info in infos)
    network = _known(number, total, n_weights, sum(edges.values()), floor, missed if is_whole else None)
    return [*rows, {"level": "network", **network}]


def _known(number: int, target: int | None, n_weights: int, n_edges: int, floor: int, binds: bool | None) -> Row:
    return {
        "round": number,
        "target": target,
        "n_weights": n_weights,
        "n_edges": n_edges,
        "floor": floor,
        "floor_binds": binds,
    }
