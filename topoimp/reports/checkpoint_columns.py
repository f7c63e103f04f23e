"""The columns of a whole checkpoint, beside those of its selected layers.

Only the selected layers are pruned. The numbers of all other floating-point tensors, such as embeddings, biases and
norms, are kept and count as such, zeros too: their number stands in the headers, and no tensor is read for it.
"""

from collections.abc import Sequence

from topoimp.checkpoint import Checkpoint
from topoimp.reports.cells import Row

CHECKPOINT = ("n_checkpoint_weights", "checkpoint_density")
"""Columns of the network alone."""


def with_checkpoint_columns(rows: Sequence[Row], checkpoint: Checkpoint) -> list[Row]:
    """Return rows in which those of the network have the size and the density of the whole checkpoint.

    The density is blank where ``n_kept`` is unknown, and in a checkpoint without numbers.
    """
    n_weights = checkpoint.n_weights
    return [{**row, **_columns(row, n_weights)} if row["level"] == "network" else row for row in rows]


def _columns(row: Row, n_weights: int) -> Row:
    n_selected = row["n_weights"]
    n_kept = row.get("n_kept")
    columns: dict[str, int | float | None] = {"n_checkpoint_weights": n_weights, "checkpoint_density": None}
    if isinstance(n_selected, int) and isinstance(n_kept, int):
        columns["checkpoint_density"] = (n_weights - n_selected + n_kept) / n_weights
    return columns
