"""What is the zeroth-order topology of each layer of a checkpoint?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from topoimp.checkpoint import Staging, open_checkpoint
from topoimp.choices import BarConvention, NeuralPersistence, Scale, chosen
from topoimp.commands.barcode_files import BarcodeFiles
from topoimp.commands.barcode_rows import layer_row, network_row
from topoimp.errors import CheckpointError, LayerError, OptionError
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.catalogue import LayerInfo, LayerPatterns, Layers, natural
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import classify_tensors, select_layers
from topoimp.reports.columns import Cell, Row
from topoimp.reports.report import Report
from topoimp.reports.rows import (
    left_out,
    pattern_settings,
)
from topoimp.topology.barcode import (
    check_norm,
    largest_strength,
    scale_of_convention,
    unit_of,
)
from topoimp.topology.forest import Forest, spanning_forest
from topoimp.topology.gudhi_check import check_barcode, check_limit_of
from topoimp.topology.vectors import VectorSettings
from topoimp.writing.outputs import check_files

ALL_LAYERS = LayerPatterns(embeddings=True)


def barcode_report(
    path: Path,
    *,
    patterns: LayerPatterns = ALL_LAYERS,
    scale: Scale | str | None = None,
    convention: NeuralPersistence | str | None = None,
    p: float = 2.0,
    bars: Path | None = None,
    bar_convention: BarConvention | str = BarConvention.SUPERLEVEL,
    vectors: Path | None = None,
    vector_settings: VectorSettings | None = None,
    curve: Path | None = None,
    levels: Sequence[float] | None = None,
    seed: int = 0,
    check: bool = False,
    check_limit: int | None = None,
    force: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report the barcode of each layer of a checkpoint: components, cycles, deaths, neural persistence.

    On request, files say more: every bar, vectors, Betti curves. They appear whole, once all that was asked for is
    done.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        patterns: which layers; embeddings and heads too unless it says otherwise.
        scale: what deaths are divided by; that of ``convention`` if None.
        convention: the neural persistence to put first; that of ``scale`` if None. All three are reported, each with
            its own scale, unless the scale is ``none``.
        p: of neural persistence's norm, and the degree of total persistence; at least 1, finite.
        bars: a .csv or .npz file for every bar and the weight that ends it (``topoimp.topology.bars``).
        bar_convention: how bars are written there.
        vectors: a .npz file for landscapes, silhouettes and persistence images (``topoimp.topology.vectors``).
        vector_settings: how these are made; the defaults if None.
        curve: a .csv file for the Betti numbers at some levels (``topoimp.topology.betti``), beside those that
            strengths without structure would give (``topoimp.chance.betti``).
        levels: at which, at least 0; 101 from birth to 0 if None.
        seed: of the simulations that what is expected of curves may need, at least 0.
        check: hold each layer's barcode against GUDHI's, where the layer is not too large for it.
        check_limit: edges from which on it is; ``topoimp.topology.gudhi_check.CHECK_LIMIT`` are not too many if None.
        force: replace existing files.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        OptionError: if scale and convention contradict each other, a pattern matches nothing, or a name does not fit.
        OutputError: if a file exists (without ``force``) or cannot be written.
        LayerError: if there is no layer that can be checked.
        VerificationError: if GUDHI finds other bars; nothing is written.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    scale, convention = _settle(
        None if scale is None else chosen(Scale, scale),
        None if convention is None else chosen(NeuralPersistence, convention),
    )
    check_norm(p)
    limit = check_limit_of(check_limit)
    files = BarcodeFiles(
        bars=None if bars is None else Path(bars),
        convention=chosen(BarConvention, bar_convention),
        vectors=None if vectors is None else Path(vectors),
        vector_settings=vector_settings or VectorSettings(),
        curve=None if curve is None else Path(curve),
        levels=levels,
        seed=seed,
    )
    layers = select_layers(open_checkpoint(path), patterns)
    outputs = files.by_role()
    check_files(list(outputs.values()), layers.checkpoint)
    n_looks = len(layers.infos) * (1 if files.curve is None else 2)
    stream = LayerStream(layers, thread_count(threads), counted(on_step, n_looks))
    with Staging(list(outputs.values()), force=force) as staging:
        found = stream.each(_look)
        forests = {name: forest for name, (forest, _) in found.items()}
        largest = largest_strength(forests.values())
        units = {
            name: unit_of(scale, network_largest=largest, layer_largest=forest.strongest)
            for name, forest in forests.items()
        }
        rows = [
            layer_row(layers.by_name[name], forest, n_edges, largest, units[name], scale, p)
            for name, (forest, n_edges) in found.items()
        ]
        network = network_row(rows, forests, units, largest, scale, p)
        if check:
            agrees = _checked(stream, forests, limit)
            rows = [{**row, "gudhi_agrees": True if row["layer"] in agrees else None} for row in rows]
            network = {**network, "gudhi_agrees": True if len(agrees) == len(rows) else None}
        if files.bars is not None:
            files.write_bars(staging.partial(files.bars), forests, units, scale)
        if files.vectors is not None:
            files.write_vectors(staging.partial(files.vectors), forests, units, scale)
        if files.curve is not None:
            files.write_curves(staging.partial(files.curve), stream, forests, units)
        if outputs:
            layers.checkpoint.check_unchanged()
            staging.commit()
    settings: dict[str, Cell | Sequence[str]] = {**pattern_settings(patterns), "scale": scale, "np": convention, "p": p}
    if check:
        settings["check_limit"] = limit
    settings |= files.settings()
    return Report(
        command="barcode",
        inputs={"checkpoint": Path(path)},
        settings=settings,
        rows=[*rows, network],
        left_out=left_out(layers),
        outputs=outputs,
    )


def _checked(stream: LayerStream, forests: Mapping[str, Forest], limit: int) -> set[str]:
    """Hold the barcodes of all layers that are not too large against GUDHI's, one at a time; give which these were.

    Raises:
        LayerError: if there is none.
        VerificationError: if one has other bars.
    """
    infos = tuple(info for info in stream.layers.infos if forests[info.name].n_edges <= limit)
    if not infos:
        fewest = min(forest.n_edges for forest in forests.values())
        raise LayerError(
            f"{stream.layers.checkpoint.path}: no layer was held against GUDHI; the smallest has {fewest:,} edges, and "
            f"up to {limit:,} are checked (--check-limit)"
        )
    chosen_layers = Layers(stream.layers.checkpoint, infos, (), stream.layers.patterns)
    # One thread: GUDHI holds every edge of a layer in memory, and one layer at a time is enough of that.
    LayerStream(chosen_layers, 1).each(lambda layer, _threads: check_barcode(layer, forests[layer.name]))
    return {info.name for info in infos}


def tensor_list(path: Path, *, patterns: LayerPatterns = ALL_LAYERS) -> Report:
    """Report every tensor of a checkpoint: the layers, and what is none or not asked for with the reason.

    Raises:
        OptionError: if a pattern matches nothing.
        CheckpointError: if the file cannot be used.
    """
    checkpoint = open_checkpoint(path)
    if not checkpoint.tensors:
        raise CheckpointError(f"{path}: holds no tensors")
    infos, left_out = classify_tensors(checkpoint, patterns)
    if infos:
        layers = select_layers(checkpoint, patterns)
        infos, left_out = list(layers.infos), list(layers.left_out)
    rows = [_listed(info.name, info.shape, info.number_format.name, info, None) for info in infos]
    rows += [_listed(tensor.name, tensor.shape, tensor.dtype, None, tensor.reason) for tensor in left_out]
    rows.sort(key=lambda row: natural(str(row["layer"])))
    return Report("barcode", {"checkpoint": Path(path)}, {**pattern_settings(patterns), "list": True}, rows)


def _listed(name: str, shape: Sequence[int], dtype: str, info: LayerInfo | None, reason: str | None) -> Row:
    return {
        "level": "layer",
        "layer": name,
        "shape": "x".join(map(str, shape)),
        "dtype": dtype,
        "rows": info.n_rows if info else None,
        "columns": info.n_columns if info else None,
        "selected": info is not None,
        "reason": reason,
    }


def _settle(scale: Scale | None, convention: NeuralPersistence | None) -> tuple[Scale, NeuralPersistence]:
    """Give both, each following from the other where only one is given."""
    if convention is None:
        convention = NeuralPersistence.BALWANI if scale is Scale.LAYER else NeuralPersistence.RIECK
    elif scale not in (None, scale_of_convention(convention)):
        own = scale_of_convention(convention)
        raise OptionError(f"neural persistence {convention} has the scale {own}, not {scale}; leave one of the two out")
    return scale or scale_of_convention(convention), convention


def _look(layer: Layer, threads: int) -> tuple[Forest, int]:
    """Give a layer's forest, and how many of its weights are not zero."""
    forest, n_edges = spanning_forest(layer, threads=threads), layer.n_edges_in_parallel()
    return forest, forest.n_edges if n_edges is None else n_edges
