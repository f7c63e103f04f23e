"""Report how far layers can be pruned before their barcodes must change, and before magnitude pruning changes them."""

from collections.abc import Sequence
from dataclasses import dataclass

from topoimp.chance.null import Null
from topoimp.chance.overlap import Overlap, overlap_of
from topoimp.checkpoint import AnyPath, as_place, open_checkpoint
from topoimp.choices import PictureSize, View
from topoimp.commands.bound_options import USUAL_BOUNDS, BoundOptions, options_with_pictures
from topoimp.commands.bound_pictures import BoundResults
from topoimp.commands.bound_rows import checkpoint_rows, spatial_rows
from topoimp.commands.chance_columns import density_rows
from topoimp.commands.densities import Density, parse_densities
from topoimp.commands.evaluated_outputs import evaluation_settings
from topoimp.commands.initial_weights import with_initial_weights
from topoimp.commands.pages import with_files
from topoimp.comparison.retention_columns import with_holm
from topoimp.engine.cluster import Cluster, notes_on_cluster, workers_on
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.layer import Layer
from topoimp.layers.matching import matches_layer
from topoimp.layers.notes import notes_on
from topoimp.layers.records import LayerPatterns, Layers
from topoimp.layers.scored import with_scores
from topoimp.layers.streaming import LayerStream, Workers, counted
from topoimp.layers.tensors import select_layers
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.bounds import LayerBound, global_safe_count, layer_bound
from topoimp.pruning.layer_amounts import patterns_as_meant
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import evaluation_columns, with_evaluation
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings, key_settings, left_out, pattern_settings, score_settings
from topoimp.rounds.run_images import with_images_of_run
from topoimp.topology.forest import spanning_forest


def bound_report(
    path: AnyPath,
    options: BoundOptions = USUAL_BOUNDS,
    *,
    key: str | None = None,
    patterns: LayerPatterns | None = None,
    scores: AnyPath | None = None,
    evaluate: Evaluation | None = None,
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    report: AnyPath | None = None,
    force: bool = False,
    threads: int | None = None,
    cluster: Cluster | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report how far each layer of a checkpoint can be pruned.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        options: rate, densities, null models and seed.
        key: the state dict to read of a PyTorch file that holds several (``topoimp.checkpoint.open_checkpoint``).
        patterns: the layers; all but embeddings and heads if None. In the view ``spatial`` no weight is read: the
            bounds follow from the shapes, and the convolutions together and the dense layers together have a row. The
            images of a run folder's checkpoints are known.
        scores: a file of scores (``topoimp.layers.scored``), which take the place of |w| as strengths.
        evaluate: a command that prints numbers about the checkpoint (``topoimp.programs.evaluation``), for the row of
            the network.
        plot: an .svg, .pdf or .png file for a picture (``topoimp.commands.bound_pictures``).
        figure: name of the picture's figure; ``retention``, at the usual densities if none are given, if None.
        size: width of the picture; ``column`` if None.
        report: an .html file for a page with this report and all figures (``topoimp.pages``).
        force: replace existing files.
        threads: number of cores; all if None. No result depends on it.
        cluster: machines that look at the layers in place of this one (``topoimp.engine.cluster``).
        on_step: called with the number of steps done and of all steps.

    Raises:
        OptionError: if a pattern matches nothing, there is no state dict below ``key``, or densities are given in the
            view ``channel``, or the picture cannot be drawn.
        EvaluationError: if the evaluation fails.
        OutputError: if a file exists (without ``force``) or cannot be written, or a picture has no matplotlib.
        EngineError: if the cluster cannot be used.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    patterns = patterns or LayerPatterns()
    options, files, notes = options_with_pictures(options, patterns.view, plot, figure, size, report)
    if options.densities:
        patterns.check_matrix_view("densities are of weights, and need")
    patterns = with_images_of_run(patterns, path)
    layers = with_scores(select_layers(open_checkpoint(path, key=key), patterns), scores)
    inputs = {"checkpoint": as_place(path)} | ({} if scores is None else {"scores": as_place(scores)})

    def report_of() -> tuple[Report, BoundResults]:
        evaluated = {} if evaluate is None else evaluation_columns(evaluate.values(as_place(path)))
        with workers_on(cluster) as workers:
            rows, settings = _bounds_of(layers, options, thread_count(threads), on_step, workers)
        rows = with_evaluation(rows, evaluated)
        settings = {
            **key_settings(key, layers.checkpoint),
            **pattern_settings(patterns),
            **score_settings(layers),
            **settings,
        }
        settings |= evaluation_settings(evaluate)
        found = Report(
            "bound",
            inputs,
            settings,
            rows,
            left_out(layers),
            notes=[*notes_on(layers), *notes, *notes_on_cluster(cluster)],
        )
        return found, BoundResults(rows, has_densities=bool(options.densities))

    return with_files(files, report_of, *layers.files, force=force)


def _bounds_of(
    layers: Layers, options: BoundOptions, threads: int, on_step: OnStep | None, workers: Workers | None
) -> tuple[list[Row], Settings]:
    """Return the rows about the layers, and the settings that they depend on: the options, or none of the shapes."""
    if layers.patterns.view is View.SPATIAL:
        return spatial_rows(layers.infos), {}
    n_looks = 2 * len(layers.infos) - 1  # all layers once, and for one order over all again, but for the one that binds
    stream = LayerStream(layers, threads, counted(on_step, n_looks), workers)

    densities = parse_densities(options.densities)
    nulls = with_initial_weights(options.nulls, layers)
    columns = patterns_as_meant(options.output_columns, layers.infos).values()
    by_layer = {
        info.name: _Asked(
            by_column=any(matches_layer(info, pattern) for pattern in columns),
            nulls=[null.only(info.name) for null in nulls],
        )
        for info in layers.infos
    }

    found = stream.each_with(_BoundsOfLayer(densities, options.seed), by_layer)
    bounds = {name: bound for name, (bound, _, _) in found.items()}
    overlaps = [overlap for _, overlap, _ in found.values()]
    rows = checkpoint_rows(
        layers.infos, bounds, overlaps, global_safe_count(stream, bounds), options.rate, layers.checkpoint.n_weights
    )
    rows += with_holm([row for _, _, at_densities in found.values() for row in at_densities])
    return rows, options.settings()


@dataclass(frozen=True)
class _Asked:
    """What is asked about one layer: null models, and whether its outputs are its columns."""

    by_column: bool
    nulls: Sequence[Null]


@dataclass(frozen=True)
class _BoundsOfLayer:
    """Finds the bounds of a layer, and the forest edges kept at densities; ``seed`` is that of simulations."""

    densities: Sequence[Density]
    seed: int

    def __call__(self, layer: Layer, asked: _Asked, threads: int) -> tuple[LayerBound, Overlap, list[Row]]:
        forest = spanning_forest(layer, threads=threads)
        bound = layer_bound(layer, forest, by_column=asked.by_column, threads=threads)
        overlap = overlap_of(layer, forest, threads)
        rows = density_rows(layer, forest, self.densities, nulls=asked.nulls, seed=self.seed, threads=threads)
        return bound, overlap, rows
