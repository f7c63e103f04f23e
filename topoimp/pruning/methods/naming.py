"""The methods by name: a word or a function of a user in, the method out.

A built-in method is imported when it is first named: those of whole networks have compiled passes, which no other
command needs.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TypeAlias, cast

from topoimp.choices import Method, chosen
from topoimp.errors import OptionError
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.own import ScoreFunction, own_method
from topoimp.pruning.methods.own_file import file_function, is_file_function

_CLASSES: Mapping[Method, str] = MappingProxyType(
    {
        Method.TOPOLOGICAL: "topological.Topological",
        Method.MAGNITUDE: "magnitude.Magnitude",
        Method.RANDOM: "random_order.Random",
        Method.LAMP: "lamp.Lamp",
        Method.PATHS: "paths.Paths",
        Method.SYNFLOW_L2: "synflow.SynFlowL2",
    }
)
"""The classes of the methods that have a word, in the modules beside this one."""


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
        return own_method(file_function(method)) if is_in_file else built_in(chosen(Method, method))
    if isinstance(method, PruningMethod):
        return method
    if not callable(method):
        raise OptionError(f"`method` is {method!r}; it must be a word, FILE.py:FUNCTION, or a function of the weights")
    return own_method(method)


def built_in(method: Method) -> PruningMethod:
    """Return the method that has a word.

    >>> built_in(Method.LAMP).name
    'lamp'
    """
    module, name = _CLASSES[method].split(".")
    return cast("PruningMethod", getattr(import_module(f"topoimp.pruning.methods.{module}"), name)())


def check_epsilon(epsilon: float, method: PruningMethod) -> None:
    """Check that an epsilon lies in [0, 1], and is 0 for methods that protect nothing."""
    if not 0 <= epsilon <= 1:
        raise OptionError(f"epsilon is {epsilon}; it must be at least 0 (full protection) and at most 1 (none)")
    if epsilon and not method.protects_forest:
        raise OptionError(f"epsilon is {epsilon}, but the method {method.name} protects nothing; topological does")
