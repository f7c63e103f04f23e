"""The methods by name: a word of a user in, the method out."""

from collections.abc import Mapping
from types import MappingProxyType

from topoimp.choices import Method, chosen
from topoimp.errors import OptionError
from topoimp.pruning.methods.magnitude import Magnitude
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.random_order import Random
from topoimp.pruning.methods.topological import Topological

BUILT_IN: Mapping[Method, PruningMethod] = MappingProxyType(
    {
        Method.TOPOLOGICAL: Topological(),
        Method.MAGNITUDE: Magnitude(),
        Method.RANDOM: Random(),
    }
)
"""The methods that have a word."""


def method_of(method: PruningMethod | Method | str) -> PruningMethod:
    """Return the method that a word names; a method names itself, another word is an OptionError.

    >>> method_of("random").takes_seed
    True
    """
    return BUILT_IN[chosen(Method, method)] if isinstance(method, str) else method


def check_epsilon(epsilon: float, method: PruningMethod) -> None:
    """Check that an epsilon lies in [0, 1], and is 0 for methods that protect nothing."""
    if not 0 <= epsilon <= 1:
        raise OptionError(f"epsilon is {epsilon}; it must be at least 0 (full protection) and at most 1 (none)")
    if epsilon and not method.protects_forest:
        raise OptionError(f"epsilon is {epsilon}, but the method {method.name} protects nothing; topological does")
