"""Prune a checkpoint in rounds, or by a mask, and prove what was kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from topoimp.choices import Method, Scope
from topoimp.commands.asked import Asked
from topoimp.commands.pruning_job import Pruning, metadata_of
from topoimp.kernels.threads import OnStep
from topoimp.layers.catalogue import LayerPatterns
from topoimp.reports.rows import rows_of_pruning


def prune_checkpoint(
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
    force: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Pruning:
    """Prune a checkpoint in rounds without training between them; write the result, its mask and a table.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it; never changed.
        n_rounds: at least 1; follows from the other two if None.
        sparsity: share of all selected weights that is to be zero in the end; above 0 and below 1.
        rate: share of the remaining weights that one round removes; above 0 and below 1; 0.2 unless it follows.
        output: the pruned checkpoint; ``STEM.pruned.safetensors`` beside the input if None, ``NAME.pruned`` for a
            folder. Mask and table follow it.
        method: what decides which weights are kept.
        epsilon: share of the largest strength up to which deaths of the barcode are not protected, in [0, 1]; 0
            protects all, 1 none. Only the method ``topological`` has it.
        scope: a target per layer, or one for all.
        layer_rates: by pattern, rates of layers that have their own; only in scope ``layer``.
        seed: for the method ``random``.
        patterns: which layers; all but embeddings and heads if None.
        mask_output: the mask, if not beside the output.
        emit_rounds: rounds of which a checkpoint is written too.
        rewind_from: an earlier checkpoint with the same tensors, whose weights are written under the mask: a ticket.
        strict: write nothing if a target is below a floor.
        force: replace existing outputs.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        OptionError: if rounds, sparsity and rate do not fit, or the output is the input.
        OutputError: if an output exists (without ``force``) or cannot be written, or the disk has too little room.
        GateError: if ``strict`` and a target is below a floor.
        VerificationError: if what was written is not what was meant; nothing is left behind.
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
    job = asked.job
    with job.staging(force=force) as staging:
        swept = asked.swept()
        report = asked.report([row for now in swept.rounds for row in rows_of_pruning(job.layers.infos, now)])
        for number, target in (*job.outputs.rounds.items(), (len(swept.rounds), job.outputs.checkpoint)):
            now = swept.rounds[number - 1]
            metadata = metadata_of(asked.settings, number)
            job.write(staging, target, now.keeps, metadata, swept.forests, expected=now.layers)
        job.commit(staging, report)
    return job.done(report, swept.rounds[-1].missed)
