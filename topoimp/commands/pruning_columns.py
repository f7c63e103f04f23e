"""The columns of reports of pruning, by level.

They are known before a pruning starts, so that a gate on any other column is refused before anything is written.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from topoimp.pruning.preservation import Preservation
from topoimp.reports.checkpoint_columns import CHECKPOINT
from topoimp.reports.norm_columns import NORM
from topoimp.reports.path_columns import GLUED, ON_PATHS
from topoimp.reports.rows import (
    DISTANCES,
    PERSISTENCE_COLUMNS,
    REFERENCE,
    TOTAL,
    UNFIT,
    preservation_columns,
)
from topoimp.reports.size_columns import COMPRESSED, SIZES
from topoimp.rounds.round_rows import CHANCE
from topoimp.rounds.trainer import METRICS

Columns: TypeAlias = Mapping[str, frozenset[str]]
"""By level, the columns of its rows."""

_LAYER = ("level", "layer", "rows", "columns", "dtype", "view", "round")
_NETWORK = ("level", "round")
_KEPT = tuple(
    preservation_columns(
        Preservation(
            n_weights=1,
            n_edges=1,
            n_kept=1,
            floor=1,
            n_forest_kept=1,
            beta0=1,
            beta0_reference=1,
            beta1=0,
            beta0_kept=True,
            barcode_kept=True,
        )
    )
)
_WHOLE = (*CHECKPOINT, *SIZES, *GLUED)
_TARGET = ("target", "floor_binds", "n_forest_added")


def _columns(layer: tuple[str, ...], network: tuple[str, ...], both: tuple[str, ...]) -> Columns:
    return MappingProxyType({"layer": frozenset((*layer, *both)), "network": frozenset((*network, *both))})


MASK_COLUMNS = _columns(_LAYER, (*_NETWORK, *_WHOLE), (*_KEPT, NORM, *ON_PATHS))
"""The columns of ``apply_mask``."""

REPAIR_COLUMNS = _columns(_LAYER, (*_NETWORK, *_WHOLE), (*_KEPT, NORM, "n_repaired", *ON_PATHS))
"""The columns of ``apply_mask`` with ``repair``."""

ONE_SHOT_COLUMNS = _columns(_LAYER, (*_NETWORK, *_WHOLE), (*_KEPT, NORM, *_TARGET, *ON_PATHS))
"""The columns of ``prune_checkpoint``."""

PATTERN_COLUMNS = _columns(_LAYER, (*_NETWORK, *_WHOLE), (*_KEPT, NORM, *_TARGET, UNFIT, *ON_PATHS))
"""The columns of ``prune_checkpoint`` by a pattern."""

_PERSISTENCES = tuple(column + suffix for column in PERSISTENCE_COLUMNS.values() for suffix in ("", REFERENCE))
_TOTALS = tuple(column + TOTAL + suffix for column in PERSISTENCE_COLUMNS.values() for suffix in ("", REFERENCE))
_OF_ROUND = tuple(f"round_{name}" for name in ("beta0_kept", "barcode_kept", "retention", NORM, *CHANCE))

RUN_COLUMNS = _columns(
    _LAYER,
    (*_NETWORK, *_TOTALS, *METRICS, "checked", *_WHOLE),
    (
        *("method", "epsilon", "scope", "seed"),
        *_KEPT,
        *_TARGET,
        *_OF_ROUND,
        *CHANCE,
        *_PERSISTENCES,
        *DISTANCES,
        *ON_PATHS,
    ),
)
"""The columns of the last round of ``prune_run`` and ``prune_with_trainer``."""


def columns_of(by: str | None = None, *, is_trained: bool = False, compressed_size: bool = False) -> Columns:
    """Return the columns of a pruning in rounds, trained or not, or by a mask or a pattern, whose argument is named."""
    if is_trained:
        return RUN_COLUMNS
    columns_by = {"apply_mask": MASK_COLUMNS, "repair": REPAIR_COLUMNS, "pattern": PATTERN_COLUMNS}
    columns = columns_by.get(by or "", ONE_SHOT_COLUMNS)
    compressed = {COMPRESSED} if compressed_size else set()
    return MappingProxyType({**columns, "network": columns["network"] | compressed})
