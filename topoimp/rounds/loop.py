"""The loop of rounds of one seed: find a mask on the trained weights, rewind, train, check.

Every round is a folder that appears whole or not at all: a run that ends at any moment loses at most the round in
progress, and the same run again continues from there.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from topoimp.chance.forest_by_chance import ForestByChance, forests_by_chance
from topoimp.checkpoint import Checkpoint, Staging, open_checkpoint, remove
from topoimp.errors import CheckpointError, TrainingError, VerificationError
from topoimp.layers.layer import Layer
from topoimp.layers.records import Layers
from topoimp.layers.streaming import LayerStream
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.applied_masks import NonzeroPruner
from topoimp.pruning.kept_weights import facts_of_checkpoint
from topoimp.pruning.masks import Masks, mask_shapes, mask_writer, read_masks
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.round import refuse_missed_targets
from topoimp.pruning.rules import Pruner
from topoimp.reports.cells import Row
from topoimp.reports.checkpoint_columns import with_checkpoint_columns
from topoimp.reports.norm_columns import with_norm_column
from topoimp.reports.path_columns import with_path_columns
from topoimp.reports.report import Report
from topoimp.reports.size_columns import with_size_columns
from topoimp.rounds.checks import check_held, check_related, check_started, check_within, open_trained
from topoimp.rounds.evaluated_rounds import RoundEvaluation
from topoimp.rounds.network_rounds import marks_of, method_after
from topoimp.rounds.plan import Plan, Start
from topoimp.rounds.round_rows import PrunedRound, RoundTopology, rows_of_round
from topoimp.rounds.run_folder import PruningFiles, RoundFiles, TrainingTask, sha256_of
from topoimp.rounds.trainer import Retrain
from topoimp.rounds.unpruned import Unpruned, read_unpruned
from topoimp.topology.forest import Forest, spanning_forests
from topoimp.topology.own_scale import scale_of
from topoimp.writing.pruned_copy import write_pruned_copy
from topoimp.writing.rewinding import RewoundPruner, layers_to_rewind_to
from topoimp.writing.sizes import sizes_of
from topoimp.writing.verification import verify_pruned, verify_weights


@dataclass(frozen=True)
class _TrainedRound:
    """The topology of a finished round: forests by layer name, masks by tensor name."""

    forests: Mapping[str, Forest]
    masks: Masks


@dataclass(frozen=True)
class _Run:
    """Everything that the rounds of a seed share."""

    start: Start
    files: PruningFiles
    plan: Plan
    retrain: Retrain
    unpruned: Unpruned
    evaluation: RoundEvaluation


def prune_iteratively(
    start: Start,
    files: PruningFiles,
    plan: Plan,
    retrain: Retrain,
    *,
    evaluate: Evaluation | None = None,
    on_round: Callable[[], None] = lambda: None,
) -> None:
    """Do the rounds that are not finished yet, from round 0; call ``on_round`` after each.

    Their folder exists, and this run alone works in it (``sole_run``). The rounds before an error remain. ``evaluate``
    runs on the model of each round, also of those that were finished without it.

    Raises:
        CheckpointError: if the finished rounds are not whole.
        EvaluationError: if the evaluation of a round fails.
        OutputError: if a round cannot be written.
        TrainingError: if the trainer fails.
        VerificationError: if a round fails a check.
    """
    n_finished = files.n_finished()
    evaluation = RoundEvaluation(evaluate, files, start.seed)
    if n_finished:
        last, unpruned = _read_finished(files, plan, n_finished)
        evaluation.complete(n_finished)
    else:
        last, unpruned = _write_round_0(start, files, plan, evaluation)
    run = _Run(start, files, plan, retrain, unpruned, evaluation)

    for number in range(max(n_finished, 1), plan.scheme.schedule.n_rounds + 1):
        if start.rewind is not None:
            start.rewind.check_unchanged()
        last = _prune_round(number, last, run)
        on_round()


def _read_finished(files: PruningFiles, plan: Plan, n_finished: int) -> tuple[_TrainedRound, Unpruned]:
    """Read the last finished round and round 0; check that all are whole, and that the last is within its masks."""
    files.check_whole(n_finished)
    number = n_finished - 1
    round_ = files.round(number)
    masks = read_masks(round_.mask)
    weights = plan.stream(open_checkpoint(round_.model))
    if number > 0:
        with _errors_named(number, None, files.folder):
            check_within(masks, read_masks(files.round(number - 1).mask), round_.mask)
            check_held(weights.layers, masks)

    reopen = _reopening_round_0(files, plan)
    unpruned = read_unpruned(reopen() if number > 0 else weights, plan.scheme, reopen)
    forests = spanning_forests(weights) if number > 0 else unpruned.forests
    return _TrainedRound(forests, masks), unpruned


def _reopening_round_0(files: PruningFiles, plan: Plan) -> Callable[[], LayerStream]:
    return lambda: plan.stream(open_checkpoint(files.round(0).model))


def _write_round_0(
    start: Start, files: PruningFiles, plan: Plan, evaluation: RoundEvaluation
) -> tuple[_TrainedRound, Unpruned]:
    """Write the unpruned network, and a mask of all its edges."""
    with _staged_round(files, 0) as (staging, round_):
        trained = plan.stream(open_checkpoint(start.trained))
        layers = trained.layers
        pruners = {info.name: NonzeroPruner(layers.checkpoint, info.tensor, info.block) for info in layers.infos}
        metadata = {"topoimp.round": "0"}
        masks = _write_pruned(round_.model, round_.mask, layers, pruners, metadata, plan.threads)
        verify_weights(open_checkpoint(round_.model), trained, masks)

        # The forests are those of the written weights, which are the same bit for bit.
        unpruned = read_unpruned(trained, plan.scheme, _reopening_round_0(files, plan))
        forests = unpruned.forests
        topology = RoundTopology(layers.infos, unpruned, forests, unpruned.scale, masks, plan.threads)
        rows = rows_of_round(topology, start.metrics, number=0, pruned=None)
        rows = with_checkpoint_columns(rows, layers.checkpoint)
        rows = with_size_columns(rows, sizes_of(round_.model, round_.mask))
        rows = with_path_columns(rows, facts_of_checkpoint(plan.graph, layers.checkpoint, masks))
        rows = evaluation.rows(rows, 0, round_.model)
        _write_metrics(round_.metrics, rows, start, plan, evaluation, checks=["written"])
        staging.commit()
    return _TrainedRound(forests, masks), unpruned


def _prune_round(number: int, last: _TrainedRound, run: _Run) -> _TrainedRound:
    """Prune the weights of the last round, rewind and train them, and write the round."""
    files = run.files
    plan = run.plan
    seed = run.start.seed
    with _staged_round(files, number) as (staging, round_), _errors_named(number, seed, round_.folder):
        trained = plan.stream(open_checkpoint(files.round(number - 1).model))
        n_edges = {name: forest.n_edges for name, forest in run.unpruned.forests.items()}
        scheme = replace(plan.scheme, seed=seed, method=method_after(plan.scheme.method, files.round(number - 1).mask))
        by_chance: dict[str, ForestByChance] = {}

        def on_kept(layer: Layer, forest: Forest, n_kept: Sequence[int], threads: int) -> None:
            (by_chance[layer.name],) = forests_by_chance(layer, forest, n_kept, threads=threads)

        swept = sweep(trained, scheme, only=number, n_edges=n_edges, forests=last.forests, on_kept=on_kept)
        (pruned,) = swept.rounds
        if plan.strict:
            refuse_missed_targets([pruned], "the rounds before remain")

        # The mask, and the weights that training starts from: both are read back and checked.
        task = round_.training(number, seed, files.log(number))
        rewind = run.start.rewind
        source = trained.layers if rewind is None else layers_to_rewind_to(trained.layers, rewind)
        pruners = {info.name: RewoundPruner(pruned.keeps[info.name], trained.layers, info) for info in source.infos}
        method = plan.scheme.method.name
        metadata = {"topoimp.version": version("topoimp"), "topoimp.method": method, "topoimp.round": str(number)}
        metadata |= marks_of(swept)
        masks = _write_pruned(task.init, task.mask, source, pruners, metadata, plan.threads)
        check_within(masks, last.masks, task.mask)
        init = open_checkpoint(task.init)
        written = verify_pruned(init, trained, last.forests, masks=masks, expected=pruned.layers, source=source)
        norms = {name: layer.squared_norms for name, layer in written.items()}

        # The weights after training.
        mask_sha256 = sha256_of(task.mask)
        metrics = run.retrain(task)
        _check_inputs_unchanged(init, task.mask, mask_sha256)
        weights, checks = _check_trained(task, plan, masks, init)
        forests = spanning_forests(weights)

        scale = scale_of(weights, forests)
        topology = RoundTopology(source.infos, run.unpruned, forests, scale, masks, plan.threads)
        rows = rows_of_round(topology, metrics, number=number, pruned=PrunedRound(pruned, by_chance))
        rows = with_norm_column(rows, norms, prefix="round_")
        rows = with_checkpoint_columns(rows, weights.layers.checkpoint)
        rows = with_size_columns(rows, sizes_of(round_.model, round_.mask))
        rows = with_path_columns(rows, facts_of_checkpoint(plan.graph, weights.layers.checkpoint, masks))
        rows = run.evaluation.rows(rows, number, round_.model)
        for path in list(round_.folder.iterdir()):  # the inputs of training, and any other file that the trainer left
            if path not in (round_.model, round_.mask):
                remove(path)
        checks = ["nested", "counts", "forest", "barcode", "rewound", *checks]
        _write_metrics(round_.metrics, rows, run.start, plan, run.evaluation, checks=checks)
        staging.commit()
    return _TrainedRound(forests, masks)


def _write_pruned(
    place: Path, mask: Path, source: Layers, pruners: Mapping[str, Pruner], metadata: Mapping[str, str], threads: int
) -> Masks:
    """Write a pruned checkpoint and its mask; return the mask, read back."""
    if source.checkpoint.paths.folder is not None:
        place.mkdir()
    with mask_writer(mask, mask_shapes(source), metadata) as writer:
        write_pruned_copy(place, source, pruners, metadata, masks=writer, threads=threads)
    return read_masks(mask)


def _check_inputs_unchanged(init: Checkpoint, mask: Path, sha256: str) -> None:
    """Check that a trainer left its inputs as they were."""
    try:
        init.check_unchanged()
        is_unchanged = sha256_of(mask) == sha256
    except (CheckpointError, OSError) as error:
        raise VerificationError(f"the trainer changed what it was given, or removed it: {error}") from error
    if not is_unchanged:
        raise VerificationError(f"{mask}: the trainer changed its mask")


def _check_trained(task: TrainingTask, plan: Plan, masks: Masks, init: Checkpoint) -> tuple[LayerStream, list[str]]:
    """Check the weights that a trainer wrote; return them and the names of the checks."""
    trained = plan.stream(open_trained(task.out, init))
    check_held(trained.layers, masks)
    if task.started.exists():
        check_started(task.started, init)
        return trained, ["started", "finite", "held"]
    related = check_related(trained.layers, replace(trained.layers, checkpoint=init), masks)
    return trained, ["finite", "held", *([] if related is None else ["related"])]


def _write_metrics(
    path: Path, rows: list[Row], start: Start, plan: Plan, evaluation: RoundEvaluation, *, checks: list[str]
) -> None:
    scheme = plan.scheme
    epsilon = scheme.epsilon if scheme.method.protects_forest else None
    which: Row = {"method": scheme.method.name, "epsilon": epsilon, "scope": scheme.scope, "seed": start.seed}
    rows = [{**which, **row} for row in rows]
    rows[-1] = {**rows[-1], "checked": " ".join(checks)}
    settings = {**which, "round": rows[-1]["round"], **evaluation.settings()}
    text = Report("prune", {}, settings, rows).to_json()
    path.write_text(text, encoding="utf-8")


@contextmanager
def _staged_round(files: PruningFiles, number: int) -> Iterator[tuple[Staging, RoundFiles]]:
    """Stage the folder of a round; return its files under the temporary name."""
    target = files.round(number).folder
    with Staging([target], force=False, folders=[target]) as staging:
        yield staging, RoundFiles(staging.partial(target), files.suffix)


@contextmanager
def _errors_named(number: int, seed: int | None, place: Path) -> Iterator[None]:
    """Put the round before the message of an error, and leave the temporary folder out of it."""
    try:
        yield
    except (TrainingError, VerificationError) as error:
        message = str(error).replace(f"{place.absolute()}{os.sep}", "").replace(f"{place}{os.sep}", "")
        round_ = f"round {number}" if seed is None else f"round {number}, seed {seed}"
        raise type(error)(f"{round_}: {message}") from error
