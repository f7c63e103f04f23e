"""The methods by name: a word or a function of a user in, the method out."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from topoimp.choices import Method, chosen
from topoimp.errors import OptionError
from topoimp.pruning.methods.lamp import Lamp
from topoimp.pruning.methods.magnitude import Magnitude
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.own import ScoreFunction, own_method
from topoimp.pruning.methods.own_file import file_function, is_file_function
from topoimp.pruning.methods.paths import Paths
from topoimp.pruning.methods.random_order import Random
from topoimp.pruning.methods.synflow import SynFlowL2
from topoimp.pruning.methods.topological import Topological

BUILT_IN: Mapping[Method, PruningMethod] = MappingProxyType(
    {
        Method.TOPOLOGICAL: Topological(),
        Method.MAGNITUDE: Magnitude(),
        Method.RANDOM: Random(),
        Method.LAMP: Lamp(),
        Method.PATHS: Paths(),
        Method.SYNFLOW_L2: SynFlowL2(),
    }
)
"""The methods that have a word."""


MethodOption: TypeAlias = PruningMethod | ScoreFunction | Method | str
"""A method as users name it: a word, FILE.py:FUNCTION, a function of the weights, or a method."""


def method_of(method: MethodOption) -> PruningMethod:
    """Return the method that a word, a function or FILE.py:FUNCTION names; a method names itself.

    Raises:
        OptionError: if there is no such word, file or function, or a function has the name of a built-in method.

    >>> method_of("random").takes_seed
    True
    """
    if isinstance(method, str):
        is_in_file = is_file_function(method)
        return own_method(file_function(method)) if is_in_file else BUILT_IN[chosen(Method, method)]
    if isinstance(method, PruningMethod):
        return method
    if not callable(method):
        raise OptionError(f"`method` is {method!r}; it must be a word, FILE.py:FUNCTION, or a function of the weights")
    return own_method(method)


def check_epsilon(epsilon: float, method: PruningMethod) -> None:
    """Check that an epsilon lies in [0, 1], and is 0 for methods that protect nothing."""
    if not 0 <= epsilon <= 1:
        raise OptionError(f"epsilon is {epsilon}; it must be at least 0 (full protection) and at most 1 (none)")
    if epsilon and not method.protects_forest:
        raise OptionError(f"epsilon is {epsilon}, but the method {method.name} protects nothing; topological does")
