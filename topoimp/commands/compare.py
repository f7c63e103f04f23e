"""What did pruning, or training, do to the topology of a checkpoint, and what would chance have done?"""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

from topoimp.chance.forest_by_chance import added_up_by_chance
from topoimp.chance.shuffling import Null, live_shape, parse_null
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import Essential, check_seed, chosen
from topoimp.commands.chance_columns import retention_columns, retention_reasons
from topoimp.comparison.comparison import LayerComparison, Other, OtherMask, compare_layers, other_checkpoint
from topoimp.comparison.weight_differences import jaccard
from topoimp.errors import CheckpointError, OptionError
from topoimp.kernels.threads import OnStep, in_parallel, thread_count
from topoimp.layers.catalogue import LayerPatterns, Layers
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.pruning.masks import is_mask, masks_for, read_masks
from topoimp.pruning.preservation import together
from topoimp.reports.columns import Cell, Row
from topoimp.reports.report import Report
from topoimp.reports.rows import (
    DISTANCES,
    REFERENCE,
    largest_of,
    layer_columns,
    left_out,
    mean_persistence_columns,
    pattern_settings,
    persistence_columns,
    preservation_columns,
)
from topoimp.rounds.finished import OtherFiles, files_of
from topoimp.topology.barcode import barcode_of_forest, largest_strength
from topoimp.topology.distance import barcode_distances
from topoimp.topology.forest import Forest

BOUND = "distance_bound"
"""The column of what the bottleneck distance can be at most."""

DEAD = ("dead_rows", "dead_columns", "dead_rows_reference", "dead_columns_reference")
"""The columns of rows and columns without edges."""


