"""Prune a checkpoint by a mask, and verify the written files."""

from collections.abc import Mapping

from topoimp.checkpoint import AnyPath, open_checkpoint
from topoimp.commands.pruning_job import Pruning, metadata_of, plan_job
from topoimp.kernels.threads import OnStep
from topoimp.layers.catalogue import LayerPatterns, Layers
from topoimp.pruning.masks import is_mask, masks_for
from topoimp.pruning.preservation import Preservation, total_preservation
from topoimp.reports.columns import Row
from topoimp.reports.rows import Settings, layer_columns, pattern_settings, preservation_columns
from topoimp.topology.forest import spanning_forests


def apply_mask(
    path: AnyPath,
    mask: AnyPath,
    *,
    output: AnyPath | None = None,
    patterns: LayerPatterns | None = None,
    mask_out: AnyPath | None = None,
    force: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Pruning:
    """Prune a checkpoint by a mask; write the result, the mask of its layers and a table.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it; never changed.
        mask: a mask file, or a checkpoint whose zeros are the mask.
        output: the pruned checkpoint, as for ``prune_checkpoint``.
        patterns: layers to prune; all but embeddings and heads if None.
        mask_out: the mask of these layers, if not beside the output.
        force: replace existing outputs.
        threads: number of cores; all if None. No result depends on it.
        on_step: called with the number of steps done and of all steps.

    Raises:
        OptionError: if the output is the input or the mask.
        OutputError: if an output exists (without ``force``) or cannot be written, or the disk has too little room.
        VerificationError: if the files written are not the pruning by that mask; none of them stays.
        TopoimpError: if a file, a layer, a pattern or the mask cannot be used.
    """
    patterns = patterns or LayerPatterns()
    patterns.check_matrix_view("pruning is of weights, and needs")
    masking = open_checkpoint(mask)
    job = plan_job(path, patterns, output=output, mask_out=mask_out, mask=masking, threads=threads, on_step=on_step)
    pruners = masks_for(job.layers, masking)
    settings: Settings = {"method": "mask" if is_mask(masking) else "zeros", **pattern_settings(patterns)}

    with job.staging(force=force) as staging:
        forests = spanning_forests(job.stream)
        kept = job.write(staging, job.outputs.checkpoint, pruners, metadata_of(settings, 1), forests)
        masking.check_unchanged()
        report = job.report(settings, _mask_rows(job.layers, kept))
        job.commit(staging, report)
    return job.done(report, [])


def _mask_rows(layers: Layers, kept: Mapping[str, Preservation]) -> list[Row]:
    rows: list[Row] = [
        {**layer_columns(info), "round": 1, **preservation_columns(kept[info.name])} for info in layers.infos
    ]
    total = total_preservation(list(kept.values()))
    return [*rows, {"level": "network", "round": 1, **preservation_columns(total)}]
