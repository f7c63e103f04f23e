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
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import NeuralPersistence, Scale, chosen
from topoimp.commands.columns import (
    layer_columns,
    left_out,
    mean_persistence_columns,
    pattern_settings,
    persistence_columns,
)
from topoimp.errors import CheckpointError, OptionError
from topoimp.forest import Forest, spanning_forest
from topoimp.layers import LayerPatterns, classify_tensors, select_layers
from topoimp.report import Report, Row

UNDIVIDED = "no neural persistence: nothing is divided"
ALL_LAYERS = LayerPatterns(embeddings=True)


def barcode_report(
    path: Path,
    *,
    patterns: LayerPatterns = ALL_LAYERS,
    scale: Scale | str | None = None,
    convention: NeuralPersistence | str | None = None,
    p: float = 2.0,
) -> Report:
    """Report the barcode of each layer of a checkpoint: components, cycles, deaths, neural persistence.

    Args:
        path: a .safetensors file.
        patterns: which layers; embeddings and heads too unless it says otherwise.
        scale: what deaths are divided by; that of ``convention`` if None.
        convention: the neural persistence to put first; that of ``scale`` if None. All three are reported, each with
            its own scale, unless the scale is ``none``.
        p: of the norm, at least 1.

    Raises:
        OptionError: if scale and convention contradict each other, or a pattern matches nothing.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    scale, convention = _settle(
        None if scale is None else chosen(Scale, scale),
        None if convention is None else chosen(NeuralPersistence, convention),
    )
    layers = select_layers(open_checkpoint(path), patterns)
    forests = {layer.name: spanning_forest(layer) for layer in layers}
    largest = max((forest.strongest or 0.0 for forest in forests.values()), default=0.0) or None
    rows = [{**layer_columns(info), **_layer_row(forests[info.name], largest, scale, p)} for info in layers.infos]
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
    infos, no_layers = classify_tensors(checkpoint)
    if not checkpoint.tensors:
        raise CheckpointError(f"{path}: holds no tensors")
    reasons = {
        tensor.name: tensor.reason for tensor in (select_layers(checkpoint, patterns).left_out if infos else no_layers)
    }
    sides = {info.name: (info.n_rows, info.n_columns) for info in infos}
    rows: list[Row] = [
        {
            "level": "layer",
            "layer": tensor.name,
            "shape": "x".join(map(str, tensor.shape)),
            "dtype": tensor.dtype,
            "rows": sides.get(tensor.name, (None, None))[0],
            "columns": sides.get(tensor.name, (None, None))[1],
            "selected": tensor.name not in reasons,
            "reason": reasons.get(tensor.name),
        }
        for tensor in checkpoint.tensors.values()
    ]
    return Report("barcode", {"checkpoint": Path(path)}, {**pattern_settings(patterns), "list": True}, rows)


def _settle(scale: Scale | None, convention: NeuralPersistence | None) -> tuple[Scale, NeuralPersistence]:
    """Give both, each following from the other where only one is given."""
    if convention is None:
        convention = NeuralPersistence.BALWANI if scale is Scale.LAYER else NeuralPersistence.RIECK
    elif scale not in (None, scale_of_convention(convention)):
        own = scale_of_convention(convention)
        raise OptionError(f"neural persistence {convention} has the scale {own}, not {scale}; leave one of the two out")
    return scale or scale_of_convention(convention), convention


def _layer_row(forest: Forest, network_largest: float | None, scale: Scale, p: float) -> Row:
    barcode = barcode_of_forest(forest)
    divisor = {Scale.NETWORK: network_largest, Scale.LAYER: forest.strongest, Scale.NONE: 1.0}[scale]
    persistences = persistence_columns(barcode, network_scale=network_largest, layer_scale=forest.strongest, p=p)
    n_weights = forest.n_rows * forest.n_columns
    return {
        "n_weights": n_weights,
        "n_edges": forest.n_edges,
        "density": forest.n_edges / n_weights,
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
    n_weights = sum(forest.n_rows * forest.n_columns for forest in forests.values())
    n_edges = sum(forest.n_edges for forest in forests.values())
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
