"""The parameters of a torch module, under the names of its state dict.

The names that wrappers add are left out: ``module.`` of ``DataParallel`` and ``_orig_mod.`` of ``torch.compile``.
Buffers, such as running statistics, are not trained, so they are no weights.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from topoimp.checkpoint.masked_weights import ORIGINAL_SUFFIX
from topoimp.errors import LayerError, OptionError
from topoimp.layers.wrapped_names import COMPILED, bare_name

if TYPE_CHECKING:
    from torch import nn


def named_weights(model: "nn.Module") -> dict[str, "nn.Parameter"]:
    """Return the parameters of a module by name, in the order of its state dict, tied ones under each of their names.

    A parameter without values here is a ``LayerError``: on the device ``meta``, not made yet, or spread over processes.
    """
    from torch.nn.parameter import is_lazy

    named = {}
    for name, parameter in unwrapped(model).named_parameters(remove_duplicate=False):
        plain = plain_name(name)
        if is_lazy(parameter):
            raise LayerError(f"parameter {plain!r} has no shape yet; a lazy module must have seen a batch")
        if parameter.is_meta:
            raise LayerError(f"parameter {plain!r} is on the device meta, where there are no weights")
        if hasattr(parameter, "full_tensor"):
            raise LayerError(f"parameter {plain!r} is spread over processes; a layer must be whole")
        named[plain] = parameter
    return named


def plain_name(name: str) -> str:
    """Return the name that a parameter, buffer or module has where no part of the module is compiled."""
    return ".".join(part for part in name.split(".") if part != COMPILED)


def unwrapped(model: "nn.Module") -> "nn.Module":
    """Return the module that data-parallel training and compilation wrap, or the module itself."""
    from torch.nn import DataParallel, Module
    from torch.nn.parallel import DistributedDataParallel

    while True:
        inner = model._modules.get(COMPILED)
        if isinstance(model, DataParallel | DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, Module):
            return model
        model = inner


def parameters_called(model: "nn.Module", names: Mapping[str, object]) -> dict[str, "nn.Parameter"]:
    """Return the parameters of the given names, each of which means one, with or without the additions of wrappers.

    Of a parameter with a mask of ``torch.nn.utils.prune``, both ``NAME`` and ``NAME_orig`` mean the original.
    """
    parameters = named_weights(model)
    originals = {name.removesuffix(ORIGINAL_SUFFIX): parameter for name, parameter in parameters.items()}
    weights = {**originals, **parameters}
    by_bare_name: dict[str, list[str]] = {}
    for name in weights:
        by_bare_name.setdefault(bare_name(name), []).append(name)

    found = {}
    for name in names:
        candidates = [name] if name in weights else by_bare_name.get(bare_name(name), [])
        if len(candidates) != 1:
            known = ", ".join(list(parameters)[:3])
            problem = "means several parameters" if candidates else "is no parameter"
            raise OptionError(f"{name!r} {problem} of this {type(unwrapped(model)).__name__}, which has {known}, ...")
        found[name] = weights[candidates[0]]
    return found
