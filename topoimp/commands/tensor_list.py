"""List the tensors of a checkpoint: which of them are layers, and which rule decides it."""

from topoimp.checkpoint import AnyPath, as_place, open_checkpoint
from topoimp.errors import CheckpointError
from topoimp.layers.by_name import ALL_LAYERS
from topoimp.layers.notes import notes_on
from topoimp.layers.records import LayerInfo, LayerPatterns, LeftOut, natural
from topoimp.layers.tensors import sorted_tensors
from topoimp.reports.cells import Row
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings, key_settings, left_out_of_files, pattern_settings

WEIGHTS = "weights"
"""Rule of a tensor that no other rule keeps from being a layer."""


def tensor_list(path: AnyPath, *, key: str | None = None, patterns: LayerPatterns = ALL_LAYERS) -> Report:
    """Report every tensor of a checkpoint: whether it is a layer, whether ``prune`` takes it by default, and why not.

    Raises:
        OptionError: if a pattern matches nothing.
        CheckpointError: if the file cannot be used.

    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from safetensors.numpy import save_file
    >>> with TemporaryDirectory() as folder:
    ...     save_file({"fc.weight": np.eye(3), "fc.bias": np.ones(3)}, f"{folder}/model.safetensors")
    ...     report = tensor_list(f"{folder}/model.safetensors")
    >>> [(row["layer"], row["selected"], row["rule"]) for row in report.rows]
    [('fc.bias', False, 'one axis'), ('fc.weight', True, 'weights')]
    """
    checkpoint = open_checkpoint(path, key=key)
    if not checkpoint.tensors:
        raise CheckpointError(f"{path}: holds no tensors")
    layers = sorted_tensors(checkpoint, patterns)

    tensors: list[LayerInfo | LeftOut] = [*layers.infos, *layers.left_out]
    rows: list[Row] = []
    for each in sorted(tensors, key=lambda tensor: natural(tensor.name)):
        name: Row = {"level": "layer", "layer": each.name, "shape": "x".join(map(str, each.shape))}
        rows.append({**name, **(_columns_of_layer(each) if isinstance(each, LayerInfo) else _columns_of_other(each))})
    settings: Settings = {**key_settings(key, checkpoint), **pattern_settings(patterns), "list": True}
    others = left_out_of_files(checkpoint)
    return Report("barcode", {"checkpoint": as_place(path)}, settings, rows, others, notes=notes_on(layers))


def _columns_of_layer(info: LayerInfo) -> Row:
    return {
        "dtype": info.number_format.name,
        "rows": info.n_rows,
        "columns": info.n_columns,
        "selected": True,
        "pruned_by_default": info.is_pruned_by_default,
        "rule": WEIGHTS if info.rule is None else info.rule.name,
        "reason": None if info.rule is None else info.rule.reason,
    }


def _columns_of_other(tensor: LeftOut) -> Row:
    return {
        "dtype": tensor.dtype,
        "rows": None,
        "columns": None,
        "selected": False,
        "pruned_by_default": tensor.is_pruned_by_default,
        "rule": tensor.rule.name,
        "reason": tensor.reason,
    }
