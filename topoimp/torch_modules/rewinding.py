"""Rewinding a torch module: the weights of an earlier moment, under a mask that was found later."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from topoimp.errors import OptionError
from topoimp.torch_modules.masks import ModuleMasks, masks_by_parameter, put_on
from topoimp.torch_modules.weights import bare_name, unwrapped

if TYPE_CHECKING:
    import torch
    from torch import nn


def rewind_module(model: "nn.Module", state: "Mapping[str, torch.Tensor]", masks: ModuleMasks) -> None:
    """Set a module back to earlier weights in place, but for those that a mask does not keep: they are +0.0.

    All of the state goes back: biases, norms and buffers too. The optimizer is not: make a new one, as its moments
    are those of the later weights.

    Args:
        model: the module.
        state: a copy of its state dict at that moment: ``copy.deepcopy(model.state_dict())``.
        masks: as ``hold_mask`` takes them.

    Raises:
        OptionError: if the state has other names or shapes than the module, or is the module's own and so not earlier;
            or if a mask does not fit. Nothing has changed then.
        CheckpointError: if a path is that of no mask file.
    """
    import torch

    found = masks_by_parameter(model, masks)
    inner = unwrapped(model)
    here = {name: tensor for name, tensor in inner.state_dict().items() if isinstance(tensor, torch.Tensor)}
    there = _by_names_of(here, state)
    for name, tensor in here.items():
        if name not in there:
            raise OptionError(f"the state to rewind to lacks {name!r}; it must be a whole state dict of this module")
        if there[name].shape != tensor.shape:
            shape, needed = [*there[name].shape], [*tensor.shape]
            raise OptionError(f"the state to rewind to has {name!r} of shape {shape}; the module has {needed}")
        if tensor.numel() and there[name].data_ptr() == tensor.data_ptr():
            raise OptionError(
                f"the state to rewind to shares {name!r} with the module, and changed with it; "
                "copy.deepcopy(model.state_dict()) keeps what it was"
            )
    extra = [name for name in there if name not in inner.state_dict()]
    if extra:
        raise OptionError(f"the state to rewind to has {extra[0]!r}, which the module lacks")
    inner.load_state_dict(there)
    put_on(found)


def _by_names_of(here: Mapping[str, object], state: "Mapping[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Give a state by the names that a module has, whatever wrapped it when the state was taken."""
    by_bare_name = {bare_name(name): name for name in here}
    return {name if name in here else by_bare_name.get(bare_name(name), name): state[name] for name in state}
