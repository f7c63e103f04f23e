"""Topology-preserving pruning in the way of ``torch.nn.utils.prune``: a function like its ``l1_unstructured``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def topological_unstructured(module: "nn.Module", name: str, amount: float, epsilon: float = 0.0) -> "nn.Module":
    """Prune the weakest weights of a parameter, but for its maximum spanning forest, which keeps its barcode.

    As with every method of ``torch.nn.utils.prune``, the module gets a parameter ``NAME_orig``, a buffer ``NAME_mask``
    and a hook that multiplies them before each forward pass; ``prune.remove`` makes it permanent, and calling this
    again, or another method, prunes further.

    Args:
        module: the module that has the parameter itself, as ``model.fc1``; it is changed.
        name: of the parameter, of two or more axes.
        amount: share of the weights that are not pruned yet, from 0 to 1, or a number (``int``) of them. Where it asks
            for more than the forest leaves, the forest is kept, and a warning says so.
        epsilon: share of the parameter's largest strength up to which deaths are not protected, in [0, 1].

    Returns:
        the module.

    Raises:
        OptionError: if ``amount`` or ``epsilon`` is out of range.
        LayerError: if the parameter is no layer, or holds NaN or infinity.

    >>> import torch
    >>> layer = topological_unstructured(torch.nn.Linear(30, 20), "weight", amount=0.75)
    >>> int(layer.weight_mask.sum())
    150
    """
    from topoimp.torch_modules.topological_method import TopologicalUnstructured

    TopologicalUnstructured.apply(module, name, amount, epsilon)
    return module
