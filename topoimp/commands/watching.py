"""Record the topology of every layer while a network trains: weights in, rows of topology.csv out."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from topoimp.checkpoint import tensors_as_checkpoint
from topoimp.choices import Scale
from topoimp.commands.barcode_rows import Barcodes, barcode_rows
from topoimp.errors import OptionError, OutputError
from topoimp.layers.by_name import ALL_LAYERS
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.pruning.preservation import count_overlapping
from topoimp.reports.cells import Row
from topoimp.reports.report import rows_of_file
from topoimp.reports.rows import PERSISTENCE_COLUMNS, TOTAL
from topoimp.rounds.run_folder import SeedFiles
from topoimp.topology.forest import Forest, spanning_forest
from topoimp.topology.forest_summary import summary_of

if TYPE_CHECKING:
    from topoimp.training.loop import Weights

OVERLAP = "overlap"

NEURAL_PERSISTENCES = (
    *PERSISTENCE_COLUMNS.values(),
    *(column + TOTAL for column in PERSISTENCE_COLUMNS.values()),
)
"""The columns that the word ``np`` stands for."""

WATCHABLE = (
    *("n_weights", "n_edges", "density", "beta0", "beta1", "largest_component", "dead_rows", "dead_columns"),
    *("floor", "largest", "scale", "median_death", "last_death", "tau", OVERLAP, *NEURAL_PERSISTENCES),
    *("total_persistence", "persistent_entropy"),
)
"""The columns that can be watched: the summaries of ``barcode``, and the overlap of forest and largest weights."""


def watched_columns(watch: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that some words name, each once; ``np`` names all neural persistences and their totals.

    Raises:
        OptionError: if a word is neither ``np`` nor a column that can be watched.

    >>> watched_columns(["beta0", "np"])[:3]
    ('beta0', 'np_rieck', 'np_rieck_finite')
    """
    columns: dict[str, None] = {}
    for word in watch:
        if word != "np" and word not in WATCHABLE:
            raise OptionError(f"`watch` names {word!r}; known are np, {', '.join(WATCHABLE)}")
        columns |= dict.fromkeys(NEURAL_PERSISTENCES if word == "np" else [word])
    return tuple(columns)


def check_watch_every(every: int | None, columns: Collection[str]) -> None:
    """Raise an OptionError if the number of steps between two records is below 1, or nothing is watched."""
    if every is not None and every < 1:
        raise OptionError(f"`watch_every` is {every}; it must be at least 1 step")
    if every is not None and not columns:
        raise OptionError(f"`watch_every` is {every}; it needs `watch`, the columns to record")


def watched_rows(weights: "Weights", columns: Collection[str], threads: int) -> list[Row]:
    """Return a row for each layer and one for the network, with the given columns of ``barcode`` and the overlap.

    Levels are divided by the largest strength of the network, and norms have p = 2, as ``barcode`` has it by default.
    """
    import torch  # the weights come from it, so it is there

    tensors = {name: torch.from_numpy(array) for name, array in weights.items() if array.ndim > 1}
    layers = select_layers(tensors_as_checkpoint(tensors, name="the network in training"), ALL_LAYERS)

    def look(layer: Layer, layer_threads: int) -> tuple[Forest, int]:
        forest = spanning_forest(layer, threads=layer_threads)
        return forest, count_overlapping(layer, forest, layer_threads) if OVERLAP in columns else 0

    found = LayerStream(layers, threads).each(look)
    forests = {name: forest for name, (forest, _) in found.items()}
    n_edges = {name: forest.n_edges for name, forest in forests.items()}
    rows = barcode_rows(
        layers.infos,
        Barcodes({name: summary_of(forest) for name, forest in forests.items()}, Scale.NETWORK),
        n_edges,
        2.0,
    )

    # The row of the network has the sums over the layers.
    overlapping = [n_overlapping for _, n_overlapping in found.values()]
    counts = [*overlapping, sum(overlapping)]
    return [_watched_row(row, n, columns) for row, n in zip(rows, counts, strict=True)]


def _watched_row(row: Row, n_overlapping: int, columns: Collection[str]) -> Row:
    floor = int(row["floor"] or 0)
    values: Row = {**row, OVERLAP: n_overlapping / floor if floor else None}
    identity = {"level": row["level"], "layer": row.get("layer")}
    return {**identity, **{column: values.get(column) for column in columns}}


def check_watched(files: SeedFiles, columns: Collection[str], steps: Collection[int]) -> None:
    """Raise an OutputError if a trained seed lacks columns or steps to watch, which only training can record."""
    if not columns:
        return
    if not files.topology.is_file():
        raise OutputError(f"{files.trained}: was trained without `watch`; `force` trains it again")
    text = files.topology.read_text(encoding="utf-8").partition("\n")[0]
    missing = sorted(set(columns) - set(text.split(",")))
    if missing:
        raise OutputError(f"{files.topology}: has no column {missing[0]}; `force` trains the network again")
    if {row.get("step") for row in rows_of_file(files.topology)} != set(steps):
        raise OutputError(f"{files.topology}: has other steps than `watch_every` asks for; `force` trains it again")
