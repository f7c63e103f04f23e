"""topoimp: zeroth-order persistent homology of neural-network checkpoints.

Commands, as functions that return reports: ``train_run``, ``barcode_report``, ``bound_report``, ``prune_checkpoint``,
``comparison_report``. Their steps: ``open_checkpoint`` and ``read_layer`` read a layer by its name,
``as_layer`` reads an array as one, ``spanning_forest`` and ``barcode_of`` compute its topology, ``neural_persistence``
sums it up, ``layer_bound`` bounds it; ``read_masks`` reads a mask file.
In a training loop in torch, ``prune_module`` and ``ModulePruner`` prune a module in memory, ``hold_mask`` holds its
mask, ``rewind_module`` rewinds it; ``topological_unstructured`` is a method of ``torch.nn.utils.prune``, and
``activation_norms`` returns the norms of the layers' inputs, as factors for a file of scores.

``import topoimp`` itself costs nothing: a name is loaded when it is used, and torch by the functions that need it.
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
