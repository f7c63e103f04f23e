"""Report the zeroth-order topology of each layer of a checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from topoimp.checkpoint import AnyPath, Checkpoint, Staging, as_place, open_checkpoint
from topoimp.choices import BarConvention, NeuralPersistence, PictureSize, Scale, chosen
from topoimp.commands.barcode_files import BarcodeFiles
from topoimp.commands.barcode_looks import looked_at
from topoimp.commands.barcode_picture_options import PictureOptions
from topoimp.commands.barcode_pictures import FIGURES, BarcodeResults
from topoimp.commands.pages import Page
from topoimp.commands.pictures import Picture
from topoimp.engine.cluster import Cluster, notes_on_cluster, workers_on
from topoimp.errors import LayerError, OptionError
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.by_name import ALL_LAYERS
from topoimp.layers.layer import Layer
from topoimp.layers.notes import notes_on
from topoimp.layers.records import LayerPatterns
from topoimp.layers.scored import with_scores
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings, chain_settings, key_settings, left_out, pattern_settings, score_settings
from topoimp.rounds.run_images import with_images_of_run
from topoimp.topology.barcode import check_norm, scale_of_convention
from topoimp.topology.filter_barcodes import FilterBarcodes
from topoimp.topology.forest import Forest
from topoimp.topology.gudhi_check import check_barcode, check_filters, check_limit_of
from topoimp.topology.vectors import VectorSettings
from topoimp.writing.outputs import check_files

if TYPE_CHECKING:
    from topoimp.network.chain import Chain
    from topoimp.network.graph import NetworkGraph


def barcode_report(
    path: AnyPath,
    *,
    key: str | None = None,
    patterns: LayerPatterns = ALL_LAYERS,
    chain: "Chain | None" = None,
    scores: AnyPath | None = None,
    scale: Scale | str | None = None,
    np_convention: NeuralPersistence | str | None = None,
    p: float = 2.0,
    bars: AnyPath | None = None,
    bar_convention: BarConvention | str = BarConvention.SUPERLEVEL,
    vectors: AnyPath | None = None,
    vector_settings: VectorSettings | None = None,
    curve: AnyPath | None = None,
    levels: Sequence[float] | None = None,
    components: AnyPath | None = None,
    seed: int = 0,
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    null: str | None = None,
    image: Sequence[int] | None = None,
    report: AnyPath | None = None,
    check: bool = False,
    check_limit: int | None = None,
    force: bool = False,
    threads: int | None = None,
    cluster: Cluster | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report the barcode of each layer of a checkpoint: components, cycles, deaths, neural persistence.

    The files that ``bars``, ``vectors``, ``curve``, ``components``, ``plot`` and ``report`` name appear whole, at the
    very end.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        key: the state dict to read of a PyTorch file that holds several (``topoimp.checkpoint.open_checkpoint``).
        patterns: the layers; all, embeddings and heads too, by default. In the view ``spatial`` a convolution has a
            barcode for each filter, unrolled over its image; the images of a run folder's checkpoints are known.
        chain: the layers of the network in their order, each behind the one before, for the columns of the network as
            one graph (``topoimp.network.chain``). They alone are selected, unless the patterns include layers by name.
        scores: a file of scores (``topoimp.layers.scored``), which take the place of |w| as strengths; not with a
            chain, which reads weights.
        scale: divisor of strengths; that of ``np_convention`` if None. The scale ``network`` is the checkpoint's own
            (``topoimp.topology.own_scale``), whichever layers are selected; it takes a look at the others.
        np_convention: the convention of neural persistence that ``settings`` names; that of ``scale`` if None. All
            three are reported, each with its own scale, unless the scale is ``none``.
        p: norm of neural persistence and degree of total persistence, at least 1, finite.
        bars: a .csv or .npz file for every bar and the weight that ends it (``topoimp.topology.bars``).
        bar_convention: form of the bars in that file, and in the figure ``diagram``.
        vectors: a .npz file for landscapes, silhouettes and persistence images (``topoimp.topology.vectors``).
        vector_settings: their settings; the defaults if None.
        curve: a .csv file for the Betti numbers at ``levels`` (``topoimp.topology.betti``), beside those expected of
            strengths without structure (``topoimp.chance.betti``).
        levels: levels of the curve, at least 0; 101 from birth to 0 if None.
        components: a .csv file for the sizes of the connected components (``topoimp.topology.components``).
        seed: seed of simulations, which numbers by chance may need, at least 0.
        plot: an .svg, .pdf or .png file for a picture (``topoimp.commands.barcode_pictures``).
        figure: name of the picture's figure; ``barcode`` if None.
        size: width of the picture; ``column`` if None.
        null: a null model that is simulated, such as ``edges:20``, in the figures ``diagram`` and ``betti-curves``.
        image: of the figure ``input-image``, height and width, or height, width and channels, of the images that a
            dense first layer reads, channel by channel; if None, those of the run folder's data.
        report: an .html file for a page with this report and all figures (``topoimp.pages``).
        check: compare each layer's barcode with GUDHI's, where the layer is not too large.
        check_limit: edges up to which it is not; ``topoimp.topology.gudhi_check.CHECK_LIMIT`` if None.
        force: replace existing files.
        threads: number of cores; all if None. No result depends on it.
        cluster: machines that look at the layers in place of this one (``topoimp.engine.cluster``); figures, files and
            GUDHI take this one.
        on_step: called with the number of steps done and of all steps.

    Raises:
        OptionError: if scale and convention contradict each other, a pattern matches nothing, a file's name does not
            end as its content needs, a curve is requested in the view ``spatial``, or no figure has null or image.
        OutputError: if a file exists (without ``force``) or cannot be written, or a picture has no matplotlib.
        EngineError: if the cluster cannot be used.
        LayerError: if there is no layer that can be checked.
        VerificationError: if GUDHI finds other bars; nothing is written.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    scale, np_convention = _scale_and_convention(
        None if scale is None else chosen(Scale, scale),
        None if np_convention is None else chosen(NeuralPersistence, np_convention),
    )
    check_norm(p)
    limit = check_limit_of(check_limit)
    form = chosen(BarConvention, bar_convention)
    files = BarcodeFiles(bars, form, vectors, vector_settings or VectorSettings(), curve, levels, seed, components)
    picture = Picture(FIGURES, plot, figure, size)
    of_figures = PictureOptions(null, seed, form, image)
    page = Page(FIGURES, report)
    drawn = picture.drawn | page.drawn
    of_figures.check(drawn, patterns)

    outputs = {**files.by_role(), **picture.by_role(), **page.by_role()}
    if curve is not None:
        patterns.check_edges_are_weights("`curve` is of weights, and needs")
    patterns = with_images_of_run(patterns, path)
    of_figures = of_figures.with_image_of_run(drawn, path)
    checkpoint = open_checkpoint(path, key=key)
    if chain is not None and scores is not None:
        raise OptionError("`chain` reports the weights as one graph; it does not go with `scores`")
    graph, patterns = _graph_and_patterns(checkpoint, chain, patterns)
    layers = with_scores(select_layers(checkpoint, patterns), scores)
    check_files(list(outputs.values()), *layers.files)
    n_looks = len(layers.infos) * (1 if curve is None else 2)
    stream = LayerStream(layers, thread_count(threads), counted(on_step, n_looks))
    limits: Settings = {"check_limit": limit} if check else {}
    settings: Settings = {
        **key_settings(key, layers.checkpoint),
        **pattern_settings(patterns),
        **chain_settings(graph),
        **score_settings(layers),
        "scale": scale,
        "np_convention": np_convention,
        "p": p,
        **limits,
        **files.settings(),
        **picture.settings(),
        **of_figures.settings(drawn),
    }
    with Staging(list(outputs.values()), force=force) as staging:
        with workers_on(cluster) as workers:
            barcodes, rows, found = looked_at(
                replace(stream, workers=workers), scale, p, needs_forests=bool(outputs) or check
            )

        if check:
            checked = _check_by_gudhi(stream, found, limit)
            are_all = len(checked) == len(found)
            rows = [{**row, "gudhi_agrees": True if are_all or row.get("layer") in checked else None} for row in rows]

        notes = [*notes_on(layers), *notes_on_cluster(cluster)]
        if graph is not None:
            from topoimp.commands.barcode_graph import with_graph_columns

            of_graph = with_graph_columns(rows, graph, stream, p)
            rows = list(of_graph.rows)
            notes = [*notes, *of_graph.notes]

        files.write(staging, stream, barcodes)
        results = BarcodeResults(barcodes, rows, stream, of_figures)
        notes = [*notes, *picture.write(staging, results)]
        inputs = {"checkpoint": as_place(path)} | ({} if scores is None else {"scores": as_place(scores)})
        found_report = Report("barcode", inputs, settings, rows, left_out(layers), outputs, notes)
        page.write(staging, found_report, results, provenance=layers.checkpoint.metadata)
        if outputs:
            for file in layers.files:
                file.check_unchanged()
            staging.commit()
    return found_report


def _graph_and_patterns(
    checkpoint: Checkpoint, chain: "Chain | None", patterns: LayerPatterns
) -> tuple["NetworkGraph | None", LayerPatterns]:
    """Return the graph of a chain, and patterns that select its layers; None and the same patterns without one."""
    if chain is None:
        return None, patterns
    from topoimp.network.chain import graph_of_chain, patterns_on_chain

    patterns.check_matrix_view("`chain` is of weights, and needs")
    graph = graph_of_chain(checkpoint, chain)
    return graph, patterns_on_chain(patterns, graph)


def _scale_and_convention(
    scale: Scale | None, np_convention: NeuralPersistence | None
) -> tuple[Scale, NeuralPersistence]:
    """Return both, each following from the other where only one is given."""
    if np_convention is None:
        np_convention = NeuralPersistence.BALWANI if scale is Scale.LAYER else NeuralPersistence.RIECK
        return scale or scale_of_convention(np_convention), np_convention
    own = scale_of_convention(np_convention)
    if scale not in (None, own):
        raise OptionError(
            f"neural persistence {np_convention} has the scale {own}, not {scale}; leave one of the two out"
        )
    return own, np_convention


def _check_by_gudhi(stream: LayerStream, found: Mapping[str, Forest | FilterBarcodes], limit: int) -> set[str]:
    """Compare the barcodes of all layers that are not too large with GUDHI's; return the names of these layers."""
    layers = stream.layers
    infos = tuple(info for info in layers.infos if found[info.name].n_edges <= limit)
    if not infos:
        fewest = min(each.n_edges for each in found.values())
        raise LayerError(
            f"{layers.checkpoint.path}: no layer was compared with GUDHI; the smallest has {fewest:,} edges, and "
            f"`check_limit` is {limit:,}"
        )
    # One thread: GUDHI holds every edge of a layer in memory, and one layer at a time is enough of that.
    one_by_one = LayerStream(replace(layers, infos=infos), 1)

    def look(layer: Layer, _threads: int) -> None:
        each = found[layer.name]
        if isinstance(each, Forest):
            check_barcode(layer, each)
        else:
            check_filters(layer, each)

    one_by_one.each(look)
    return {info.name for info in infos}
