"""A method of one's own: a function from the weights of a network to a score for each of them.

The function gets the weights as read-only arrays by layer name, in the order of the file (of a module: of its
parameters), as they are in the round: pruned weights are 0. It returns an array of scores for each layer, in the
layer's shape. The weights with the larger scores are kept first. Nested masks, exact counts, reports and verification
are topoimp's, as for every method; docs/own-method.md has examples.
"""

import hashlib
import inspect
import pickle
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topoimp.choices import Method
from topoimp.errors import MethodError, OptionError
from topoimp.pruning.methods.method import PruningMethod, RuleInputs
from topoimp.pruning.methods.own_file import FileFunction
from topoimp.pruning.methods.scores import RankRule, ranks_of_scores, weights_of

ScoreFunction = Callable[[Mapping[str, NDArray[Any]]], Any]
"""Takes weights by layer name, and is to return an array of scores for each, by layer name."""


@dataclass(frozen=True)
class OwnMethod:
    """A method that is a function of the user; ``sha256`` is that of its source, None if it has none."""

    function: ScoreFunction
    name: str
    sha256: str | None
    protects_forest: bool = False
    takes_seed: bool = False
    is_by_strength: bool = False
    only_scope: None = None
    holds_all_layers: bool = True

    def provenance(self) -> Mapping[str, str]:
        """Return the checksum of the source, so that rounds go on with the same function alone."""
        return {} if self.sha256 is None else {"method_sha256": self.sha256}

    def rule(self, inputs: RuleInputs) -> RankRule:
        """Return the rule by the scores of the function, which is called once.

        Raises:
            MethodError: if the function raises an error, or returns no array of numbers for a layer, in its shape and
                without NaN.
        """
        weights = weights_of(inputs.infos, inputs.source)
        scores = self._scores(weights)
        return RankRule({name: ranks_of_scores(self._checked(name, scores, weights[name])) for name in weights})

    def _scores(self, weights: Mapping[str, NDArray[Any]]) -> Mapping[str, Any]:
        """Return the result of the function, by layer name."""
        try:
            scores = self.function(dict(weights))
        except MethodError:
            raise
        except Exception as error:
            line = _line_of(error, self.function)
            raise MethodError(
                f"method {self.name!r} raised {type(error).__name__} at line {line} ({error}); it must return scores"
            ) from error

        if not isinstance(scores, Mapping):
            found = f"returned {type(scores).__name__}"
            raise MethodError(f"method {self.name!r} {found}; it must return a dictionary of arrays by layer name")
        extra = [name for name in scores if name not in weights]
        if extra:
            known = ", ".join(weights)
            raise MethodError(f"method {self.name!r} returned scores of {extra[0]!r}; the layers are {known}")
        return scores

    def _checked(self, name: str, scores: Mapping[str, Any], weight: NDArray[Any]) -> NDArray[Any]:
        """Return the scores of a layer as an array, or raise a MethodError that names layer, found and needed."""
        where = f"method {self.name!r}, layer {name!r}"
        if name not in scores:
            raise MethodError(f"{where}: there are no scores; a score for each of the {weight.size} weights is needed")
        try:
            array = np.asarray(scores[name])
        except Exception as error:  # such as a tensor that needs a gradient
            raise MethodError(f"{where}: the scores are no array ({error}); an array of numbers is needed") from error

        if array.dtype == np.bool_:
            needed = "scores, of which the larger are kept first, are needed"
            raise MethodError(f"{where}: the scores are booleans; {needed} (`apply_mask` applies a mask)")
        if array.dtype.kind not in "fiu":
            raise MethodError(f"{where}: the scores have the type {array.dtype}; numbers are needed")
        if array.shape != weight.shape:
            raise MethodError(f"{where}: the scores have the shape {[*array.shape]}; {[*weight.shape]} is needed")

        is_nan = np.isnan(array)
        if is_nan.any():
            first = int(np.flatnonzero(is_nan)[0])
            found = f"{int(np.count_nonzero(is_nan))} scores are NaN, the first at index {first}"
            raise MethodError(f"{where}: {found}; every weight needs a score")
        return array


def own_method(function: ScoreFunction) -> OwnMethod:
    """Return a method that is a function, or another object that can be called.

    Its name is that of the function, ``lambda`` for a lambda, or that of the object's class.

    Raises:
        OptionError: if the name is that of a built-in method.
    """
    sha256: str | None
    if isinstance(function, FileFunction):
        name, sha256 = function.name, function.sha256
    else:
        name = str(getattr(function, "__name__", type(function).__name__)).strip("<>")
        sha256 = _source_sha256(function)

    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise OptionError(f"`method` is called {name!r}; a name of letters, digits and underscores is needed")
    if name in set(Method):
        raise OptionError(f"`method` is a function called {name!r}, as a built-in method is; another name is needed")
    return OwnMethod(function, name, sha256)


def can_be_sent(method: PruningMethod) -> bool:
    """Return whether another process can have the method: a lambda or a function of a notebook stays in this one."""
    if isinstance(method, OwnMethod) and getattr(method.function, "__module__", None) == "__main__":
        return False
    try:
        pickle.dumps(method)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


def _line_of(error: Exception, function: object) -> int | None:
    """Return the line of the function's own file at which an error was raised, however deep its cause is."""
    frames = traceback.extract_tb(error.__traceback__)
    code = getattr(function, "__code__", None)
    file = str(function.path) if isinstance(function, FileFunction) else getattr(code, "co_filename", None)
    own = [frame.lineno for frame in frames if frame.filename == file]
    return own[-1] if own else frames[-1].lineno


def _source_sha256(function: object) -> str | None:
    """Return a checksum of the source of a function or of an object's class; None where it is not at hand."""
    for part in (function, type(function)):
        try:
            return hashlib.sha256(inspect.getsource(part).encode()).hexdigest()  # type: ignore[arg-type]  # or TypeError
        except (OSError, TypeError):
            continue
    return None
