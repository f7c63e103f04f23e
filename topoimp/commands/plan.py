"""What pruning a checkpoint would do: targets, floors and barcodes of every round, and what they take.

Nothing is written. Rounds without training are points of a sweep, so the plan is what the pruning will report.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topoimp.choices import Method, Scope
from topoimp.commands.asked import Asked
from topoimp.kernels.threads import OnStep
from topoimp.layers.catalogue import LayerPatterns
from topoimp.layers.streaming import LARGE, SIDE_BY_SIDE
from topoimp.pruning.one_shot import LayerRound, Round
from topoimp.reports.columns import Row
from topoimp.reports.report import Report
from topoimp.reports.rows import rows_of_pruning
from topoimp.rounds.run_folder import recipe_beside

PROCESS_BYTES = 105_000_000
"""What is resident before a weight is read: the interpreter, numpy and the compiled passes (measured, Python 3.11)."""

PIECES_BYTES = 8_000_000
"""Pieces that are pruned and written, of all threads."""

KEYS_BYTES = 20_000_000
"""Random numbers that one thread has at a time, for the method ``random``."""

FOREST_BYTES = 32
"""What is kept of a forest, per vertex: an index and a strength per edge, and the components."""


@dataclass(frozen=True)
class PruningPlan:
    """What a pruning would do.

    Args:
        report: as the pruning's own, with ``bytes_to_write`` and ``peak_memory`` in the network rows.
        existing: outputs that are there already, which only ``force`` replaces.
        held_at_floor: the layers whose last target is below their floor; ``all layers together`` if they share one.
        first_bound: by layer name, the first round in which it is held at its floor.
        first_changed: by layer name, the first round after which its barcode is another.
        bytes_to_write: about how many bytes all outputs take.
        peak_memory: about how many bytes will be resident at most.
        recipe: recipe.toml of the run folder that the input lies in, if it lies in one.
    """

    report: Report
    existing: Sequence[Path]
    held_at_floor: Sequence[str]
    first_bound: Mapping[str, int]
    first_changed: Mapping[str, int]
    bytes_to_write: int
    peak_memory: int
    recipe: Path | None


def plan_pruning(
    path: Path,
    *,
    n_rounds: int | None = None,
    sparsity: float | None = None,
    rate: float | None = None,
    output: Path | None = None,
    method: Method | str = Method.TOPOLOGICAL,
    epsilon: float = 0.0,
    scope: Scope | str = Scope.LAYER,
    layer_rates: Mapping[str, float] | None = None,
    seed: int = 0,
    patterns: LayerPatterns | None = None,
    mask_output: Path | None = None,
    emit_rounds: Sequence[int] = (),
    rewind_from: Path | None = None,
    strict: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> PruningPlan:
    """Say what ``prune_checkpoint`` would do with the same arguments; nothing is written.

    The arguments are those of ``prune_checkpoint`` but for ``force``: it is told what is there already. How much memory
    it will be depends on the threads.

    Raises:
        OptionError: if rounds, sparsity and rate do not fit, or the output is the input.
        OutputError: if an output cannot be one.
        GateError: if ``strict`` and a target is below a floor.
        TopoimpError: if the file, a layer or a pattern cannot be used.
    """
    asked = Asked.of(
        path,
        n_rounds=n_rounds,
        sparsity=sparsity,
        rate=rate,
        output=output,
        method=method,
        epsilon=epsilon,
        scope=scope,
        layer_rates=layer_rates,
        seed=seed,
        patterns=patterns,
        mask_output=mask_output,
        emit_rounds=emit_rounds,
        rewind_from=rewind_from,
        strict=strict,
        threads=threads,
        on_step=on_step,
    )
    rounds = asked.swept().rounds
    peak_memory = _peak_memory(asked)
    rows: list[Row] = []
    for now in rounds:
        *layers, network = rows_of_pruning(asked.job.layers.infos, now)
        rows += [*layers, {**network, "bytes_to_write": _bytes_of_round(asked, now.number), "peak_memory": peak_memory}]
    report = asked.report(rows, dry_run=True)
    return PruningPlan(
        report=report,
        existing=[target for target in asked.job.outputs.in_order if target.exists()],
        held_at_floor=rounds[-1].missed,
        first_bound=_first(rounds, lambda layer: layer.floor_binds),
        first_changed=_first(rounds, lambda layer: not layer.left.barcode_kept),
        bytes_to_write=sum(asked.job.bytes_needed().values()),
        peak_memory=peak_memory,
        recipe=recipe_beside(asked.job.path),
    )


def _first(rounds: Sequence[Round], is_so: Callable[[LayerRound], bool]) -> dict[str, int]:
    """Give, by layer name, the first round in which something is so, of the layers of which it ever is."""
    found: dict[str, int] = {}
    for now in rounds:
        for name, layer in now.layers.items():
            if is_so(layer):
                found.setdefault(name, now.number)
    return found


def _bytes_of_round(asked: Asked, number: int) -> int:
    outputs, needed = asked.job.outputs, asked.job.bytes_needed()
    n_bytes = needed[outputs.rounds[number]] if number in outputs.rounds else 0
    if number == asked.schedule.n_rounds:
        n_bytes += needed[outputs.checkpoint] + needed[outputs.mask]
    return n_bytes


def _peak_memory(asked: Asked) -> int:
    """Estimate what is resident at most: the largest tensor, or the layers that are looked at side by side."""
    infos, threads = asked.job.layers.infos, asked.job.stream.threads
    layers = [info.n_weights * info.number_format.n_bits // 8 for info in infos]
    small = sorted((size for size in layers if size < LARGE), reverse=True)[:threads]
    tensors = [tensor.end - tensor.start for tensor in asked.job.layers.checkpoint.tensors.values()]
    weights = max(max(tensors), min(sum(small), SIDE_BY_SIDE))
    if asked.method is Method.RANDOM:  # which finds the forest of a pruned copy
        weights += max(max(layers), min(sum(small), SIDE_BY_SIDE)) + threads * KEYS_BYTES
    forests = FOREST_BYTES * sum(info.n_rows + info.n_columns for info in infos)
    return PROCESS_BYTES + weights + forests + PIECES_BYTES
