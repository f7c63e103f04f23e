"""The loop of rounds, for one seed: find a mask on the trained weights, rewind, have them trained, check, go on.

Every round is a folder that appears whole or not at all, so that a run that ends at any moment loses the round in
progress at most, and the same run again goes on from there.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from topoimp.checkpoint import LockState, Staging, open_checkpoint, owned, remove
from topoimp.choices import Method, Scope
from topoimp.errors import CheckpointError, OutputError, TrainingError, VerificationError
from topoimp.layers.catalogue import LayerPatterns, Layers, select_layers
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.masks import Masks, NonzeroPruner, mask_shapes, mask_writer, read_masks
from topoimp.pruning.one_shot import refuse_missed_targets, sweep
from topoimp.pruning.rules import Pruner
from topoimp.pruning.schedule import OneRound, Schedule
from topoimp.reports.columns import Row
from topoimp.reports.report import Report
from topoimp.rounds.checks import (
    check_held,
    check_related,
    check_started,
    check_within,
    open_trained,
)
from topoimp.rounds.round_rows import Reference, reference_of, rows_of_round
from topoimp.rounds.run_folder import RoundFiles
from topoimp.rounds.training_task import Metrics, Retrain, TrainingTask
from topoimp.writing.pruned_copy import write_pruned_copy
from topoimp.writing.rewinding import RewoundPruner, layers_to_rewind_to
from topoimp.writing.verification import verify_pruned, verify_weights


@dataclass(frozen=True)
class Plan:
    """What all rounds share.

    Args:
        schedule: how much is kept in each.
        method: what decides which weights are kept.
        scope: a target per layer, or one for all.
        epsilon: up to which deaths are not protected, as a share of the largest strength before each round.
        patterns: which layers are pruned.
        threads: how many cores pruning uses; no result depends on it.
        strict: whether to stop where a target is below a floor.
    """

    schedule: Schedule
    method: Method
    scope: Scope
    epsilon: float
    patterns: LayerPatterns
    threads: int
    strict: bool = False

    def stream(self, path: Path) -> LayerStream:
        """Open the layers of a checkpoint that are pruned."""
        return LayerStream(select_layers(open_checkpoint(path), self.patterns), self.threads)


@dataclass(frozen=True)
class Start:
    """What the rounds of one seed go out from.

    Args:
        seed: of the replicate, and of the permutations of the method ``random``.
        trained: the unpruned network, trained.
        rewind: the checkpoint whose weights each round's training starts from; those of the last round if None.
        metrics: what is known of the unpruned network.
    """

    seed: int
    trained: Path
    rewind: Path | None
    metrics: Metrics


def prune_iteratively(
    start: Start, files: RoundFiles, plan: Plan, retrain: Retrain, *, on_round: Callable[[int], None] = lambda _n: None
) -> None:
    """Do those rounds that are not finished yet, round 0 included.

    Args:
        start: what they go out from.
        files: where they are written; the folder is there, and nobody else at work in it (``sole_run``).
        plan: what they share.
        retrain: trains the weights of a round under its mask.
        on_round: told the number of each round that is finished.

    Raises:
        CheckpointError: if the finished rounds are not whole.
        OutputError: if a round cannot be written.
        TrainingError: if the trainer did not do its work; the rounds before remain.
        VerificationError: if a round is not what it was meant to be; the rounds before remain.
    """
    n_finished = files.n_finished()
    _check_finished(files, plan, n_finished)
    if n_finished == 0:
        _begin(start, files, plan)
        n_finished = 1
    reference = reference_of(plan.stream(files.model(0)))
    earlier = None if start.rewind is None else open_checkpoint(start.rewind)
    for number in range(n_finished, plan.schedule.n_rounds + 1):
        if earlier is not None:
            earlier.check_unchanged()
        _round(number, start, files, plan, reference, retrain)
        on_round(number)


def _check_finished(files: RoundFiles, plan: Plan, n_finished: int) -> None:
    """Make sure that the finished rounds are whole, and that the last of them is still what was checked.

    Raises:
        CheckpointError: if a file of a round is missing, or a round before others.
        VerificationError: if the last round's weights are not within its mask, or its mask not within the one before.
    """
    later = [path.name for path in files.folder.glob("round-??") if path.name > f"round-{n_finished - 1:02}"]
    if later and n_finished < 100:
        raise CheckpointError(f"{files.folder}: has {min(later)} without a whole round-{n_finished:02} before it")
    for number in range(n_finished):
        for path in (files.model(number), files.mask(number)):
            if not path.exists():
                raise CheckpointError(f"{path}: is missing; --force begins anew")
    if n_finished > 1:
        masks, before = read_masks(files.mask(n_finished - 1)), read_masks(files.mask(n_finished - 2))
        with _said_of(n_finished - 1, None, files.folder):
            check_within(masks, before, files.mask(n_finished - 1))
            check_held(plan.stream(files.model(n_finished - 1)).layers, masks)


def _begin(start: Start, files: RoundFiles, plan: Plan) -> None:
    """Write round 0: the unpruned network, and a mask of all its edges."""
    with _staged_round(files, 0) as (staging, place):
        stream = plan.stream(start.trained)
        keeps = {info.name: NonzeroPruner(stream.layers, info) for info in stream.layers.infos}
        masks = _write_pruned(place, "model", files.suffix, stream, stream.layers, keeps, {"topoimp.round": "0"})
        verify_weights(place / f"model{files.suffix}", stream, masks)
        here = plan.stream(place / f"model{files.suffix}")
        rows = rows_of_round(here, masks, reference_of(here), start.metrics, number=0, now=None)
        _report(place, rows, start, plan, checked=["written"])
        staging.commit()


def _round(number: int, start: Start, files: RoundFiles, plan: Plan, reference: Reference, retrain: Retrain) -> None:
    """Do one round."""
    with _staged_round(files, number) as (staging, place), _said_of(number, start.seed, place):
        trained = plan.stream(files.model(number - 1))
        one = OneRound(plan.schedule, number, reference.edges)
        swept = sweep(trained, one, method=plan.method, scope=plan.scope, seed=start.seed, epsilon=plan.epsilon)
        (now,) = swept.rounds
        if plan.strict:
            refuse_missed_targets(swept.rounds, "the rounds before remain")
        earlier = trained.layers
        if start.rewind is not None:
            earlier = layers_to_rewind_to(trained.layers, open_checkpoint(start.rewind))
        keeps = {info.name: RewoundPruner(now.keeps[info.name], trained.layers, info) for info in trained.layers.infos}
        said = {"topoimp.version": version("topoimp"), "topoimp.method": plan.method, "topoimp.round": str(number)}
        masks = _write_pruned(place, "init", files.suffix, trained, earlier, keeps, said)
        task = TrainingTask(
            number=number,
            seed=start.seed,
            init=place / f"init{files.suffix}",
            mask=place / "mask.safetensors",
            out=place / f"model{files.suffix}",
            started=place / f"started{files.suffix}",
            metrics=place / "trainer.json",
            log=files.log(number),
        )
        check_within(masks, read_masks(files.mask(number - 1)), task.mask)
        verify_pruned(task.init, trained, swept.forests, masks=masks, expected=now.layers, source=earlier)
        init, mask_sha256 = plan.stream(task.init), _sha256_of(task.mask)
        metrics = retrain(task)
        _check_given(init, task.mask, mask_sha256)
        arrived, checked = _checked(task, plan, masks, init)
        rows = rows_of_round(arrived, masks, reference, metrics, number=number, now=now)
        for path in list(place.iterdir()):  # what training started from, and whatever else the trainer left there
            if path.name not in {task.out.name, task.mask.name}:
                remove(path)
        _report(place, rows, start, plan, checked=["nested", "counts", "forest", "barcode", "rewound", *checked])
        staging.commit()


def _check_given(init: LayerStream, mask: Path, sha256: str) -> None:
    """Make sure that a trainer left alone what it was given."""
    try:
        init.layers.checkpoint.check_unchanged()
        if _sha256_of(mask) == sha256:
            return
    except (CheckpointError, OSError) as error:
        raise VerificationError(f"the trainer changed what it was given, or removed it: {error}") from error
    raise VerificationError(f"{mask}: the trainer changed its mask")


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(task: TrainingTask, plan: Plan, masks: Masks, init: LayerStream) -> tuple[LayerStream, list[str]]:
    """Check what a trainer wrote, and give it with the names of the checks."""
    open_trained(task.out, init.layers.checkpoint)
    arrived = plan.stream(task.out)
    check_held(arrived.layers, masks)
    if task.started.exists():
        check_started(task.started, task.init)
        return arrived, ["started", "finite", "held"]
    related = check_related(arrived.layers, init.layers, masks)
    return arrived, ["finite", "held", *([] if related is None else ["related"])]


def _write_pruned(
    place: Path,
    name: str,
    suffix: str,
    trained: LayerStream,
    source: Layers,
    keeps: Mapping[str, Pruner],
    metadata: Mapping[str, str],
) -> Masks:
    """Write a checkpoint pruned, and its mask; give the mask, read back."""
    target, mask = place / f"{name}{suffix}", place / "mask.safetensors"
    if not suffix:
        target.mkdir()
    with mask_writer(mask, mask_shapes(trained.layers), metadata) as writer:
        write_pruned_copy(target, source, keeps, metadata, masks=writer, threads=trained.threads)
    return read_masks(mask)


def _report(place: Path, rows: list[Row], start: Start, plan: Plan, *, checked: list[str]) -> None:
    epsilon = plan.epsilon if plan.method is Method.TOPOLOGICAL else None
    which: Row = {"method": plan.method, "epsilon": epsilon, "scope": plan.scope, "seed": start.seed}
    rows = [{**which, **row} for row in rows]
    rows[-1] = {**rows[-1], "checked": " ".join(checked)}
    text = Report("prune", {}, {**which, "round": rows[-1]["round"]}, rows).to_json()
    (place / "metrics.json").write_text(text, encoding="utf-8")


@contextmanager
def _staged_round(files: RoundFiles, number: int) -> Iterator[tuple[Staging, Path]]:
    target = files.round(number)
    with Staging([target], force=False, folders=[target]) as staging:
        yield staging, staging.partial(target)


@contextmanager
def _said_of(number: int, seed: int | None, place: Path) -> Iterator[None]:
    """Have errors say which round they are of, and name its files without the temporary folder that they lie in."""
    try:
        yield
    except (TrainingError, VerificationError) as error:
        said = str(error).replace(f"{place.absolute()}{os.sep}", "").replace(f"{place}{os.sep}", "")
        where = f"round {number}" if seed is None else f"round {number}, seed {seed}"
        raise type(error)(f"{where}: {said}") from error


@contextmanager
def sole_run(files: RoundFiles) -> Iterator[None]:
    """Make sure that no other run is at work on the same rounds; wait for one that is ending.

    Raises:
        OutputError: if one is, or the lock cannot be made.
    """
    with ExitStack() as stack:
        try:
            state = stack.enter_context(owned(files.lock))
        except OSError as error:
            raise OutputError(f"{files.folder}: cannot be written: {error.strerror}") from error
        if state is LockState.TAKEN:
            raise OutputError(f"{files.folder}: another run is at work there")
        yield


def await_ending_run(files: RoundFiles, on_wait: Callable[[str], None]) -> None:
    """Wait for a run that is ending, a bounded time, and say so; ``sole_run`` refuses one that is not.

    A run is ending if it was killed and a process that it started is still cleaning up.
    """
    if not files.lock.exists():
        return

    def on_owner(process: int) -> None:
        on_wait(f"{files.folder}: waiting for a run that is ending (process {process})")

    with suppress(OSError), owned(files.lock, on_wait=on_owner):  # sole_run reports what is wrong with the lock
        pass