def comparison_report(
    reference: Path,
    *others: Path,
    patterns: LayerPatterns | None = None,
    null: Null | str | None = None,
    seed: int = 0,
    essential: Essential | str = Essential.DIES_AT_ZERO,
    p: float = 2.0,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report, layer by layer, what others have of a reference's topology, and what chance alone would have of it.

    Everything is measured at the scale of the reference, so that all of it compares. Beside what is kept
    stands what chance would keep of the reference: in closed form, or simulated where that does not hold
    (``topoimp.chance.forest_by_chance``), and by the shuffles of ``null``.

    Args:
        reference: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        others: at least one. A checkpoint with the same layers, types may differ; or a mask: then what it leaves of the
            reference; or a folder of rounds of pruning (``topoimp.rounds.finished``): then each round. Of a round
            the mask says what is kept, and its weights what the bars are.
        patterns: which layers; all but embeddings and heads if None.
        null: how the reference is shuffled, as in ``shuffle:20``; not at all if None.
        seed: of the shuffles and of the other simulations, at least 0.
        essential: what essential bars count as in distances.
        p: of the norm of neural persistences, at least 1.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Returns:
        a row for each layer and one for the network; of several others, or a folder of rounds, one after the other,
        with the column ``other``.

    Raises:
        OptionError: if there is nothing to compare with, or an argument is out of range.
        LayerError: if layers differ in name or shape.
        TopoimpError: if a file, layer or pattern cannot be used.
    """
    patterns, essential = patterns or LayerPatterns(), chosen(Essential, essential)
    null = parse_null(null) if isinstance(null, str) else null
    check_seed(seed)
    if not others:
        raise OptionError(f"{reference}: there is nothing to compare it with; at least one other is needed")
    opened = open_checkpoint(reference)
    if is_mask(opened):
        raise CheckpointError(f"{opened.path}: is a mask; the reference needs weights")
    files = [found for other in others for found in files_of(Path(other))]
    selected = select_layers(opened, patterns)
    here = LayerStream(selected, thread_count(threads), counted(on_step, len(selected.infos)))
    compared = compare_layers(here, [_opened(file, selected) for file in files], null=null, seed=seed)
    is_one = len(files) == 1 and files[0].round is None
    has_rounds = any(file.round is not None for file in files)
    rows: list[Row] = []
    for file, layers in zip(files, compared, strict=True):
        named = {} if is_one else _named(file, has_rounds=has_rounds)
        rows += [{**row, **named} for row in _rows(layers, essential, p, here.threads)]
    return Report(
        command="compare",
        inputs=_inputs(reference, others),
        settings={
            **pattern_settings(patterns),
            "null": None if null is None else str(null),
            "seed": seed,
            "essential": essential,
            "p": p,
        },
        rows=rows,
        left_out=left_out(here.layers),
    )


def _opened(file: OtherFiles, reference: Layers) -> Other:
    """Open what a reference is compared with."""
    opened, patterns = open_checkpoint(file.path), reference.patterns
    if not is_mask(opened):
        masks = None if file.mask is None else read_masks(file.mask)
        return other_checkpoint(reference, select_layers(opened, patterns), masks)
    patterns.need_matrix_view(f"{opened.path} is a mask, and needs")
    return OtherMask(reference, masks_for(reference, opened))


def _inputs(reference: Path, others: Sequence[Path]) -> dict[str, Path]:
    names = ["other"] if len(others) == 1 else [f"other-{number + 1}" for number in range(len(others))]
    return {"reference": Path(reference), **dict(zip(names, map(Path, others), strict=True))}


def _named(file: OtherFiles, *, has_rounds: bool) -> Row:
    rounds: Row = {"seed": file.seed, "round": file.round} if has_rounds else {}
    return {"other": file.name, **rounds}


def _rows(layers: Sequence[LayerComparison], essential: Essential, p: float, threads: int) -> list[Row]:
    """Give the rows about one other."""
    largest = largest_strength(layer.reference for layer in layers)

    def describe(start: int, stop: int) -> list[Row]:
        return [_described(layer, largest, essential, p) for layer in layers[start:stop]]

    rows = [row for part in in_parallel(describe, len(layers), threads) for row in part]
    chance = added_up_by_chance([layer.chance for layer in layers])
    n_both = sum(layer.n_both for layer in layers)
    left = together([layer.left for layer in layers])
    columns: dict[str, Cell] = {
        **preservation_columns(left),
        **retention_columns(chance),
        "mask_overlap": jaccard(n_both, left.n_edges, sum(_n_present(layer) for layer in layers)),
        "forest_overlap": jaccard(
            sum(layer.n_forest_shared for layer in layers),
            sum(len(layer.reference.indices) for layer in layers),
            sum(len(layer.other.indices) for layer in layers),
        ),
        **{column: sum(int(row[column] or 0) for row in rows) for column in DEAD},
        **{column: largest_of(rows, column) for column in (*DISTANCES, BOUND)},
        **mean_persistence_columns(rows),
        **mean_persistence_columns(rows, suffix=REFERENCE),
    }
    reasons = [f"{row['undefined']} ({row['layer']})" for row in rows if row["undefined"]]
    undefined = reasons[0] if reasons else _undefined(columns, retention_reasons(chance))
    return [*rows, {"level": "network", **columns, "undefined": undefined}]


def _described(layer: LayerComparison, largest: float | None, essential: Essential, p: float) -> Row:
    chance = layer.chance
    distances, why_not = _distances(layer, largest, essential)
    n_forests = len(layer.reference.indices), len(layer.other.indices)
    columns: dict[str, Cell] = {
        **preservation_columns(layer.left),
        **retention_columns(chance),
        "mask_overlap": jaccard(layer.n_both, layer.left.n_edges, _n_present(layer)),
        "forest_overlap": jaccard(layer.n_forest_shared, *n_forests),
        **_dead(layer.graph, ""),
        **_dead(layer.reference, REFERENCE),
        **distances,
        **_persistences(layer, largest, p),
    }
    reasons = {**retention_reasons(chance), **why_not}
    return {**layer_columns(layer.info), **columns, "undefined": _undefined(columns, reasons)}


def _n_present(layer: LayerComparison) -> int:
    """Give how many weights of the other are not zero."""
    return layer.left.n_kept - (layer.graph.n_edges - layer.other.n_edges)


def _dead(forest: Forest, suffix: str) -> Row:
    """Count the rows and the columns without edges."""
    n_rows, n_columns = live_shape(forest)
    return {f"dead_rows{suffix}": forest.n_rows - n_rows, f"dead_columns{suffix}": forest.n_columns - n_columns}


def _distances(
    layer: LayerComparison, largest: float | None, essential: Essential
) -> tuple[Mapping[str, float | None], Mapping[str, str]]:
    """Give the distances of the barcodes and what bounds the bottleneck, and why they are undefined if they are.

    What is missing of a masked layer's forest is at most as strong as some d. All stronger edges of the forest are
    there, and so are all components at levels above d; every other bar dies between 0 and d in both. So persistences
    differ by d / s at most, s being the scale, and the bottleneck distance by 1/2 at most as well. Pruning by magnitude
    leaves none of the bars that die at d or below, and reaches that.

    Source of the other bound: Cohen-Steiner, Edelsbrunner, Harer, "Stability of Persistence Diagrams", 2007.
    """
    columns = (*DISTANCES, BOUND)
    reference, other = barcode_of_forest(layer.reference), barcode_of_forest(layer.other)
    found = barcode_distances(reference, other, scale=largest, essential=essential)
    if found is None:
        why_not = "the reference has no edge to give a scale, or one far below the other's strengths"
        return dict.fromkeys(columns), dict.fromkeys(columns, why_not)
    if not isfinite(found.sorted_linf):
        why_not = "infinite, as the numbers of essential bars differ and they never die"
        return dict.fromkeys(columns), dict.fromkeys(columns, why_not)
    if layer.is_masked or layer.largest_difference is None:
        bound = min(layer.strongest_missing / (largest or 1.0), 0.5)
    else:
        bound = layer.largest_difference / (largest or 1.0)
    values = {**{name: getattr(found, name) for name in DISTANCES}, BOUND: bound}
    infinite = {name: "beyond all numbers" for name, value in values.items() if not isfinite(value)}
    return {name: None if name in infinite else value for name, value in values.items()}, infinite


def _persistences(layer: LayerComparison, largest: float | None, p: float) -> Row:
    """Give the neural persistences of both, at the reference's scales."""
    own = layer.reference.strongest
    reference, other = barcode_of_forest(layer.reference), barcode_of_forest(layer.other)
    return {
        **persistence_columns(other, network_scale=largest, layer_scale=own, p=p),
        **persistence_columns(reference, network_scale=largest, layer_scale=own, p=p, suffix=REFERENCE),
    }


def _undefined(columns: Row, reasons: Mapping[str, str]) -> str | None:
    """Say which values of a row are undefined, and why, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for name, value in columns.items():
        if value is None:
            by_reason.setdefault(_reason(name, reasons), []).append(name)
    return "; ".join(f"no {', '.join(names)}: {reason}" for reason, names in by_reason.items()) or None


def _reason(column: str, reasons: Mapping[str, str]) -> str:
    if column in reasons:
        return reasons[column]
    if column.startswith("np_"):
        return "a layer of zeros or of one weight, or a scale that does not fit"
    return "nothing is kept" if column == "compression_ratio" else "the reference has no edges"
