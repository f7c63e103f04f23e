"""Reports: rows of named columns, with where they came from; as JSON, CSV or a pandas table.

A row is a mapping from column to value. A value that is undefined is None: null in JSON, blank in CSV. Every column
is described in ``COLUMNS``, and no report has another one, so that names and meanings stay stable.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.errors import CheckpointError

if TYPE_CHECKING:
    import pandas as pd

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]

COLUMNS = MappingProxyType(
    {
        "level": "`layer`, or `network` for a row about all selected layers together; in `bound` also `density`, for a "
        "layer at one density",
        "method": "what decides which weights are kept",
        "epsilon": "share of the scale up to which deaths are not protected; blank but for the method `topological`",
        "scope": "whether each layer has a target of its own, or all share one",
        "seed": "of the initial weights, the order of the images, and the permutations of the method `random`",
        "round": "round of pruning, from 1; 0 is the unpruned network",
        "other": "in `compare` of several: the path of what is compared with the reference; of a round, its folder",
        "layer": "name of the tensor; blank in a network row",
        "rows": "rows of the layer: its first axis",
        "columns": "columns of the layer: its other axes together",
        "shape": "shape of the tensor",
        "dtype": "type of the weights, as safetensors names it",
        "view": "how the tensor is read as a matrix",
        "selected": "whether the tensor is looked at",
        "reason": "why it is not",
        "n_vertices": "rows and columns together",
        "n_weights": "weights, stored zeros included",
        "n_edges": "weights of the input (in `compare`: of the reference) that are not zero",
        "target": "weights to keep in this round; blank in a layer row of scope `global`",
        "n_kept": "weights kept, or present in the other checkpoint; stored zeros count as not kept",
        "density": "n_kept / n_weights; in `barcode` n_edges / n_weights; in `bound` the share asked for",
        "sparsity": "1 - density",
        "compression_ratio": "1 / density",
        "beta0": "connected components of what is kept; single rows and columns count",
        "beta0_reference": "connected components of the reference",
        "beta1": "independent cycles of what is kept",
        "floor": "fewest weights with which the barcode can be kept: the edges of the (reference's) forest",
        "floor_binds": "whether the layer is held at its floor: its target was below it (scope `layer`), or nothing "
        "but its forest is left (scope `global`); in a network row, whether a target was missed for it",
        "critical_density": "floor / n_edges",
        "critical_compression": "n_edges / floor",
        "largest": "largest strength",
        "scale": "what strengths are divided by to give deaths; 1 with `--scale none`",
        "median_death": "median level at which finite bars die: strength / scale",
        "last_death": "level at which the last finite bar dies: tau / scale",
        "tau": "strength of the forest's weakest edge: dropping |w| < t keeps the barcode if and only if t <= tau",
        "certificate": "largest strength of the vertex with an edge where that is smallest; tau is never above it",
        "certificate_tight": "whether that is tau; if not, the last forest edge joins two larger parts",
        "safe_count": "fewest strongest weights that keep the barcode; network: each layer cut for itself",
        "safe_sparsity": "1 - safe_count / n_weights",
        "safe_count_global": "the same with one order over all layers",
        "safe_sparsity_global": "1 - safe_count_global / n_weights",
        "binding_layer": "the layer whose last forest edge comes latest in one order over all layers",
        "binding_vertex": "the row or column that the last forest edge attaches; blank if it joins two larger parts",
        "rate": "share of the remaining weights that one round removes",
        "rounds_to_floor": "rounds at that rate that fit above the floor; network: of every layer",
        "rounds_to_floor_global": "the same with one target for all layers",
        "safe_rounds": "rounds of plain magnitude pruning at that rate that keep the barcode; network: for every layer",
        "safe_rounds_global": "the same with one order over all layers",
        "input_size": "image that a convolution is laid over, its stride and its padding (`same`: as many outputs as "
        "inputs at stride 1)",
        "spatial_inputs": "positions of the padded input of a convolution",
        "spatial_outputs": "positions of its output",
        "spatial_edges": "edges of one filter laid over the image: from each output to the inputs it is made of",
        "spatial_floor": "edges of the forest of that graph, if the kernel has no zero",
        "spatial_compression": "spatial_edges / spatial_floor: of edges, which share the weights of one kernel",
        "forest_guaranteed": "forest edges that the n_kept strongest weights keep at least, whatever the weights",
        "forest_random": "forest edges that a random mask of n_kept edges is expected to meet",
        "forest_iid": "forest edges that the n_kept strongest weights keep on average if strengths have no structure",
        "forest_kept": "forest edges that are among the n_kept strongest weights",
        "random_connected": "about how likely the rows and columns that have edges are in one piece if each edge is "
        "kept with the probability n_kept / n_edges; blank if there are zeros in between",
        "random_threshold": "density about which random masks stop leaving a layer in one piece; blank if it has zeros",
        "beta0_kept": "whether there are as many components as in the reference",
        "barcode_kept": "whether all bars are exactly those of the reference",
        "retention": "share of the reference's forest edges that are present",
        "retention_guaranteed": "the least that as many strongest weights have of a forest, whatever the weights",
        "retention_iid": "what they have on average if strengths are independent and alike; blank where no closed form "
        "holds",
        "retention_random": "what as many random edges have on average",
        "retention_null": "what as many strongest weights have on average if the reference is shuffled (`--null`)",
        "excess": "retention - retention_null; without `--null` retention - retention_iid",
        "z_score": "excess in standard deviations of the shuffles",
        "mask_overlap": "weights that are not zero in both / weights that are not zero in either",
        "forest_overlap": "edges in both forests / edges in either, of the reference's and the other's own",
        "dead_rows": "rows without an edge",
        "dead_columns": "columns without an edge",
        "dead_rows_reference": "rows of the reference without an edge",
        "dead_columns_reference": "columns of the reference without an edge",
        "np_rieck": "neural persistence, convention `rieck`; network: mean over the layers",
        "np_rieck_reference": "the same of the reference",
        "np_rieck_finite": "neural persistence, convention `rieck-finite`; network: mean over the layers",
        "np_rieck_finite_reference": "the same of the reference",
        "np_balwani": "neural persistence, convention `balwani`; network: mean over the layers",
        "np_balwani_reference": "the same of the reference",
        "total_persistence": "sum over all bars of persistence^p (`--p`), no root taken, at the row's scale; an "
        "essential bar has the persistence 1 (with `--scale none` the largest strength of the network); network: sum "
        "over the layers",
        "persistent_entropy": "entropy of the persistences, each divided by their sum, in nats, at the row's scale; "
        "essential bars as above; network: of the bars of all layers together",
        "gudhi_agrees": "whether GUDHI finds the same bars (a difference is an error); blank if that was not looked "
        "at; network: whether it does for every layer",
        "epoch": "passes over the training set",
        "step": "training steps so far",
        "train_loss": "mean cross-entropy over the epoch's training steps, in nats",
        "test_loss": "mean cross-entropy on the test set, in nats",
        "test_accuracy": "share of the test set that is classified correctly",
        "round_beta0_kept": "whether the round's mask left as many components as the weights before it had",
        "round_barcode_kept": "whether the round's mask left all bars of the weights before it",
        "round_retention": "share of the forest of the weights before the round that its mask kept",
        "bytes_to_write": "about how many bytes this round would write (`prune --dry-run`); without training the mask "
        "counts with the last",
        "peak_memory": "about how many bytes will be resident at most (`prune --dry-run`)",
        "bottleneck": "bottleneck distance of the barcode to the reference's, at the reference's scale; removed edges "
        "merge at 0 (with `--essential never-dies` not at all); network: the largest",
        "sorted_linf": "largest difference of the sorted persistences, at the reference's scale; network: the largest",
        "wasserstein_1": "Wasserstein distance W_1 of the barcodes, at the reference's scale: a sum over bars, not "
        "divided by their number; network: the largest",
        "wasserstein_2": "the same, W_2",
        "distance_bound": "what `bottleneck` can be at most, but for rounding: of a masked reference min(d / scale, "
        "1/2), d being the strongest forest edge that is missing, which pruning by magnitude reaches; of other weights "
        "the largest difference of strengths / scale; network: the largest",
        "checked": "what was checked of a round (docs/reports.md)",
        "quantity": "column that is summed up",
        "n_seeds": "seeds that it is summed up over",
        "mean": "mean over the seeds",
        "standard_deviation": "standard deviation over the seeds, of a sample; blank for one seed",
        "minimum": "smallest value of any seed",
        "maximum": "largest value of any seed",
        "undefined": "why a value of this row is blank",
    }
)
"""Every column that a report may have, and what it means."""


@dataclass(frozen=True)
class Report:
    """What a command found.

    Args:
        command: its name.
        inputs: the files looked at, by role.
        settings: the settings that it ran with.
        rows: layer rows and network rows (``level``), in the order in which CSV lists them.
        left_out: layers that were not selected, and why.
        outputs: the files that were written, by role.
    """

    command: str
    inputs: Mapping[str, Path]
    settings: Mapping[str, Cell | Sequence[str]]
    rows: Sequence[Row]
    left_out: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = {column for row in self.rows for column in row} - set(COLUMNS)
        if unknown:
            raise ValueError(f"columns without a description: {sorted(unknown)}")

    @property
    def layers(self) -> list[Row]:
        """The rows about single layers."""
        return [row for row in self.rows if row["level"] == "layer"]

    @property
    def rounds(self) -> list[Row]:
        """The rows about the network: one per round, epoch or other, otherwise a single one."""
        return [row for row in self.rows if row["level"] == "network"]

    @property
    def densities(self) -> list[Row]:
        """The rows about single layers at one density each."""
        return [row for row in self.rows if row["level"] == "density"]

    @property
    def network(self) -> Row:
        """The row about the network, the last if there are several; empty if there is none."""
        return self.rounds[-1] if self.rounds else {}

    def to_json(self) -> str:
        """Give one JSON object: command, version, inputs, settings, layers, network, left_out.

        After these outputs, if there are any; all network rows if there are several (rounds, epochs or others); and
        densities.
        """
        from importlib.metadata import version  # slow to import, and only needed here

        content: dict[str, object] = {
            "command": self.command,
            "version": version("topoimp"),
            "inputs": {role: str(path) for role, path in self.inputs.items()},
            "settings": dict(self.settings),
            "layers": self.layers,
            "network": self.network,
            "left_out": dict(self.left_out),
        }
        if self.outputs:
            content["outputs"] = {role: str(path) for role, path in self.outputs.items()}
        step = next((step for step in ("other", "round", "epoch") if step in self.network), None)
        if step is not None:
            content[f"{step}s"] = self.rounds
        if self.densities:
            content["densities"] = self.densities
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Give CSV text: one header line, full precision, true and false, blank where undefined."""
        columns = self._columns()
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        table.writerows([_csv_cell(row.get(column)) for column in columns] for row in self.rows)
        return text.getvalue()

    def _columns(self) -> list[str]:
        return [column for column in COLUMNS if any(column in row for row in self.rows)]

    def frame(self) -> "pd.DataFrame":
        """Give the rows as a pandas table, with nullable types."""
        import pandas as pd

        return pd.DataFrame({column: pd.array([row.get(column) for row in self.rows]) for column in self._columns()})


