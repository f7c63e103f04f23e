"""A method for ``torch.nn.utils.prune`` that keeps a layer's barcode. Importing this file imports torch."""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils import prune

from topoimp.arrays import BoolArray
from topoimp.checkpoint import tensors_as_checkpoint
from topoimp.errors import OptionError
from topoimp.kernels.threads import available_threads
from topoimp.layers.layer import Layer, as_layer
from topoimp.layers.records import GroupsOf, LayerInfo, LayerPatterns, Layers
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.pruning.methods.method import RuleInputs
from topoimp.pruning.methods.naming import check_epsilon
from topoimp.pruning.methods.topological import Topological
from topoimp.pruning.rules import keep_each, kept_of
from topoimp.topology.barcode import largest_strength
from topoimp.topology.forest import spanning_forests
from topoimp.torch_modules.masks import bits_of, clear


class TopologicalUnstructured(prune.BasePruningMethod):
    """Keeps the layer's maximum spanning forest, and fills up with the strongest other weights.

    If ``amount`` asks for more than the forest leaves, the forest is kept, with a warning. Zeros that are not pruned
    yet go first, the last ones by index before the others.

    torch hands methods of the type ``unstructured`` a flat list of the remaining weights, which is no graph; methods of
    the type ``global`` see the whole tensor and its mask, so this is one. ``prune.global_unstructured``, which joins
    all layers to one list, refuses it.

    Args:
        amount: share of the weights that are not pruned yet, from 0 to 1 and rounded as torch does, or their number.
        epsilon: share of the layer's largest |w| up to which deaths are not protected, in [0, 1]; 0 protects all.
        groups: pairs or triples as those of ``LayerPatterns``, whose patterns match the parameter's name; one graph if
            empty. The forest of each group is kept, and the strongest other weights of all groups fill up; equal ones
            in the order of the groups, then of their indices.
    """

    PRUNING_TYPE = "global"

    def __init__(self, amount: float, epsilon: float = 0.0, groups: Sequence[GroupsOf] = ()) -> None:
        check_epsilon(epsilon, Topological())
        _check_amount(amount)
        self.amount = amount
        self.epsilon = epsilon
        self.groups = LayerPatterns(groups=tuple(groups)).groups

    def compute_mask(self, t: torch.Tensor, default_mask: torch.Tensor) -> torch.Tensor:
        """Return the mask that keeps the forest and the strongest others of the weights that are not pruned yet.

        The absolute values of ``t``, weights or other scores, are the strengths of the edges. ``default_mask`` is 0
        where a weight is pruned already.
        """
        remaining = t.detach().clone(memory_format=torch.contiguous_format)
        clear(remaining, bits_of(default_mask != 0, remaining))
        is_remaining = (default_mask != 0).flatten().cpu().numpy()
        target = self._n_to_keep(int(np.count_nonzero(is_remaining)))
        layers = self._layers(remaining)
        kept = _kept(layers, target, self.epsilon)

        # Zeros fill up where the edges do not reach the target.
        n_missing = target - int(np.count_nonzero(kept))
        if n_missing > 0:
            kept[np.flatnonzero(is_remaining & ~kept)[:n_missing]] = True
        elif n_missing < 0:
            floor = "floor of this layer" if len(layers.infos) == 1 else f"floors of {len(layers.infos)} groups"
            kept_for = f"{target - n_missing} weights are kept, the {floor}"
            warnings.warn(f"{kept_for}; the amount {self.amount} asks for {target}", stacklevel=2)
        return torch.from_numpy(kept).reshape(default_mask.shape).to(default_mask.device, default_mask.dtype)

    def _layers(self, weight: torch.Tensor) -> Layers:
        """Return the weights as one layer, or as a layer for each group."""
        name = getattr(self, "_tensor_name", None) or "weight"
        checkpoint = tensors_as_checkpoint({name: weight}, name=name)
        layer = as_layer(weight, name=name)
        if self.groups:
            return select_layers(checkpoint, LayerPatterns(include=(name,), embeddings=True, groups=self.groups))
        return Layers(checkpoint, (_info_of(layer),), ())

    def _n_to_keep(self, n_remaining: int) -> int:
        if not isinstance(self.amount, int):
            return n_remaining - round(self.amount * n_remaining)
        if self.amount > n_remaining:
            raise OptionError(f"the amount is {self.amount}, but only {n_remaining} weights are not pruned yet")
        return n_remaining - self.amount


def _check_amount(amount: float) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise OptionError(f"the amount is {amount!r}; it must be a share from 0 to 1, or a number of weights")
    if isinstance(amount, int) and amount < 0:
        raise OptionError(f"the amount is {amount} weights; it must be at least 0")
    if isinstance(amount, float) and not 0 <= amount <= 1:
        raise OptionError(f"the amount is {amount}; as a share it must be at least 0 and at most 1")


def _info_of(layer: Layer) -> LayerInfo:
    return LayerInfo(layer.name, layer.name, layer.codes.shape, layer.n_rows, layer.n_columns, layer.number_format)


def _kept(layers: Layers, target: int, epsilon: float) -> BoolArray:
    """Return the mask of a tensor for a target of all its layers together, by flat index."""
    stream = LayerStream(layers, available_threads())
    forests = spanning_forests(stream)
    protected_above = epsilon * (largest_strength(forests.values()) or 0.0)
    rule = Topological().rule(RuleInputs(layers.infos, stream, protected_above=protected_above))
    (keep,) = keep_each(layers.infos, forests, [target], rule, stream)
    kept = np.zeros(sum(info.n_weights for info in layers.infos), np.bool_)

    def mask(layer: Layer, threads: int) -> None:
        layers.by_name[layer.name].block.write(kept_of(keep[layer.name], layer, threads), 0, to=kept, first=0)

    stream.each(mask)
    return kept
