"""Plan the pruning of a checkpoint, which writes nothing: every round as it will be, disk space and memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import AnyPath
from topoimp.choices import Scope
from topoimp.commands.chance_columns import with_retention_iid
from topoimp.commands.prune import job_in_rounds, refuse_if_strict
from topoimp.commands.pruning_job import PruningJob
from topoimp.kernels.threads import OnStep
from topoimp.layers.streaming import LARGE, SIDE_BY_SIDE
from topoimp.network.chain import Chain
from topoimp.pruning.all_rounds import all_rounds
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.reports.cells import Row
from topoimp.reports.report import Report
from topoimp.reports.rows import pruning_settings

PROCESS_BYTES = 105_000_000  # before a weight is read: interpreter, numpy, compiled passes (measured, Python 3.11)
PIECES_BYTES = 8_000_000  # pieces that are pruned and written, of all threads
KEYS_BYTES = 20_000_000  # random numbers that one thread has at a time, for the method `random`
RANK_BYTES = 8  # of a rank per weight, for methods that look at all layers together
FOREST_BYTES = 32  # of a forest per vertex: an index and a strength per edge, and the components


@dataclass(frozen=True)
class PruningPlan:
    """The outcome of a pruning that has not been done.

    Args:
        report: the pruning's own, with ``retention_iid``, and in network rows ``bytes_to_write`` and ``peak_memory``.
        existing: existing outputs, which only ``force`` replaces.
        first_bound: by layer name, the first round in which it is held at its floor.
        first_changed: by layer name, the first round after which its barcode is another.
        bytes_to_write: approximate size of all outputs.
        peak_memory: approximate largest resident memory in bytes.
        recipe: recipe.toml of the run folder that the input lies in, if it lies in one.
    """

    report: Report
    existing: Sequence[Path]
    first_bound: Mapping[str, int]
    first_changed: Mapping[str, int]
    bytes_to_write: int
    peak_memory: int
    recipe: Path | None


def plan_pruning(
    path: AnyPath,
    options: PruningOptions,
    *,
    key: str | None = None,
    output: AnyPath | None = None,
    mask_out: AnyPath | None = None,
    emit_rounds: Sequence[int] = (),
    rewind_from: AnyPath | None = None,
    chain: Chain | None = None,
    scores: AnyPath | None = None,
    strict: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> PruningPlan:
    """Return the rounds that ``prune_checkpoint`` would report with the same arguments, beside chance; write nothing.

    The plan lists existing outputs in place of an argument ``force``. Peak memory depends on the threads.

    Raises:
        OptionError: if an option does not fit the layers, or the output is the input.
        OutputError: if an output cannot be one.
        GateError: if ``strict`` and a target is below a floor, or a forest does not fit.
        TopoimpError: if the file, a layer or a pattern cannot be used.
    """
    job, scheme = job_in_rounds(
        path, options, key, output, mask_out, emit_rounds, rewind_from, threads, on_step, chain=chain, scores=scores
    )
    swept = all_rounds(job.stream, scheme)
    rounds = swept.rounds
    if strict:
        refuse_if_strict(rounds, scheme)

    peak_memory = _peak_memory(job, scheme)
    needed = job.bytes_needed()
    rows: list[Row] = []
    tables = with_retention_iid(job.stream, rounds, swept.forests, scheme.seed)
    for round_, table in zip(rounds, tables, strict=True):
        *of_layers, of_network = job.of_network(table, round_.keeps)
        written = [job.outputs.rounds[round_.number]] if round_.number in job.outputs.rounds else []
        if round_ is rounds[-1]:
            written += [job.outputs.checkpoint, job.outputs.mask]
        sizes: Row = {"bytes_to_write": sum(needed[path] for path in written), "peak_memory": peak_memory}
        rows += [*of_layers, {**of_network, **sizes}]

    first_bound: dict[str, int] = {}
    first_changed: dict[str, int] = {}
    for round_ in rounds:
        for name, layer in round_.layers.items():
            if layer.floor_binds:
                first_bound.setdefault(name, round_.number)
            if not layer.preservation.barcode_kept:
                first_changed.setdefault(name, round_.number)

    return PruningPlan(
        report=job.report({**pruning_settings(scheme), "seed": scheme.seed, "dry_run": True}, rows, swept),
        existing=job.existing,
        first_bound=first_bound,
        first_changed=first_changed,
        bytes_to_write=sum(needed.values()),
        peak_memory=peak_memory,
        recipe=job.recipe,
    )


def _peak_memory(job: PruningJob, scheme: Scheme) -> int:
    """Estimate the peak of resident memory: the largest tensor, or the layers that are read side by side."""
    method = scheme.method
    by_strength = method.is_by_strength and scheme.scope is not Scope.ROW and scheme.pattern is None
    infos, threads = job.layers.infos, job.stream.threads
    layers = [info.n_weights * info.number_format.n_bits // 8 for info in infos]
    small = sorted((size for size in layers if size < LARGE), reverse=True)[:threads]
    tensors = [tensor.end - tensor.start for tensor in job.layers.checkpoint.tensors.values()]
    weights = max(max(tensors), min(sum(small), SIDE_BY_SIDE))
    if not (scheme.protects_forests or by_strength):  # the forest of a pruned copy is found
        weights += max(max(layers), min(sum(small), SIDE_BY_SIDE))
    if scheme.pattern is not None:  # a mask, a bit for each weight
        weights += max(info.n_weights for info in infos) // 8
    if method.takes_seed:
        weights += threads * KEYS_BYTES
    if method.holds_all_layers:
        weights += sum(layers) + RANK_BYTES * sum(info.n_weights for info in infos)
    forests = FOREST_BYTES * sum(info.n_rows + info.n_columns for info in infos)
    return PROCESS_BYTES + weights + forests + PIECES_BYTES