def rows_of_csv(text: str) -> list[Row]:
    """Give the rows of a table that ``Report.to_csv`` wrote, columns without a value left out.

    Raises:
        CheckpointError: if it is no such table.
    """
    table = csv.DictReader(io.StringIO(text))
    try:
        unknown = [name for name in table.fieldnames or [""] if name not in COLUMNS]
        if unknown:
            raise CheckpointError(f"a table has a column {unknown[0]!r}, which no report has")
        rows = list(table)
    except csv.Error as error:
        raise CheckpointError(f"a table is no CSV: {error}") from error
    if any(None in row for row in rows):  # where the cells without a column are
        raise CheckpointError("a table has a row with more cells than there are columns")
    return [{name: _cell_of(name, cell) for name, cell in row.items() if cell} for row in rows]


def rows_of_file(path: Path) -> list[Row]:
    """Give the rows of a file that holds such a table, of which there is at least one.

    Raises:
        CheckpointError: if it cannot be read, or holds no such table.
    """
    try:
        rows = rows_of_csv(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: is no table: {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: is no table of a report: {error}") from error
    if not rows:
        raise CheckpointError(f"{path}: holds no row; a table has at least one")
    return rows


def _cell_of(name: str, text: str) -> Cell:
    if name in ("layer", "other"):
        return text
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _csv_cell(cell: Cell) -> Cell:
    return str(cell).lower() if isinstance(cell, bool) else cell
