"""Find the state dict, tensors by name, in the content of a PyTorch file.

Training scripts keep it at the top of the file or below a key, beside the states of optimizers, which are never one,
and sometimes beside other state dicts: of an average of the weights, or of a second network. A key such as
``model.ema`` leads through dictionaries, one name after the other.

Some tools save masks by module, ``{"fc1": {"weight": mask, "bias": None}}``, or a list of such dictionaries.
Dictionaries of the parameters of one module each are together one state dict. Of masks, a list of dictionaries at the
top of the file, or below a key of masks, is read as one dictionary.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoimp.errors import CheckpointError, OptionError

if TYPE_CHECKING:
    import torch

STATE_DICT_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "params", "weights")
"""Keys under which training scripts keep the state dict, in the order of the search."""

MASK_KEYS = ("mask", "masks")
"""Keys under which masks are kept, beside the state dict that they are of."""

MAX_DICTIONARIES = 100_000
"""Limit of the dictionaries in a file, each counted as often as keys lead to it: if each holds the one before twice, a
few hundred bytes name more than can ever be read."""

_PARAMETER = re.compile(r"[^.]*(weight|bias)[^.]*")
"""Names of the parameters of a single module, such as weight, in_proj_bias and weight_hh_l0."""

_OPTIMIZER_ENTRIES = {"state", "param_groups"}
"""Entries of every state dict of a torch optimizer."""


class Content(Enum):
    """What a file is opened for: weights, the mask of weights (or weights whose zeros are one), or either of them."""

    WEIGHTS = auto()
    MASK = auto()
    WEIGHTS_OR_MASK = auto()


@dataclass(frozen=True)
class StateDict:
    """The state dict that was chosen in a file.

    Args:
        tensors: by name; nested names are joined with dots.
        key: the key of the state dict; None if it is the file's whole content.
        other_keys: the keys of the state dicts that were passed over.
        not_tensors: the names of the file's other content.
    """

    tensors: Mapping[str, "torch.Tensor"]
    key: str | None
    other_keys: tuple[str, ...]
    not_tensors: tuple[str, ...]


def find_state_dict(
    loaded: object, path: Path, key: str | None = None, content: Content = Content.WEIGHTS
) -> StateDict:
    """Return the state dict below ``key``, or without one the only state dict, or the one below the usual key.

    A mask is looked for below the keys of masks before those of state dicts.

    Raises:
        CheckpointError: if the content holds no state dict, or several and none below a usual key, or a list with more
            than one mask of a name.
        OptionError: if there is no state dict below ``key``.
    """
    try:
        plain = _plain(loaded, {})
        if content is Content.MASK or (content is Content.WEIGHTS_OR_MASK and not _is_read("", plain)):
            plain = _with_joined_lists(plain, path)
        if _n_dictionaries(plain, {}) > MAX_DICTIONARIES:
            raise CheckpointError(f"{path}: names its dictionaries in more than {MAX_DICTIONARIES} ways; it is damaged")
        usual = (*MASK_KEYS, *STATE_DICT_KEYS) if content is Content.MASK else STATE_DICT_KEYS
        return _find_state_dict(plain, path, key, usual)
    except RecursionError as error:  # a dictionary may even hold itself
        raise CheckpointError(f"{path}: nests its dictionaries too deeply to read") from error


def _find_state_dict(loaded: object, path: Path, key: str | None, usual_keys: Sequence[str]) -> StateDict:
    if not isinstance(loaded, Mapping):
        raise CheckpointError(f"{path}: holds a {type(loaded).__name__}; a state dict, tensors by name, is needed")
    if _is_optimizer("", loaded):
        needed = "name the file with the network's weights"
        raise CheckpointError(f"{path}: holds the state of an optimizer and no network; {needed}")

    steps = _usual_steps(loaded, path, usual_keys) if key is None else _steps_to(loaded, path, key, usual_keys)
    found: Any = loaded
    other_keys: list[str] = []
    not_tensors: list[str] = []
    for depth, step in enumerate(steps):
        before = steps[:depth]
        other_keys += [_joined([*before, other]) for other in _state_dicts_in(found) if other is not step]
        not_tensors += [_joined([*before, other]) for other in found if other is not step]
        found = found[step]

    named = list(_flattened(found))
    tensors = dict(named)
    if len(tensors) < len(named):
        raise CheckpointError(f"{path}: holds two tensors of one name, once nested names are joined with dots")
    not_tensors += [_joined([*steps, other]) for other, value in found.items() if not _is_read(other, value)]
    return StateDict(tensors, _joined(steps) if steps else None, tuple(other_keys), tuple(not_tensors))


def _plain(value: object, copies: dict[int, dict[Any, Any]]) -> object:
    """Return a value with plain dictionaries: a damaged one can hide its methods behind attributes of their names."""
    if not isinstance(value, dict):
        return value
    if id(value) not in copies:
        copies[id(value)] = copy = {}
        for key, each in dict.items(value):
            copy[key] = _plain(each, copies)
    return copies[id(value)]


def _with_joined_lists(plain: object, path: Path) -> object:
    """Return the content of a file with one dictionary in place of a list of them, where a mask can be one."""
    if isinstance(plain, dict):
        return {key: _joined_list(value, {}, path) if key in MASK_KEYS else value for key, value in plain.items()}
    return _joined_list(plain, {}, path)


def _joined_list(value: object, found: dict[int, object], path: Path) -> object:
    """Return the entries of all dictionaries of a list, and of lists in it, as one; any other value as it is."""
    if not isinstance(value, list | tuple):
        return _plain(value, {})
    if id(value) not in found:
        items = [_joined_list(each, found, path) for each in value]
        is_of_dictionaries = bool(items) and all(isinstance(each, dict) for each in items)
        found[id(value)] = _joined_entries(items, path) if is_of_dictionaries else value
    return found[id(value)]


def _joined_entries(dictionaries: Sequence[Any], path: Path) -> dict[Any, Any]:
    joined: dict[Any, Any] = {}
    for dictionary in dictionaries:
        for key, value in dictionary.items():
            if key in joined:
                found = f"holds a list with more than one mask of {_text(key)!r}"
                raise CheckpointError(f"{path}: {found}; save the one that is meant")
            joined[key] = value
    return joined


def _n_dictionaries(value: object, counts: dict[int, int]) -> int:
    """Count the dictionaries in a value, each as often as keys lead to it."""
    if not isinstance(value, dict):
        return 0
    if id(value) not in counts:
        counts[id(value)] = 1 + sum(_n_dictionaries(each, counts) for each in value.values())
    return counts[id(value)]


def is_tensor(value: object) -> bool:
    """Return whether a value is a torch tensor."""
    import torch

    return isinstance(value, torch.Tensor)


def _usual_steps(loaded: Mapping[Any, Any], path: Path, usual_keys: Sequence[str]) -> list[Any]:
    """Return the keys that lead to the state dict where training scripts keep it; none if it is the whole content."""
    inside = _state_dicts_in(loaded)
    known = _usual(inside, usual_keys)
    if not known and (any(map(is_tensor, loaded.values())) or _are_modules(loaded, inside)):
        return []

    known = known or inside
    if not known:
        raise CheckpointError(f"{path}: holds no tensors by name; a state dict is needed")
    if len(inside) > 1 and known is inside:
        names = _first_names([_text(key) for key in inside])
        raise CheckpointError(f"{path}: holds several state dicts ({names}); `key` names the one to read")
    return [known[0], *_usual_steps(loaded[known[0]], path, usual_keys)]


def _are_modules(content: Mapping[Any, Any], keys: Sequence[Any]) -> bool:
    """Whether dictionaries hold the parameters of one module each, and so are one state dict together.

    One alone is a module if it has a None in place of a parameter, as masks have; it may be a whole network otherwise.
    """
    parameters = [(name, value) for key in keys for name, value in content[key].items()]
    are_named = all(isinstance(name, str) and _PARAMETER.fullmatch(name) for name, _ in parameters)
    are_masks_or_weights = all(value is None or is_tensor(value) for _, value in parameters)
    is_several = len(keys) > 1 or any(value is None for _, value in parameters)
    return are_named and are_masks_or_weights and is_several


def _steps_to(loaded: Mapping[Any, Any], path: Path, key: str, usual_keys: Sequence[str]) -> list[Any]:
    """Return the keys that lead to the state dict below a key, and on to a usual key in it."""
    steps = next((steps for steps in _all_steps(loaded) if _joined(steps) == key), None)
    if steps is None:
        names = [_joined(steps) for steps in _all_steps(loaded)]
        has = f"its state dicts are {_first_names(names)}" if names else "it has no state dict below a key"
        raise OptionError(f"`key` is {key!r}, and {path} has no such state dict; {has}")

    found: Any = loaded
    for step in steps:
        found = found[step]
    while not any(map(is_tensor, found.values())):
        usual = _usual(_state_dicts_in(found), usual_keys)
        if not usual:
            break
        steps = [*steps, usual[0]]
        found = found[usual[0]]
    return steps


def _all_steps(loaded: Mapping[Any, Any]) -> Iterator[list[Any]]:
    """Return the keys that lead to each state dict, and into those without tensors of their own."""
    for key in _state_dicts_in(loaded):
        yield [key]
        if not any(map(is_tensor, loaded[key].values())):
            yield from ([key, *steps] for steps in _all_steps(loaded[key]))


def _state_dicts_in(content: Mapping[Any, Any]) -> list[Any]:
    """Return the keys of the dictionaries that hold tensors, but for those of optimizers."""
    named = ((key, value) for key, value in content.items() if isinstance(key, str | int))
    return [key for key, value in named if not is_tensor(value) and _is_read(key, value)]


def _usual(keys: Sequence[Any], usual_keys: Sequence[str]) -> list[Any]:
    """Return those of the keys that are usual ones, in the order of the search."""
    return [key for usual in usual_keys for key in keys if key == usual]


def _is_read(key: object, value: object) -> bool:
    """Whether a value is a tensor, or a dictionary that holds some and is no optimizer's."""
    if is_tensor(value):
        return True
    if not isinstance(value, Mapping) or _is_optimizer(key, value):
        return False
    return any(_is_read(inner, each) for inner, each in value.items())


def _is_optimizer(key: object, value: Mapping[Any, Any]) -> bool:
    """Whether a dictionary is the state of an optimizer, by its entries or by the key that it lies below."""
    name = _text(key).lower()
    if value.keys() >= _OPTIMIZER_ENTRIES or re.search("(^|[^a-z])optim(izer)?s?($|[^a-z])", name):
        return True
    return name.startswith("opt") and "state" in value


def _flattened(content: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, "torch.Tensor"]]:
    for key, value in content.items():
        if is_tensor(value):
            yield f"{prefix}{_text(key)}", value
        elif isinstance(value, Mapping) and _is_read(key, value):
            yield from _flattened(value, f"{prefix}{_text(key)}.")


def _joined(steps: Sequence[Any]) -> str:
    return ".".join(map(_text, steps))


def _text(key: object) -> str:
    """Return a key as text; of integers that Python does not write out, and other long ones, the type."""
    is_short = isinstance(key, str | bool | float | None) or (isinstance(key, int) and abs(key) < 2**63)
    return str(key) if is_short else f"({type(key).__name__})"


def _first_names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}, ..., {len(names)} in all"


_SHOWN = 5
"""Names that a message shows."""
