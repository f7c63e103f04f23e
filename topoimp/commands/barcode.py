"""What is the zeroth-order topology of each layer of a checkpoint?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.barcode import (
    Barcode,
    barcode_of_forest,
    reason_undefined,
    scale_of_convention,
)
from topoimp.catalogue import LayerInfo, LayerPatterns, classify_tensors, natural, select_layers
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import NeuralPersistence, Scale, chosen
from topoimp.columns import (
    layer_columns,
    left_out,
    mean_persistence_columns,
    pattern_settings,
    persistence_columns,
)
from topoimp.errors import CheckpointError, OptionError
from topoimp.forest import Forest, spanning_forest
from topoimp.layers import Layer
from topoimp.report import Report, Row
from topoimp.streaming import LayerStream, OnStep, counted
from topoimp.threads import thread_count

UNDIVIDED = "no neural persistence: nothing is divided"
ALL_LAYERS = LayerPatterns(embeddings=True)


def barcode_report(
    path: Path,
    *,
    patterns: LayerPatterns = ALL_LAYERS,
    scale: Scale | str | None = None,
    convention: NeuralPersistence | str | None = None,
    p: float = 2.0,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report the barcode of each layer of a checkpoint: components, cycles, deaths, neural persistence.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        patterns: which layers; embeddings and heads too unless it says otherwise.
        scale: what deaths are divided by; that of ``convention`` if None.
        convention: the neural persistence to put first; that of ``scale`` if None. All three are reported, each with
            its own scale, unless the scale is ``none``.
        p: of the norm, at least 1.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        OptionError: if scale and convention contradict each other, or a pattern matches nothing.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    scale, convention = _settle(
        None if scale is None else chosen(Scale, scale),
        None if convention is None else chosen(NeuralPersistence, convention),
    )
    layers = select_layers(open_checkpoint(path), patterns)
    found = LayerStream(layers, thread_count(threads), counted(on_step, len(layers.infos))).each(_look)
    forests = {info.name: forest for info, (forest, _) in zip(layers.infos, found, strict=True)}
    largest = max((forest.strongest or 0.0 for forest in forests.values()), default=0.0) or None
    rows = [
        {**layer_columns(info), **_layer_row(info, forest, n_edges, largest, scale, p)}
        for info, (forest, n_edges) in zip(layers.infos, found, strict=True)
    ]
    return Report(
        command="barcode",
        inputs={"checkpoint": Path(path)},
        settings={**pattern_settings(patterns), "scale": scale, "np": convention, "p": p},
        rows=[*rows, _network_row(rows, forests, largest, scale)],
        left_out=left_out(layers),
    )


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


def _layer_row(
    info: LayerInfo, forest: Forest, n_edges: int, network_largest: float | None, scale: Scale, p: float
) -> Row:
    barcode = barcode_of_forest(forest)
    divisor = {Scale.NETWORK: network_largest, Scale.LAYER: forest.strongest, Scale.NONE: 1.0}[scale]
    persistences = persistence_columns(barcode, network_scale=network_largest, layer_scale=forest.strongest, p=p)
    return {
        "n_weights": info.n_weights,
        "n_edges": n_edges,
        "density": n_edges / info.n_weights,
        "beta0": forest.n_components,
        "beta1": forest.n_cycles,
        "floor": len(forest.indices),
        "largest": forest.strongest,
        "tau": forest.weakest,
        "scale": divisor,
        "median_death": _median(barcode.deaths / divisor) if divisor and len(barcode.deaths) else None,
        "last_death": forest.weakest / divisor if divisor and forest.weakest is not None else None,
        **({} if scale is Scale.NONE else persistences),
        "undefined": _undefined(barcode, scale),
    }


def _median(numbers: FloatArray) -> float:
    """Give the median; the middle two are halved before they are added, which no number overflows."""
    ordered = np.sort(numbers)
    return float(ordered[(len(ordered) - 1) // 2] / 2 + ordered[len(ordered) // 2] / 2)


def _undefined(barcode: Barcode, scale: Scale) -> str | None:
    if scale is Scale.NONE:
        return UNDIVIDED
    reason = reason_undefined(barcode)
    return f"np_balwani: {reason}" if reason else None


def _network_row(rows: Sequence[Row], forests: Mapping[str, Forest], largest: float | None, scale: Scale) -> Row:
    n_weights, n_edges = (sum(int(row[key] or 0) for row in rows) for key in ("n_weights", "n_edges"))
    undefined = [f"{row['undefined']} ({row['layer']})" for row in rows if row["undefined"]]
    return {
        "level": "network",
        "n_weights": n_weights,
        "n_edges": n_edges,
        "density": n_edges / n_weights,
        "beta0": sum(forest.n_components for forest in forests.values()),
        "beta1": sum(forest.n_cycles for forest in forests.values()),
        "floor": sum(len(forest.indices) for forest in forests.values()),
        "largest": largest,
        "tau": min((forest.weakest for forest in forests.values() if forest.weakest is not None), default=None),
        "scale": {Scale.NETWORK: largest, Scale.LAYER: None, Scale.NONE: 1.0}[scale],
        **({} if scale is Scale.NONE else mean_persistence_columns(rows)),
        "undefined": UNDIVIDED if scale is Scale.NONE else undefined[0] if undefined else None,
    }
