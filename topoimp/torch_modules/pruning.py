"""Pruning the layers of a torch module in memory, by the rules, the order and the counts of ``prune FILE``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from topoimp.choices import Method, Scope
from topoimp.errors import OptionError
from topoimp.layers.catalogue import LayerPatterns
from topoimp.torch_modules.masks import ModuleMasks
from topoimp.torch_modules.pruner import ModulePruner, ModulePruning

if TYPE_CHECKING:
    from torch import nn


def prune_module(
    model: "nn.Module",
    *,
    rounds: int | None = None,
    sparsity: float | None = None,
    rate: float | None = None,
    method: Method | str = Method.TOPOLOGICAL,
    epsilon: float = 0.0,
    scope: Scope | str = Scope.LAYER,
    layer_rates: Mapping[str, float] | None = None,
    seed: int = 0,
    patterns: LayerPatterns | None = None,
    masks: ModuleMasks | None = None,
    threads: int | None = None,
) -> ModulePruning:
    """Prune a module in rounds without training between them; pruned weights are set to +0.0 in place.

    The result is that of ``prune_checkpoint`` for the module's saved state dict, bit for bit, as far as that holds no
    buffers that look like layers: a file does not tell them from parameters, a module does.

    The settings are those of ``ModulePruner``, but that there must be rounds, a sparsity or both.

    Raises:
        OptionError: if rounds, sparsity and rate do not fit, or another setting.
        LayerError: if no layer is left, or a weight is NaN or infinite; nothing has changed then.
        CheckpointError: if ``masks`` is a path, and that of no mask file.

    >>> import torch
    >>> pruning = prune_module(torch.nn.Linear(30, 20), sparsity=0.75)
    >>> int(pruning.masks["weight"].sum()), pruning.report.network["barcode_kept"]
    (150, True)
    """
    if rounds is None and sparsity is None:
        raise OptionError("neither rounds nor a sparsity is given; `rounds`, `sparsity` or both are needed")
    pruner = ModulePruner(
        model,
        rounds=rounds,
        sparsity=sparsity,
        rate=rate,
        method=method,
        epsilon=epsilon,
        scope=scope,
        layer_rates=layer_rates,
        seed=seed,
        patterns=patterns,
        masks=masks,
        threads=threads,
    )
    return pruner.all_at_once()
