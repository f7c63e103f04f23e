"""Prune a checkpoint by a given mask, as it is, shuffled or repaired, and verify the written files."""

from collections.abc import Mapping, Sequence

from topoimp.chance.mask_shuffling import ShuffledMask
from topoimp.checkpoint import AnyPath
from topoimp.choices import MaskShuffle, PictureSize, check_seed, chosen
from topoimp.commands.evaluated_outputs import OutputEvaluation, evaluation_settings
from topoimp.commands.output_metadata import metadata_of
from topoimp.commands.pages import Page, PictureFiles
from topoimp.commands.pictures import Picture
from topoimp.commands.prune_pictures import FIGURES, PruneResults
from topoimp.commands.pruning_job import Pruning, plan_job
from topoimp.errors import VerificationError
from topoimp.kernels.threads import OnStep
from topoimp.layers.records import LayerPatterns
from topoimp.network.chain import Chain
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.applied_masks import is_mask_of, masks_for
from topoimp.pruning.masks import is_mask
from topoimp.pruning.preservation import Preservation, total_preservation
from topoimp.pruning.repaired_masks import Repair, RepairedMask, repair_of
from topoimp.pruning.rules import Pruner
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import with_evaluation
from topoimp.reports.norm_columns import with_norm_column
from topoimp.reports.rows import Settings, layer_columns, pattern_settings, preservation_columns
from topoimp.reports.size_columns import with_size_columns
from topoimp.topology.forest import spanning_forests
from topoimp.writing.sizes import check_zstd


def apply_mask(
    path: AnyPath,
    mask: AnyPath,
    *,
    key: str | None = None,
    output: AnyPath | None = None,
    patterns: LayerPatterns | None = None,
    shuffle_mask: MaskShuffle | str | None = None,
    seed: int = 0,
    repair: bool = False,
    mask_out: AnyPath | None = None,
    chain: Chain | None = None,
    scores: AnyPath | None = None,
    evaluate: Evaluation | None = None,
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    report: AnyPath | None = None,
    compressed_size: bool = False,
    force: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Pruning:
    """Prune a checkpoint by a mask; write the result, the mask of its layers and a table.

    ``mask`` is a mask file, a mask of another tool (a tensor of 0 and 1 for each layer, of any type, under the name of
    the weight or ``NAME_mask``), or a checkpoint whose zeros are the mask. Its names may differ from those of the
    checkpoint by ``module.`` and ``_orig_mod.``. ``patterns`` select the layers to prune, all but embeddings and heads
    if None. With ``shuffle_mask`` each layer keeps as many of its nonzero weights as the mask
    does, in random places that ``seed`` decides (``topoimp.chance.mask_shuffling``). With ``repair`` it is the nearest
    mask of the same size that keeps the barcode of each layer (``topoimp.pruning.repaired_masks``); the report counts
    the weights that come back as ``n_repaired``, and layers whose mask had fewer weights than their floor grow to it.
    The other arguments are those of ``prune_checkpoint``.

    Raises:
        OptionError: if the output is the input or the mask.
        LayerError: if the mask of a layer cannot be shuffled.
        OutputError: if an output exists (without ``force``) or cannot be written, or the disk has too little room.
        EvaluationError: if the evaluation fails; nothing is written.
        VerificationError: if the files written are not the pruning by that mask; none of them stays.
        TopoimpError: if a file, a layer, a pattern or the mask cannot be used.
    """
    if compressed_size:
        check_zstd()
    patterns = patterns or LayerPatterns()
    patterns.check_matrix_view("pruning is of weights, and needs")
    shuffle = None if shuffle_mask is None else chosen(MaskShuffle, shuffle_mask)
    check_seed(seed)
    pictures = PictureFiles(Picture(FIGURES, plot, figure, size), Page(FIGURES, report))

    job = plan_job(
        path,
        patterns,
        key=key,
        output=output,
        mask_out=mask_out,
        mask=mask,
        pictures=pictures.by_role,
        threads=threads,
        on_step=on_step,
        chain=chain,
        scores=scores,
    )
    masking = job.opened["mask"]
    pruners: dict[str, Pruner] = {**masks_for(job.layers, masking)}
    infos = job.layers.infos
    by_mask = is_mask(masking) or is_mask_of(job.layers, masking)
    settings: Settings = {"method": "mask" if by_mask else "zeros", **pattern_settings(job.layers.patterns)}
    settings |= job.settings()
    if shuffle is not None:
        pruners = {name: ShuffledMask(pruner, shuffle, seed) for name, pruner in pruners.items()}
        settings = {**settings, "shuffle_mask": shuffle, "seed": seed}
    if repair:
        settings = {**settings, "repair": True}

    with job.staging(force=force) as staging:
        evaluation = OutputEvaluation.beside(evaluate, job.layers.checkpoint)
        repairs: dict[str, Repair] = {}
        if repair:
            repairs = job.stream.each(lambda layer, n_threads: repair_of(pruners[layer.name], layer, n_threads))
            pruners = {info.name: RepairedMask(pruners[info.name], info, repairs[info.name]) for info in infos}
        forests = {name: each.reference for name, each in repairs.items()} or spanning_forests(job.stream)
        written = job.write(staging, job.outputs.checkpoint, pruners, metadata_of(settings, 1), forests)
        kept = {name: layer.preservation for name, layer in written.items()}
        _check_repaired(kept, repairs)
        evaluated = evaluation.columns(staging, job.outputs.checkpoint)

        total = total_preservation(list(kept.values()))
        rows: list[Row] = [
            *({**layer_columns(info), "round": 1, **preservation_columns(kept[info.name])} for info in infos),
            {"level": "network", "round": 1, **preservation_columns(total)},
        ]
        norms = {name: layer.squared_norms for name, layer in written.items()}
        rows = with_norm_column(_with_repairs(rows, repairs), norms)
        sizes = job.sizes(staging, job.outputs.checkpoint, compressed=compressed_size)
        rows = job.of_network(with_size_columns(rows, sizes, compressed=compressed_size), pruners)
        rows = with_evaluation(rows, evaluated)
        results = PruneResults(settings, rows, job.stream, forests, pruners, seed)
        provenance = job.layers.checkpoint.metadata
        complete = job.report({**settings, **evaluation_settings(evaluate)}, rows)
        found = pictures.write(staging, complete, results, provenance=provenance)
        return job.finish(staging, found, [name for name, each in repairs.items() if each.is_at_floor])


def _with_repairs(rows: Sequence[Row], repairs: Mapping[str, Repair]) -> list[Row]:
    """Return rows of layers and of the network with the weights that came back; as they are without a repair."""
    if not repairs:
        return list(rows)
    n_missing = {name: repair.n_missing for name, repair in repairs.items()}
    total = sum(n_missing.values())
    return [{**row, "n_repaired": n_missing[str(row["layer"])] if row["level"] == "layer" else total} for row in rows]


def _check_repaired(kept: Mapping[str, Preservation], repairs: Mapping[str, Repair]) -> None:
    """Raise a VerificationError if a repaired layer was written with another size or barcode than it was to have."""
    for name, repair in repairs.items():
        n_kept = max(repair.n_kept, len(repair.forest.indices))
        if not kept[name].barcode_kept or kept[name].n_kept != n_kept:
            found = f"keeps {kept[name].n_kept} weights, and {'the' if kept[name].barcode_kept else 'another'} barcode"
            raise VerificationError(
                f"layer {name!r}: its repaired mask {found}; {n_kept} and the barcode were promised"
            )
