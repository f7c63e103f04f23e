"""Prune the layers of a torch module in memory, by the rules, the order and the counts of ``prune FILE``."""

from typing import TYPE_CHECKING

from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.masks import ModuleMasks
from topoimp.torch_modules.pruner import ModulePruner, ModulePruning

if TYPE_CHECKING:
    from torch import nn


def prune_module(
    model: "nn.Module", options: PruningOptions, *, masks: ModuleMasks | None = None, threads: int | None = None
) -> ModulePruning:
    """Prune a module in rounds without training between them; set pruned weights to +0.0 in place.

    The result equals that of ``prune_checkpoint`` on the module's saved state dict, bit for bit, unless a buffer looks
    like a layer: a module tells buffers from parameters, a file does not.

    Args:
        model: the module.
        options: rounds, sparsity or both; method and layers.
        masks: masks to begin with, as ``hold_mask`` takes them.
        threads: number of cores; all if None.

    Raises:
        OptionError: if the options do not fit the module.
        LayerError: if no layer is left, or a weight is NaN or infinite; nothing has changed then.
        CheckpointError: if ``masks`` is a path, and that of no mask file.

    >>> import torch
    >>> pruning = prune_module(torch.nn.Linear(30, 20), PruningOptions(sparsity=0.75))
    >>> int(pruning.masks["weight"].sum()), pruning.report.network["barcode_kept"]
    (150, True)
    """
    options.schedule()  # rounds, a sparsity or both must be given
    return ModulePruner(model, options, masks=masks, threads=threads).all_at_once()
