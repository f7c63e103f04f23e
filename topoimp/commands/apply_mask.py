"""Prune a checkpoint by a mask, and prove what was kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.pruning_job import Job, Pruning, metadata_of
from topoimp.kernels.threads import OnStep
from topoimp.layers.catalogue import LayerPatterns, Layers
from topoimp.pruning.masks import is_mask, masks_for
from topoimp.pruning.preservation import Preservation, together
from topoimp.reports.columns import Cell, Row
from topoimp.reports.report import Report
from topoimp.reports.rows import layer_columns, left_out, pattern_settings, preservation_columns
from topoimp.topology.forest import spanning_forests


def apply_mask(
    path: Path,
    mask: Path,
    *,
    output: Path | None = None,
    patterns: LayerPatterns | None = None,
    mask_output: Path | None = None,
    force: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Pruning:
    """Prune a checkpoint by a mask; write the result, the mask of its layers and a table.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it; never changed.
        mask: a mask file, or a checkpoint whose zeros are one.
        output: as for ``prune_checkpoint``.
        patterns: which layers; all but embeddings and heads if None.
        mask_output: the mask, if not beside the output.
        force: replace existing outputs.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        OptionError: if the output is the input or the mask.
        OutputError: if an output exists (without ``force``) or cannot be written, or the disk has too little room.
        VerificationError: if what was written is not what was meant; nothing is left behind.
        TopoimpError: if a file, a layer, a pattern or the mask cannot be used.
    """
    masking = open_checkpoint(mask)
    job = Job.plan(path, patterns, output, mask_output, (), 1, threads=threads, on_step=on_step, mask=masking)
    pruners = masks_for(job.layers, masking)
    settings: dict[str, Cell | Sequence[str]] = {
        "method": "mask" if is_mask(masking) else "zeros",
        **pattern_settings(job.layers.patterns),
    }
    inputs = {"checkpoint": job.path, "mask": Path(mask)}
    with job.staging(force=force) as staging:
        forests = spanning_forests(job.stream)
        left = job.write(staging, job.outputs.checkpoint, pruners, metadata_of(settings, 1), forests)
        masking.check_unchanged()
        rows = _mask_rows(job.layers, left)
        report = Report("prune", inputs, settings, rows, left_out(job.layers), job.outputs.by_role())
        job.commit(staging, report)
    return job.done(report, [])


def _mask_rows(layers: Layers, left: Mapping[str, Preservation]) -> list[Row]:
    rows: list[Row] = [
        {**layer_columns(info), "round": 1, **preservation_columns(left[info.name])} for info in layers.infos
    ]
    return [*rows, {"level": "network", "round": 1, **preservation_columns(together(list(left.values())))}]
