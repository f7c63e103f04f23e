"""Holding a mask while a module is trained, by any loop and any optimizer of torch.

A pruned weight comes back in many ways: by a gradient, by weight decay, by the momentum or the moments that an
optimizer gathered before the pruning. So its gradient is cleared as soon as it is there, which also keeps it out of
norms that gradients are clipped by, and weight and optimizer state are cleared after every step.

Optimizers are found by what they step: whatever derives from ``torch.optim.Optimizer`` and has a held parameter, made
before or after. Nothing else is touched.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from topoimp.torch_modules.masks import ModuleMasks, bits_of, clear, masks_by_parameter

if TYPE_CHECKING:
    import torch
    from torch import nn


class HeldMask:
    """A mask that is held until ``remove`` is called, or the ``with`` block is left.

    Args:
        masks: by parameter, booleans on its device.
    """

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
                hook = parameter.register_post_accumulate_grad_hook(self._clear_gradient)  # type: ignore[no-untyped-call]  # torch's
                self._handles.append(hook)
        self.apply()

    @property
    def is_held(self) -> bool:
        """Whether it still is."""
        return bool(self._handles)

    def apply(self) -> None:
        """Clear the pruned weights and their gradients now.

        Only needed after a step that is not one of ``torch.optim.Optimizer``.
        """
        for parameter in self._masks:
            self._clear(parameter, parameter)
            self._clear_gradient(parameter)

    def remove(self) -> None:
        """Hold the mask no longer: clear the weights once more, and take every hook off. Nothing, the second time."""
        if self._handles:
            self.apply()
        while self._handles:
            self._handles.pop().remove()

    def __enter__(self) -> "HeldMask":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _clear(self, tensor: "torch.Tensor", parameter: "nn.Parameter") -> None:
        """Clear what is pruned of a parameter in a tensor of its shape, of whatever type, on whatever device."""
        of_parameter = self._bits[parameter]
        kind = tensor.dtype, tensor.device
        if kind not in of_parameter:
            of_parameter[kind] = bits_of(self._masks[parameter], tensor)
        clear(tensor, of_parameter[kind])

    def _clear_gradient(self, parameter: "nn.Parameter") -> None:
        import torch

        if parameter.grad is not None and parameter.grad.layout is torch.strided:
            self._clear(parameter.grad, parameter)

    def _held_by(self, optimizer: "torch.optim.Optimizer") -> list["nn.Parameter"]:
        return [
            parameter for group in optimizer.param_groups for parameter in group["params"] if parameter in self._masks
        ]

    def _before_step(self, optimizer: "torch.optim.Optimizer", *_: object) -> None:
        for parameter in self._held_by(optimizer):  # gradients that no backward pass left there
            self._clear_gradient(parameter)

    def _after_step(self, optimizer: "torch.optim.Optimizer", *_: object) -> None:
        import torch

        for parameter in self._held_by(optimizer):
            self._clear(parameter, parameter)
            # What an optimizer knows of each weight has the parameter's shape. Integers are codes, of which 0 need not
            # mean nothing; and the number of the step has that shape too, if the parameter is a scalar.
            for key, value in optimizer.state.get(parameter, {}).items():
                is_of_weights = isinstance(value, torch.Tensor) and value.shape == parameter.shape and key != "step"
                if is_of_weights and (value.is_floating_point() or value.is_complex()):
                    self._clear(value, parameter)


def hold_mask(model: "nn.Module", masks: ModuleMasks) -> HeldMask:
    """Hold a mask from now on: pruned weights are set to +0.0 in place, and stay there however the module is trained.

    Works with modules that move to another device or type meanwhile, that ``DataParallel`` or ``torch.compile`` wraps,
    with parameters that are frozen for a while, and with optimizers that carry momentum from before. Parameters without
    a mask are not touched. Steps that are not those of a ``torch.optim.Optimizer`` need ``HeldMask.apply`` after them,
    and so do optimizers that step copies of the parameters.

    Args:
        model: what is trained; its parameters must stay the same objects, as ``to`` and ``load_state_dict`` leave them.
        masks: by parameter name, tensors of booleans (or of 0 and 1) in the shape of the parameter; or the path of a
            mask file that ``prune`` wrote.

    Returns:
        what ends it: by ``remove()``, or as a context, at the end of the block.

    Raises:
        OptionError: if a mask has no parameter, or does not fit it; nothing is held, and nothing has changed.
        CheckpointError: if a path is that of no mask file.

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
