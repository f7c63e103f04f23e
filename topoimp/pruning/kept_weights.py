"""The kept weights of each tensor of a checkpoint, for the facts of its network as one graph.

If a tensor has a mask, its kept weights are those that the mask keeps; otherwise they are those that are not 0. Tensors
are read piece by piece, and the memory of each piece is given back.
"""

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from topoimp.arrays import BoolArray
from topoimp.checkpoint import Advice, Checkpoint
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import LayerError
from topoimp.kernels.threads import pieces
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.wrapped_names import matched_names
from topoimp.network.facts import KeptWeights, PathFacts, path_facts
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.masks import Masks, PackedMask
from topoimp.pruning.rules import Pruner


def facts_of_checkpoint(
    graph: NetworkGraph | None, checkpoint: Checkpoint, masks: Masks | None = None
) -> PathFacts | None:
    """Return the facts of a network whose weights are those of a checkpoint, under masks by tensor name.

    They are None without a graph.

    Raises:
        LayerError: if the checkpoint lacks a layer of the graph, or has another shape.
    """
    return None if graph is None else path_facts(graph, kept_in_checkpoint(graph, checkpoint, masks or {}))


def facts_of_pruners(
    graph: NetworkGraph | None, pruners: Mapping[str, Pruner], layers: Layers, threads: int
) -> PathFacts | None:
    """Return the facts of a network that keeps what pruners, by layer name, keep of layers; None without a graph."""
    return None if graph is None else facts_of_checkpoint(graph, layers.checkpoint, masks_of(pruners, layers, threads))


def kept_in_checkpoint(graph: NetworkGraph, checkpoint: Checkpoint, masks: Masks) -> Callable[[str], KeptWeights]:
    """Return the function that finds the kept weights of a layer of the graph in its tensor.

    The tensor may have the name that a wrapper of the module gives it.
    """
    tensors = matched_names(graph.layers, checkpoint.tensors)

    def kept(layer: str) -> KeptWeights:
        name = tensors.get(layer, layer)
        tensor = checkpoint.tensors.get(name)
        if tensor is None or tensor.dtype not in NUMBER_FORMATS or len(tensor.shape) < 2:
            raise LayerError(f"{checkpoint.path}: has no layer {layer!r}, which the graph of the network has")
        n_rows, n_columns = tensor.shape[0], prod(tensor.shape[1:])
        mask = masks.get(name)

        def flags(start: int, stop: int) -> BoolArray:
            return nonzero_in(checkpoint, name, start, stop) if mask is None else mask.part(start, stop)

        return KeptWeights((n_rows, n_columns), flags)

    return kept


def nonzero_in(checkpoint: Checkpoint, name: str, start: int, stop: int) -> BoolArray:
    """Return a flag for each weight of a tensor from one place to another, whether it is not 0."""
    number_format = NUMBER_FORMATS[checkpoint.tensors[name].dtype]
    flags: BoolArray = np.not_equal(number_format.magnitudes(checkpoint.codes(name, start, stop)), 0)
    size = number_format.n_bits // 8
    checkpoint.advise(Advice.DONE_WITH, name, start * size, stop * size)
    return flags


def masks_of(pruners: Mapping[str, Pruner], layers: Layers, threads: int) -> Masks:
    """Return what pruners keep, by layer name, as masks of whole tensors.

    Weights of a tensor that are in no layer are kept if they are not 0.
    """
    masks = {}
    for name, infos in layers.by_tensor().items():
        shape = layers.checkpoint.tensors[name].shape
        flags = np.concatenate([nonzero_in(layers.checkpoint, name, *piece) for piece in pieces(0, prod(shape))])
        for info in infos:
            _write_kept(pruners[info.name], info, layers, threads, flags)
        masks[name] = PackedMask(shape, np.packbits(flags, bitorder="little"))
    return masks


def _write_kept(pruner: Pruner, info: LayerInfo, layers: Layers, threads: int, flags: BoolArray) -> None:
    """Write the kept weights of a layer into the flags of its tensor."""
    layer = layers.read(info, threads)
    write = pruner.on(layer, threads)
    for start, stop in pieces(0, info.n_weights):
        pruned = np.empty(stop - start, layer.codes.dtype)
        write(start, pruned)
        info.block.write(np.not_equal(info.number_format.magnitudes(pruned), 0), start, flags, 0)
    layers.done_with(info)
