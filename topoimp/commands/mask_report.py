"""Report the topology that masks keep of a network; nothing is pruned or written."""

from collections.abc import Mapping
from os import PathLike
from typing import Any, Protocol

from topoimp.checkpoint import AnyPath, Checkpoint, open_checkpoint, tensors_as_checkpoint
from topoimp.errors import OptionError
from topoimp.kernels.threads import thread_count
from topoimp.layers.layer import Layer
from topoimp.layers.notes import notes_on
from topoimp.layers.records import LayerPatterns, Layers
from topoimp.layers.squared_norms import SquaredNorms, squared_norms
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.layers.wrapped_names import matched_names
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.applied_masks import MaskPruner
from topoimp.pruning.kept_weights import facts_of_pruners
from topoimp.pruning.masks import PackedMask, read_masks
from topoimp.pruning.masks_in_memory import pack_masks
from topoimp.pruning.preservation import Preservation, count_present, preservation_of, total_preservation
from topoimp.pruning.rules import pruned_layer
from topoimp.reports.norm_columns import with_norm_column
from topoimp.reports.path_columns import with_path_columns
from topoimp.reports.report import Report
from topoimp.reports.rows import layer_columns, left_out, pattern_settings, preservation_columns
from topoimp.topology.forest import spanning_forest
from topoimp.torch_modules.weights import named_weights


class TorchModule(Protocol):
    """A module of torch, which this file imports only if it gets one."""

    def parameters(self, recurse: bool = True) -> Any:  # Any: parameters of torch
        """Return its parameters."""


def mask_report(
    reference: AnyPath | TorchModule | Mapping[str, Any],
    masks: AnyPath | Mapping[str, Any],
    *,
    patterns: LayerPatterns | None = None,
    graph: NetworkGraph | None = None,
    threads: int | None = None,
) -> Report:
    """Report, layer by layer, how much of a network's topology masks keep.

    Args:
        reference: the weights before pruning: a checkpoint, a module of torch, or arrays by name; it is not changed.
        masks: by the name of the weight, arrays of numpy or torch in its shape, of booleans or of 0 and 1; or the path
            of a mask file. Names may differ by ``module.`` and ``_orig_mod.``. A stored zero is not kept, whatever its
            mask. Masks of tensors that are no selected layers, such as biases, are not looked at.
        patterns: which layers; all but embeddings and heads if None.
        graph: the network as one graph, for the columns of paths and components, such as ``network_graph`` returns of
            a module; they are blank if None.
        threads: number of cores; all if None. The result does not depend on it.

    Returns:
        a row for each layer and one for the network, with the columns of ``prune`` about masks.

    Raises:
        OptionError: if a layer has no mask, or one of another shape or with a number other than 0 and 1.
        TopoimpError: if a file or a layer cannot be used.

    >>> import numpy as np
    >>> weight = np.array([[5.0, 4.0, 0.1], [3.0, 2.0, 0.2]])
    >>> report = mask_report({"fc": weight}, {"fc": weight > 1})
    >>> report.network["n_kept"], report.network["beta0"], report.network["retention"]
    (4, 2, 0.75)
    """
    patterns = patterns or LayerPatterns()
    patterns.check_matrix_view("a mask is of weights, and needs")
    checkpoint = _opened(reference)
    layers = select_layers(checkpoint, patterns)
    packed = read_masks(masks) if isinstance(masks, str | PathLike) else pack_masks(masks)
    of_tensor = _masks_of(layers, packed)

    norms: dict[str, SquaredNorms] = {}

    def look(layer: Layer, threads: int) -> Preservation:
        info = layers.by_name[layer.name]
        forest = spanning_forest(layer, threads=threads)
        pruned = pruned_layer(MaskPruner(of_tensor[info.tensor], info.block), layer, threads)
        after = spanning_forest(pruned, threads=threads)
        norms[layer.name] = squared_norms(layer, pruned, threads)
        return preservation_of(forest, after, n_weights=info.n_weights, n_forest_kept=count_present(forest, pruned))

    kept = LayerStream(layers, thread_count(threads)).each(look)
    rows = [{**layer_columns(info), **preservation_columns(kept[info.name])} for info in layers.infos]
    network = {"level": "network", **preservation_columns(total_preservation(list(kept.values())))}
    pruners = {info.name: MaskPruner(of_tensor[info.tensor], info.block) for info in layers.infos}
    facts = facts_of_pruners(graph, pruners, layers, thread_count(threads))
    inputs = {"reference": checkpoint.path} if checkpoint.paths.weights else {}
    settings = {"method": "mask", **pattern_settings(patterns)}
    table = with_path_columns(with_norm_column([*rows, network], norms), facts)
    return Report("prune", inputs, settings, table, left_out(layers), notes=notes_on(layers))


def _opened(reference: object) -> Checkpoint:
    """Return weights as a checkpoint to read."""
    if isinstance(reference, str | PathLike):
        return open_checkpoint(reference)
    from torch import as_tensor, nn

    if isinstance(reference, nn.Module):
        return tensors_as_checkpoint(dict(named_weights(reference)), name=type(reference).__name__)
    if not isinstance(reference, Mapping):
        needed = "it must be a path, a module of torch, or arrays by name"
        raise OptionError(f"`reference` is {type(reference).__name__}; {needed}")
    return tensors_as_checkpoint({name: as_tensor(array) for name, array in reference.items()}, name="reference")


def _masks_of(layers: Layers, masks: Mapping[str, PackedMask]) -> dict[str, PackedMask]:
    """Return the mask of each tensor that has selected layers."""
    names = matched_names([info.tensor for info in layers.infos], masks)
    found = {}
    for info in layers.infos:
        tensor = info.tensor
        if tensor not in names:
            raise OptionError(f"there is no mask for layer {tensor!r}; `masks` needs one for each selected layer")
        mask = masks[names[tensor]]
        shape = layers.checkpoint.tensors[tensor].shape
        if tuple(mask.shape) != tuple(shape):
            raise OptionError(f"the mask of {tensor!r} has the shape {[*mask.shape]}; it must be {[*shape]}")
        found[tensor] = mask
    return found
