"""topoimp: zeroth-order persistent homology of neural-network checkpoints.

The five commands as functions, each giving a ``Report`` or something that holds one:
``train_run``, ``barcode_report`` (and ``tensor_list``), ``bound_report`` (and ``architecture_bound_report``),
``prune_checkpoint``, ``comparison_report``.

What they are made of: ``as_layer`` reads an array as a layer, ``spanning_forest`` and ``barcode_of`` give its topology,
``neural_persistence`` sums it up, ``layer_bound`` bounds it; ``read_masks`` reads the mask that a pruning wrote.

For a training loop of one's own in torch: ``prune_module`` and ``ModulePruner`` prune a module in memory, ``hold_mask``
holds the mask while it is trained, ``rewind_module`` sets it back; ``topological_unstructured`` is a method of
``torch.nn.utils.prune``. Only these import torch, when they are called.

The names are loaded when the first of them is used: ``import topoimp`` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topoimp.public import *  # noqa: F403  # for editors and type checkers: the same names, listed there
    from topoimp.torch_modules.topological_method import TopologicalUnstructured as TopologicalUnstructured


def __getattr__(name: str) -> object:
    public = import_module("topoimp.public")
    if name == "__all__" or name in public.__all__:
        return getattr(public, name)
    if name in public.WITH_TORCH:
        return getattr(import_module(public.WITH_TORCH[name]), name)
    raise AttributeError(f"module 'topoimp' has no attribute {name!r}")


def __dir__() -> list[str]:
    public = import_module("topoimp.public")
    return sorted([*public.__all__, *public.WITH_TORCH])
