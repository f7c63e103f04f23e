"""Which rounds a method of whole networks decided: a mark in the metadata of their masks.

Once such a method has taken over from the method before it, it decides all later rounds, also of a continued run.
"""

from pathlib import Path

from topoimp.checkpoint import open_checkpoint
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.network_method import NetworkMethod
from topoimp.pruning.round import Sweep

_MARK = "topoimp.of_network"


def marks_of(swept: Sweep) -> dict[str, str]:
    """Return the metadata of the mask of a round that a method of whole networks decided; none of any other."""
    return {_MARK: "true"} if swept.is_of_network else {}


def method_after(method: PruningMethod, mask: Path) -> PruningMethod:
    """Return a method for the round after that of a mask."""
    if isinstance(method, NetworkMethod) and _MARK in open_checkpoint(mask).metadata:
        return method.going_on()
    return method
