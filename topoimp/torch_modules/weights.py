"""The parameters of a torch module by name, as a state dict names them, and as layers.

Wrappers leave no trace in the names: those of ``DataParallel`` (``module.``) and of ``torch.compile`` (``_orig_mod.``)
are taken off. Buffers are no weights: running statistics and tables of positions are not trained, and not pruned. Of
tied parameters the first is a layer; the other names are known too.

torch is imported where a module is at hand, so that this file can be imported without it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from topoimp.checkpoint import tensors_as_checkpoint
from topoimp.errors import LayerError, OptionError
from topoimp.layers.catalogue import LayerPatterns, Layers
from topoimp.layers.tensors import select_layers

if TYPE_CHECKING:
    import torch
    from torch import nn

COMPILED = "_orig_mod"
"""What ``torch.compile`` calls the module that it wraps."""


def named_weights(model: "nn.Module") -> dict[str, "nn.Parameter"]:
    """Give the parameters of a module by name, in the order of its state dict, tied ones under each of their names.

    Raises:
        LayerError: if one has no values here: it is on the device ``meta``, not made yet (lazy modules), or spread over
            processes.
    """
    from torch.nn.parameter import is_lazy

    named = {}
    for name, parameter in unwrapped(model).named_parameters(remove_duplicate=False):
        plain = _without_wrappers(name)
        if is_lazy(parameter):
            raise LayerError(f"parameter {plain!r} has no shape yet; a lazy module must have seen a batch")
        if parameter.is_meta:
            raise LayerError(f"parameter {plain!r} is on the device meta, where there are no weights")
        if hasattr(parameter, "full_tensor"):
            raise LayerError(f"parameter {plain!r} is spread over processes; a layer must be whole")
        named[plain] = parameter
    return named


def unwrapped(model: "nn.Module") -> "nn.Module":
    """Give the module that data-parallel training and compilation wrap, or the module itself."""
    from torch.nn import DataParallel, Module
    from torch.nn.parallel import DistributedDataParallel

    while True:
        inner = model._modules.get(COMPILED)
        if isinstance(model, DataParallel | DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, Module):
            return model
        model = inner


def layers_of_module(
    model: "nn.Module", patterns: LayerPatterns | None, kept: Mapping[str, "torch.Tensor"] | None = None
) -> Layers:
    """Give the layers of a module that pruning looks at.

    Args:
        model: the module; its weights are looked at as they are when a layer is read.
        patterns: which layers; all but embeddings and heads if None.
        kept: by name, which weights of a parameter count; the others read as 0.

    Raises:
        OptionError: if a pattern does not fit, or asks for another view than ``matrix``.
        LayerError: if no layer is left, or a parameter has no values.
    """
    patterns = patterns or LayerPatterns()
    patterns.check_matrix_view("pruning is of weights, and needs")
    name = type(unwrapped(model)).__name__
    return select_layers(tensors_as_checkpoint(named_weights(model), name=name, kept=kept), patterns)


def parameters_called(model: "nn.Module", names: Mapping[str, object]) -> dict[str, "nn.Parameter"]:
    """Give the parameters that some names mean, by these names.

    A name may carry what wrappers add, whether the module is wrapped or not.

    Raises:
        OptionError: if a name means no parameter, or more than one.
    """
    weights = named_weights(model)
    meant: dict[str, list[str]] = {}
    for name in weights:
        meant.setdefault(bare_name(name), []).append(name)
    found = {}
    for name in names:
        candidates = [name] if name in weights else meant.get(bare_name(name), [])
        if len(candidates) != 1:
            known = ", ".join(list(weights)[:3])
            what = "means several parameters" if candidates else "is no parameter"
            raise OptionError(f"{name!r} {what} of this {type(unwrapped(model)).__name__}, which has {known}, ...")
        found[name] = weights[candidates[0]]
    return found


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part != COMPILED)


def bare_name(name: str) -> str:
    """Give a name without anything that a wrapper may have added."""
    return ".".join(part for part in name.split(".") if part not in (COMPILED, "module"))
