"""Prune a checkpoint, in rounds without training between them or by a given mask, and verify the written files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from topoimp.checkpoint import AnyPath
from topoimp.choices import PictureSize
from topoimp.commands.evaluated_outputs import OutputEvaluation, evaluation_settings, with_evaluations
from topoimp.commands.output_metadata import metadata_of
from topoimp.commands.pages import Page, PictureFiles
from topoimp.commands.pictures import Picture
from topoimp.commands.prune_pictures import FIGURES, PruneResults
from topoimp.commands.pruning_job import Pruning, PruningJob, plan_job
from topoimp.engine.cluster import Cluster, named_or_usual, notes_on_cluster, workers_on
from topoimp.errors import OptionError
from topoimp.kernels.threads import OnStep
from topoimp.network.chain import Chain
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.all_rounds import all_rounds
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.network_method import NetworkMethod, method_for
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.round import Round, refuse_missed_targets, refuse_unfit_forests
from topoimp.reports.cells import Row
from topoimp.reports.norm_columns import known_norms, with_norm_column
from topoimp.reports.rows import pruning_settings, rows_of_pruning
from topoimp.reports.size_columns import with_size_columns
from topoimp.rounds.planning import rewind_of_preset
from topoimp.writing.sizes import Sizes, check_zstd


def prune_checkpoint(
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
    evaluate: Evaluation | None = None,
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    report: AnyPath | None = None,
    compressed_size: bool = False,
    strict: bool = False,
    force: bool = False,
    threads: int | None = None,
    cluster: Cluster | None = None,
    on_step: OnStep | None = None,
) -> Pruning:
    """Prune a checkpoint in rounds without training between them; write the result, its mask and a table.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it; never changed.
        options: how far to prune, by which method, and which layers.
        key: the state dict to read of a PyTorch file that holds several, also of ``rewind_from``
            (``topoimp.checkpoint.open_checkpoint``).
        output: the pruned checkpoint; if None beside the input, under its name with ``.pruned`` before the ending. A
            PyTorch file gives a PyTorch file with the same content otherwise, or a safetensors file if ``output`` ends
            in .safetensors. Mask and table follow it.
        mask_out: the mask, if not beside the output.
        emit_rounds: rounds whose checkpoints are written too.
        rewind_from: an earlier checkpoint with the same tensors, whose weights are written under the mask: a ticket.
        chain: the layers of the network in their order, each behind the one before, for the columns of paths and for
            methods of whole networks (``topoimp.network.chain``). They alone are pruned, unless the patterns include
            layers by name. A checkpoint in a run folder needs none.
        scores: a file of scores (``topoimp.layers.scored``), which take the place of |w| as strengths.
        evaluate: a command that prints numbers about a checkpoint (``topoimp.programs.evaluation``): about the input,
            and about each checkpoint that is written, before any output gets its final name.
        plot: an .svg, .pdf or .png file for a picture (``topoimp.commands.prune_pictures``).
        figure: name of the picture's figure; ``retention`` if None.
        size: width of the picture; ``column`` if None.
        report: an .html file for a page with this report and all figures (``topoimp.pages``).
        compressed_size: report the size of each written checkpoint under zstd too, which takes seconds for a gigabyte.
        strict: write nothing if a target is below a floor, or edges of a forest do not fit in a pattern.
        force: replace existing outputs.
        threads: number of cores; all if None. No result depends on it.
        cluster: machines that look at the layers, and write the files of a checkpoint in shards, in place of this one
            (``topoimp.engine.cluster``); they can write where the outputs lie.
        on_step: called with the number of steps done and of all steps.

    Raises:
        OptionError: if rounds, sparsity and rate do not fit, the output is an input or in a Hugging Face cache, or the
            method does not go with a cluster.
        EngineError: if the cluster cannot be used.
        OutputError: if an output exists (without ``force``) or cannot be written, or the disk has too little room, or
            a package for a picture or for ``compressed_size`` is missing.
        GateError: if ``strict`` and a target is below a floor, or a forest does not fit.
        EvaluationError: if the evaluation fails; nothing is written.
        VerificationError: if the files written are not the pruning that was computed; none of them stays.
        TopoimpError: if the file, a layer or a pattern cannot be used.

    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from safetensors.numpy import save_file
    >>> weight = np.random.default_rng(0).normal(size=(30, 20))
    >>> with TemporaryDirectory() as folder:
    ...     save_file({"weight": weight}, f"{folder}/model.safetensors")
    ...     pruning = prune_checkpoint(f"{folder}/model.safetensors", PruningOptions(sparsity=0.75))
    >>> pruning.report.network["n_kept"], pruning.report.network["barcode_kept"]
    (150, True)
    """
    if compressed_size:
        check_zstd()
    pictures = PictureFiles(Picture(FIGURES, plot, figure, size), Page(FIGURES, report))
    job, scheme = job_in_rounds(
        path,
        options,
        key,
        output,
        mask_out,
        emit_rounds,
        rewind_from,
        threads,
        on_step,
        pictures.by_role,
        chain,
        scores,
    )
    settings = {**pruning_settings(scheme), **job.settings()}
    if named_or_usual(cluster) is not None:
        _check_layer_by_layer(scheme.method)

    with job.staging(force=force) as staging, workers_on(cluster) as workers:
        evaluation = OutputEvaluation.beside(evaluate, job.layers.checkpoint)
        on_workers = replace(job, stream=replace(job.stream, workers=workers))
        swept = all_rounds(on_workers.stream, scheme)
        if strict:
            refuse_if_strict(swept.rounds, scheme)

        # Squared norms of wide types are found where the written weights are read back, not in every round.
        sizes: dict[int, Sizes] = {}
        evaluated: dict[int, Row] = {}
        norms = {round_.number: known_norms(round_) if scores is None else {} for round_ in swept.rounds}
        for number, target in (*job.outputs.rounds.items(), (len(swept.rounds), job.outputs.checkpoint)):
            round_ = swept.rounds[number - 1]
            metadata = metadata_of(settings, number)
            written = on_workers.write(staging, target, round_.keeps, metadata, swept.forests, round_.layers)
            norms[number] = {name: layer.squared_norms for name, layer in written.items()}
            sizes[number] = job.sizes(staging, target, compressed=compressed_size)
            evaluated[number] = evaluation.columns(staging, target)

        rows: list[Row] = []
        for round_ in swept.rounds:
            table = with_norm_column(rows_of_pruning(job.layers.infos, round_), norms[round_.number])
            table = with_size_columns(table, sizes.get(round_.number), compressed=compressed_size)
            rows += job.of_network(table, round_.keeps)
        rows = with_evaluations(rows, evaluated)

        results = PruneResults(settings, rows, job.stream, swept.forests, swept.rounds[-1].keeps, scheme.seed)
        provenance = job.layers.checkpoint.metadata
        complete = job.report({**settings, **evaluation_settings(evaluate)}, rows, swept)
        complete = replace(complete, notes=[*complete.notes, *notes_on_cluster(cluster)])
        found = pictures.write(staging, complete, results, provenance=provenance)
        return job.finish(staging, found, swept.rounds[-1].missed)


def _check_layer_by_layer(method: PruningMethod) -> None:
    """Raise an OptionError if a method looks at all layers together, and so cannot be given them one by one."""
    if isinstance(method, NetworkMethod) or method.holds_all_layers:
        reason = "looks at all layers in one memory, and does not go with a cluster"
        raise OptionError(f"the method {method.name} {reason}; without one it prunes on this machine")


def refuse_if_strict(rounds: Sequence[Round], scheme: Scheme) -> None:
    """Raise a ``GateError`` if a method that protects forests cannot keep one whole, or a target is below a floor."""
    consequence = "nothing was written"
    refuse_missed_targets(rounds, consequence)
    if scheme.method.protects_forest:
        refuse_unfit_forests(rounds[-1], consequence)


def job_in_rounds(
    path: AnyPath,
    options: PruningOptions,
    key: str | None,
    output: AnyPath | None,
    mask_out: AnyPath | None,
    emit_rounds: Sequence[int],
    rewind_from: AnyPath | None,
    threads: int | None,
    on_step: OnStep | None,
    pictures: Mapping[str, Path] = MappingProxyType({}),
    chain: Chain | None = None,
    scores: AnyPath | None = None,
) -> tuple[PruningJob, Scheme]:
    """Return the job of pruning a checkpoint in rounds, and the scheme that it follows; nothing is written."""
    if rewind_from is not None and options.preset is not None:
        rewind_of_preset(options.preset, None, rewind_from, has_recipe=False)
    n_rounds = options.pruning_schedule().n_rounds
    if rewind_from is not None and emit_rounds:
        raise OptionError("`emit_rounds` does not go with `rewind_from`, which writes the last round's ticket alone")

    job = plan_job(
        path,
        options.patterns,
        key=key,
        output=output,
        mask_out=mask_out,
        emit_rounds=emit_rounds,
        n_rounds=n_rounds,
        rewind_from=rewind_from,
        pictures=pictures,
        threads=threads,
        on_step=on_step,
        chain=chain,
        scores=scores,
    )
    scheme = options.scheme(job.layers.infos)
    if scores is not None and not scheme.method.is_by_strength:
        raise OptionError(f"`scores` are strengths, and the method {scheme.method.name} does not go by strength")
    return job, replace(scheme, patterns=job.layers.patterns, method=method_for(scheme.method, job.graph))
