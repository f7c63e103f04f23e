"""A method for ``torch.nn.utils.prune`` that keeps a layer's barcode.

Importing this file imports torch; ``topoimp.TopologicalUnstructured`` does when it is first used.
"""

import warnings
from typing import cast

import numpy as np
import torch
from torch.nn.utils import prune

from topoimp.arrays import BoolArray
from topoimp.choices import Method
from topoimp.errors import OptionError
from topoimp.kernels.threads import available_threads
from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.layer import Layer, as_layer
from topoimp.layers.streaming import InHand
from topoimp.pruning.rules import check_epsilon, keep_each, kept_of, rule_for
from topoimp.topology.forest import spanning_forest
from topoimp.torch_modules.masks import bits_of, clear


class TopologicalUnstructured(prune.BasePruningMethod):
    """Keeps the layer's maximum spanning forest, and fills up with the strongest other weights.

    ``amount`` is torch's: a share of the weights that are not pruned yet, from 0 to 1 and rounded as torch does, or a
    number of them. If it asks for more than the forest leaves, the forest is kept all the same, with a warning. Weights
    that are zero, and not pruned yet, are the first to go, the last ones by index first.

    torch hands methods of the type ``unstructured`` nothing but a flat list of the weights that are left, of which no
    graph can be made once something was pruned; those of the type ``global`` see the whole tensor and its mask. So
    that is the type here, and ``prune.global_unstructured`` refuses the method: it would join all layers to one list.

    Args:
        amount: how much to prune.
        epsilon: share of the layer's largest strength up to which deaths are not protected, in [0, 1]; 0 protects all.
    """

    PRUNING_TYPE = "global"

    def __init__(self, amount: float, epsilon: float = 0.0) -> None:
        check_epsilon(epsilon, Method.TOPOLOGICAL)
        _check_amount(amount)
        self.amount = amount
        self.epsilon = epsilon

    def compute_mask(self, t: torch.Tensor, default_mask: torch.Tensor) -> torch.Tensor:
        """Give the mask that keeps the forest and the strongest others of what is not pruned yet.

        Args:
            t: the weights, or other scores whose absolute values say how strong an edge is.
            default_mask: 0 where a weight is pruned already.

        Raises:
            OptionError: if ``amount`` is a number, and more than there are.
            LayerError: if it is no layer (one axis), or a weight that is not pruned is NaN or infinite.
        """
        left = t.detach().clone(memory_format=torch.contiguous_format)
        clear(left, bits_of(default_mask != 0, left))
        is_left = (default_mask != 0).flatten().cpu().numpy()
        n_left = int(np.count_nonzero(is_left))
        target = n_left - self._n_to_prune(n_left)
        kept = _kept(as_layer(left, name=getattr(self, "_tensor_name", None) or "weight"), target, self.epsilon)
        n_missing = target - int(np.count_nonzero(kept))
        if n_missing > 0:  # the edges do not reach the target
            kept[np.flatnonzero(is_left & ~kept)[:n_missing]] = True
        elif n_missing < 0:
            warnings.warn(
                f"{target - n_missing} weights are kept, the floor of this layer; the amount {self.amount} asks for "
                f"{target}",
                stacklevel=2,
            )
        mask = torch.from_numpy(kept).reshape(default_mask.shape)
        return mask.to(default_mask.device, default_mask.dtype)

    @classmethod
    def apply(  # type: ignore[override]  # torch's takes anything, and leaves it without types
        cls, module: torch.nn.Module, name: str, amount: float, epsilon: float = 0.0
    ) -> prune.BasePruningMethod:
        """Prune a parameter of a module now, and have its mask applied before every forward pass.

        Raises:
            OptionError: if an argument is out of range.
            LayerError: if the parameter is no layer; the module is then as it was.
        """
        method = super().apply(module, name, amount=amount, epsilon=epsilon)  # type: ignore[no-untyped-call]  # as above
        return cast("prune.BasePruningMethod", method)

    def _n_to_prune(self, n_left: int) -> int:
        if not isinstance(self.amount, int):
            return round(self.amount * n_left)
        if self.amount > n_left:
            raise OptionError(f"the amount is {self.amount}, and {n_left} weights are not pruned yet; it must be fewer")
        return self.amount


def _check_amount(amount: float) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise OptionError(f"the amount is {amount!r}; it must be a share from 0 to 1, or a number of weights")
    if isinstance(amount, int) and amount < 0:
        raise OptionError(f"the amount is {amount} weights; it must be at least 0")
    if isinstance(amount, float) and not 0 <= amount <= 1:
        raise OptionError(f"the amount is {amount}; as a share it must be at least 0 and at most 1")


def _kept(layer: Layer, target: int, epsilon: float) -> BoolArray:
    """Give which weights of a layer are kept for a target, by flat index."""
    threads = available_threads()
    info = LayerInfo(layer.name, layer.name, layer.codes.shape, layer.n_rows, layer.n_columns, layer.number_format)
    forest = spanning_forest(layer, threads=threads)
    rule = rule_for([info], Method.TOPOLOGICAL, epsilon=epsilon, forests=[forest])
    (keep,) = keep_each([info], {info.name: forest}, [target], rule, InHand(layer, threads))
    return kept_of(keep[info.name], layer, threads)
