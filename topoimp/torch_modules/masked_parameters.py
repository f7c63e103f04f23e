"""Parameters of a module that have a mask of ``torch.nn.utils.prune``.

The module has a parameter ``NAME_orig`` and a buffer ``NAME_mask``, and computes with their product, which it keeps as
the attribute ``NAME`` from each forward pass to the next. So the product is the weight ``NAME``, and pruning changes
the buffer: torch's own means go on from there.
"""

from typing import TYPE_CHECKING

from topoimp.checkpoint.masked_weights import MASK_SUFFIX, ORIGINAL_SUFFIX
from topoimp.torch_modules.weights import named_weights, plain_name, unwrapped

if TYPE_CHECKING:
    import torch
    from torch import nn


def mask_buffers(model: "nn.Module") -> dict[str, "torch.Tensor"]:
    """Return the buffers that are masks of parameters, by name of the weight, ``NAME``."""
    parameters = named_weights(model)
    found = {}
    for buffer_name, buffer in unwrapped(model).named_buffers(remove_duplicate=False):
        name = plain_name(buffer_name).removesuffix(MASK_SUFFIX)
        original = parameters.get(f"{name}{ORIGINAL_SUFFIX}")
        is_mask = buffer_name.endswith(MASK_SUFFIX) and name not in parameters
        if is_mask and original is not None and original.shape == buffer.shape:
            found[name] = buffer
    return found


def weight_names(model: "nn.Module") -> dict[str, str]:
    """Return the name of the weight that each parameter is, or is the original of, by name of the parameter."""
    originals = {f"{name}{ORIGINAL_SUFFIX}": name for name in mask_buffers(model)}
    return {name: originals.get(name, name) for name in named_weights(model)}


def put_on_buffer(model: "nn.Module", name: str, mask: "torch.Tensor") -> None:
    """Set the mask of the weight ``name`` to 0 where ``mask`` is false, and compute the weight anew, as torch would."""
    import torch
    from torch.nn.utils.prune import BasePruningMethod

    buffer = mask_buffers(model)[name]
    with torch.no_grad():
        buffer.copy_(mask.to(buffer.device) & (buffer != 0))

    path, _, attribute = name.rpartition(".")
    for module_path, module in unwrapped(model).named_modules(remove_duplicate=False):
        if plain_name(module_path) != path:
            continue
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == attribute:
                setattr(module, attribute, hook.apply_mask(module))
