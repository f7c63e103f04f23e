"""A rule about tensors: its reason and source, in words for users, and its effect."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from topoimp.checkpoint import TensorInfo
from topoimp.layers.neighbours import Neighbours


class Effect(Enum):
    """Consequence of a rule for a tensor for which it holds."""

    NEVER = "cannot be read as a layer"
    UNLESS_GROUPED = "cannot be read as a layer unless `groups` says how many graphs it holds"
    UNLESS_INCLUDED = "no layer, unless a pattern of `include` names it: its numbers are no weights between neurons"
    UNLESS_EMBEDDINGS = (
        "a layer that is not pruned, unless `embeddings` or a pattern of `include` that names it adds it"
    )
    BY_PATTERN = "a layer that `include` or `exclude` leaves out"


@dataclass(frozen=True)
class Rule:
    """A rule that keeps tensors from being layers, or from being pruned by default.

    Args:
        name: one or two words, for programs.
        effect: consequence.
        reason: for users; {dtype} stands for the tensor's type and {first} for the tensor that it is tied to.
        source: where such tensors are defined, or why the rule is as it is.
    """

    name: str
    effect: Effect
    reason: str
    source: str

    def reason_for(self, tensor: TensorInfo, around: Neighbours) -> str:
        """Return the reason, with the type and the tie of a tensor."""
        return self.reason.format(dtype=tensor.dtype, first=around.ties.get(tensor.name))


Holds = Callable[[TensorInfo, Neighbours], bool]
"""A question about a tensor and the tensors around it."""

HoldsForGraph = Callable[[int, int, int], bool]
"""A question about the rows and columns of a graph, and the number of parallel edges that join two of them."""
