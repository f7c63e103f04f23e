"""Tensors whose names and shapes together show that they hold several matrices: stacked experts, packed projections.

Only its owner's code is certain, so such a tensor is read as one graph unless ``groups`` splits it. The names that are
known are those whose parts lie one after the other: BLOOM and GPT-NeoX pack ``query_key_value`` head by head, and
LightGlue the rows of ``Wqkv`` in turn.
"""

import re

from topoimp.layers.records import Groups

_EXPERTS = re.compile(r"(?:.*\.)?[^.]*experts?[^.]*(?:\.(?!\d+(?:\.|$))(?![^.]*conv)[^.]+)*", re.IGNORECASE)
"""Names of experts with no number behind, as ``experts.0.w1`` is one expert alone."""

_QUERIES_KEYS_VALUES = re.compile(r"(?:.*[._])?(?:qkv|qkv_proj|c_attn|in_proj_weight)(?:\.(?:weight|kernel))?")


def experts_in(name: str, shape: tuple[int, ...]) -> Groups | None:
    """Return the groups that read stacked experts, one graph each; None if names or shapes show none.

    >>> str(experts_in("mlp.experts.gate_up_proj", (8, 64, 128)))
    'mlp.experts.gate_up_proj=8'
    """
    is_stack = len(shape) == 3 and min(shape) > 1 and _EXPERTS.fullmatch(name) is not None
    return Groups(name, shape[0]) if is_stack else None


def projections_in(name: str, shape: tuple[int, ...]) -> Groups | None:
    """Return the groups that read packed queries, keys and values; None if names or shapes show none.

    One side is three times the other: the rows, or the columns where the projection is stored as (inputs, outputs).

    >>> str(projections_in("h.0.attn.c_attn.weight", (768, 2304)))
    'h.0.attn.c_attn.weight=3@1'
    """
    is_matrix = len(shape) >= 2 and min(shape[:2]) > 1 and all(side == 1 for side in shape[2:])  # 1 x 1 convolutions
    if not is_matrix or _QUERIES_KEYS_VALUES.fullmatch(name) is None:
        return None
    if shape[0] == 3 * shape[1]:
        return Groups(name, 3)
    return Groups(name, 3, axis=1) if shape[1] == 3 * shape[0] else None
