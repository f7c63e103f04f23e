"""The sizes of written checkpoints, as columns of the network."""

from collections.abc import Sequence

from topoimp.reports.cells import Row
from topoimp.writing.sizes import Sizes

SIZES = ("bytes", "bytes_mask")
"""Columns of the network alone."""

COMPRESSED = "bytes_zstd"
"""Column of the network where the size under zstd was asked for."""


def with_size_columns(rows: Sequence[Row], sizes: Sizes | None, *, compressed: bool = False) -> list[Row]:
    """Return rows in which those of the network have the sizes of the written files; None if no file is written."""
    columns: dict[str, int | None] = dict.fromkeys([*SIZES, *([COMPRESSED] if compressed else [])])
    if sizes is not None:
        columns |= {"bytes": sizes.checkpoint, "bytes_mask": sizes.mask}
        columns |= {COMPRESSED: sizes.compressed} if compressed else {}
    return [{**row, **columns} if row["level"] == "network" else row for row in rows]
