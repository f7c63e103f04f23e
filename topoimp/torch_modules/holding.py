"""Holding a mask while a module is trained, by any loop and any optimizer of torch.

A pruned weight can come back by a gradient, by weight decay, or by the momentum that an optimizer gathered before. So
its gradient is cleared as soon as it is computed, before gradients are clipped by their norm, and weight and optimizer
state are cleared after every step. This holds for every ``torch.optim.Optimizer`` that steps a held parameter.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from topoimp.torch_modules.masks import ModuleMasks, bits_of, clear, masks_by_parameter

if TYPE_CHECKING:
    import torch
    from torch import nn


class HeldMask:
    """The masks of a module, by parameter, held until ``remove`` is called or the ``with`` block is left."""

    def __init__(self, masks: Mapping["nn.Parameter", "torch.Tensor"]) -> None:
        from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

        self._masks = masks
        self._bits: dict[nn.Parameter, dict[object, torch.Tensor]] = {parameter: {} for parameter in masks}
        self._handles: list[Any] = [  # Any: torch's handles have no common type
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        for parameter in masks:
            if parameter.requires_grad:
                hook = parameter.register_post_accumulate_grad_hook(self._clear_gradient)
                self._handles.append(hook)
        self.apply()

    @property
    def is_held(self) -> bool:
        """Whether the mask is still held."""
        return bool(self._handles)

    def apply(self) -> None:
        """Clear the pruned weights and their gradients now: needed after steps without a ``torch.optim.Optimizer``."""
        for parameter in self._masks:
            self._clear(parameter, parameter)
            self._clear_gradient(parameter)

    def remove(self) -> None:
        """Clear the weights once more and remove every hook; a second call does nothing."""
        if self._handles:
            self.apply()
        while self._handles:
            self._handles.pop().remove()

    def __enter__(self) -> "HeldMask":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _clear(self, tensor: "torch.Tensor", parameter: "nn.Parameter") -> None:
        """Clear the pruned entries of a tensor in the shape of a parameter, of any type and on any device."""
        cached = self._bits[parameter]
        key = tensor.dtype, tensor.device
        if key not in cached:
            cached[key] = bits_of(self._masks[parameter], tensor)
        clear(tensor, cached[key])

    def _clear_gradient(self, parameter: "nn.Parameter") -> None:
        import torch

        if parameter.grad is not None and parameter.grad.layout is torch.strided:
            self._clear(parameter.grad, parameter)

    def _held_by(self, optimizer: "torch.optim.Optimizer") -> list["nn.Parameter"]:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        return [parameter for parameter in parameters if parameter in self._masks]

    def _before_step(self, optimizer: "torch.optim.Optimizer", *_: object) -> None:
        for parameter in self._held_by(optimizer):  # gradients that were set without a backward pass
            self._clear_gradient(parameter)

    def _after_step(self, optimizer: "torch.optim.Optimizer", *_: object) -> None:
        import torch

        for parameter in self._held_by(optimizer):
            self._clear(parameter, parameter)
            # State that an optimizer has for each weight has the parameter's shape. Integers are codes, of which 0 need
            # not mean zero. The number of the step has that shape too, if the parameter is a scalar.
            for key, value in optimizer.state.get(parameter, {}).items():
                is_per_weight = isinstance(value, torch.Tensor) and value.shape == parameter.shape and key != "step"
                if is_per_weight and (value.is_floating_point() or value.is_complex()):
                    self._clear(value, parameter)


def hold_mask(model: "nn.Module", masks: ModuleMasks) -> HeldMask:
    """Hold a mask from now on: pruned weights become +0.0 in place, and stay so however the module is trained.

    The module may move to another device or type, and be wrapped by ``DataParallel`` or ``torch.compile``; parameters
    may be frozen for a while, and optimizers carry momentum from before. Parameters without a mask are not touched.
    Steps without a ``torch.optim.Optimizer``, or on copies of the parameters, need ``HeldMask.apply`` after them.

    Args:
        model: the module; its parameters must stay the same objects, as ``to`` and ``load_state_dict`` leave them.
        masks: by parameter name, tensors of booleans (or of 0 and 1) in the shape of the parameter; or the path of a
            mask file that ``prune`` wrote.

    Returns:
        The held mask: its ``remove()`` ends it, and so does the end of its ``with`` block.

    Raises:
        OptionError: if a mask has no parameter, or does not fit it; nothing has changed then.
        CheckpointError: if a path is not that of a mask file.

    >>> import torch
    >>> model = torch.nn.Linear(2, 2)
    >>> optimizer = torch.optim.AdamW(model.parameters())
    >>> with hold_mask(model, {"weight": torch.eye(2)}):
    ...     model(torch.ones(1, 2)).sum().backward()
    ...     optimizer.step()
    >>> model.weight.count_nonzero()
    tensor(2)
    """
    return HeldMask(masks_by_parameter(model, masks))
