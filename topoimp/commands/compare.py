"""What did pruning, or training, do to the topology of a checkpoint?"""

from pathlib import Path

from topoimp.barcode import barcode_of_forest
from topoimp.catalogue import LayerPatterns, select_layers
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import View
from topoimp.columns import (
    layer_columns,
    left_out,
    mean_persistence_columns,
    pattern_settings,
    persistence_columns,
)
from topoimp.comparison import LayerComparison, compare_layers, compare_with_mask
from topoimp.errors import CheckpointError, OptionError
from topoimp.mask import is_mask, masks_for
from topoimp.preservation import together
from topoimp.report import Report, Row
from topoimp.streaming import LayerStream, OnStep, counted
from topoimp.threads import thread_count

REFERENCE = "_reference"
"""What the columns about the reference end in."""


def comparison_report(
    reference: Path,
    other: Path,
    *,
    patterns: LayerPatterns | None = None,
    p: float = 2.0,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report, layer by layer, what another checkpoint has of a reference's topology.

    Neural persistences of both are computed at the reference's scale, so that they compare.

    Args:
        reference: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        other: a checkpoint with the same layers, types may differ; or a mask: then what it leaves of the reference.
        patterns: which layers; all but embeddings and heads if None.
        p: of the norm, at least 1.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        LayerError: if the layers of the two differ in name or shape.
        TopoimpError: if a file, layer or pattern cannot be used.
    """
    patterns = patterns or LayerPatterns()
    opened, masking = open_checkpoint(reference), open_checkpoint(other)
    if is_mask(opened):
        raise CheckpointError(f"{opened.path}: is a mask; the reference needs weights")
    selected = select_layers(opened, patterns)
    here = LayerStream(selected, thread_count(threads), counted(on_step, len(selected.infos)))
    if is_mask(masking):
        if patterns.view is not View.MATRIX:
            raise OptionError(f"the view is {patterns.view}; {masking.path} is a mask, and needs the view matrix")
        layers = compare_with_mask(here, masks_for(here.layers, masking))
    else:
        layers = compare_layers(here, select_layers(masking, patterns))
    largest = max((layer.reference.strongest or 0.0 for layer in layers), default=0.0) or None
    rows = [
        {**layer_columns(layer.info), **layer.left.columns(), **_persistences(layer, largest, p)} for layer in layers
    ]
    network: Row = {
        "level": "network",
        **together([layer.left for layer in layers]).columns(),
        **mean_persistence_columns(rows),
        **mean_persistence_columns(rows, suffix=REFERENCE),
    }
    return Report(
        command="compare",
        inputs={"reference": Path(reference), "other": Path(other)},
        settings={**pattern_settings(patterns), "p": p},
        rows=[*rows, network],
        left_out=left_out(here.layers),
    )


def _undefined(columns: Row) -> str | None:
    missing = [name for name, value in columns.items() if value is None]
    return (
        f"no {', '.join(missing)}: a layer of zeros or of one weight, or a scale that does not fit" if missing else None
    )


def _persistences(layer: LayerComparison, largest: float | None, p: float) -> Row:
    """Give the neural persistences of both, at the reference's scales."""
    own = layer.reference.strongest
    reference, other = barcode_of_forest(layer.reference), barcode_of_forest(layer.other)
    columns = {
        **persistence_columns(other, network_scale=largest, layer_scale=own, p=p),
        **persistence_columns(reference, network_scale=largest, layer_scale=own, p=p, suffix=REFERENCE),
    }
    return {**columns, "undefined": _undefined(columns)}
