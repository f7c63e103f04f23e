"""Masks for the parameters of a torch module: from tensors or a file, matched by name, and put on.

A mask says of every weight of a parameter whether it is kept; a weight that is not kept is +0.0. Masks are tensors of
booleans, in the shape of the parameter and on its device.
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from topoimp.errors import OptionError
from topoimp.pruning.masks import PackedMask, read_masks
from topoimp.torch_modules.weights import parameters_called

if TYPE_CHECKING:
    import torch
    from torch import nn

ModuleMasks: TypeAlias = Mapping[str, "torch.Tensor | PackedMask"] | str | PathLike[str]
"""By parameter name, which weights are kept: true or 1; or the path of a mask file that ``prune`` wrote."""


def masks_by_parameter(model: "nn.Module", masks: ModuleMasks) -> dict["nn.Parameter", "torch.Tensor"]:
    """Give the masks of a module's parameters as booleans, each on its parameter's device.

    Raises:
        CheckpointError: if a path is that of no mask file.
        OptionError: if a mask has no parameter, another shape than it, or values besides 0 and 1; or if a parameter has
            two masks that differ.
    """
    named = read_masks(Path(masks)) if isinstance(masks, str | PathLike) else masks
    found: dict[nn.Parameter, torch.Tensor] = {}
    for name, parameter in parameters_called(model, named).items():
        mask = _as_booleans(name, named[name]).to(parameter.device)
        if mask.shape != parameter.shape:
            raise OptionError(f"the mask of {name!r} has the shape {[*mask.shape]}; it must be {[*parameter.shape]}")
        if parameter in found and not found[parameter].equal(mask):
            raise OptionError(f"{name!r} is tied to a parameter with another mask; they share their weights")
        found[parameter] = mask
    return found


def bits_of(mask: "torch.Tensor", like: "torch.Tensor") -> "torch.Tensor":
    """Give a mask as ``clear`` takes it: integers with all bits set where a weight is kept, and none elsewhere.

    Args:
        mask: booleans.
        like: a tensor of the type and on the device of those that are to be cleared, in the shape of the mask.
    """
    import torch

    width = like.element_size()
    if like.is_complex():
        width, mask = width // 2, mask.unsqueeze(-1)
    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return -mask.to(like.device, integers[width])


def clear(tensor: "torch.Tensor", bits: "torch.Tensor") -> None:
    """Set entries of a tensor to +0.0 in place, whatever is there, NaN too; autograd does not see it as an operation.

    Of all ways to do that this takes the least time, a fifth of that of ``masked_fill_``; and every type has it.

    Args:
        tensor: of any type and layout, but dense.
        bits: from ``bits_of``.
    """
    import torch

    values = tensor.detach()
    values = torch.view_as_real(values) if values.is_complex() else values
    values.view(bits.dtype).bitwise_and_(bits)


def put_on(masks: Mapping["nn.Parameter", "torch.Tensor"]) -> None:
    """Set the weights that masks do not keep to +0.0, in place."""
    for parameter, mask in masks.items():
        clear(parameter, bits_of(mask, parameter))


def _as_booleans(name: str, mask: "torch.Tensor | PackedMask") -> "torch.Tensor":
    import torch

    if isinstance(mask, PackedMask):
        return torch.from_numpy(mask.kept().copy())
    booleans = torch.as_tensor(mask).detach().bool()
    if not torch.equal(booleans.to(mask.dtype), mask):
        raise OptionError(f"the mask of {name!r} has values besides 0 and 1; it must say which weights are kept")
    return booleans
