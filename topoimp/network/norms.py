"""The factors by which the batch norms of a network multiply its paths, from the tensors of a checkpoint."""

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.checkpoint import Checkpoint
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import CheckpointError
from topoimp.network.graph import NetworkGraph


def norm_factors(graph: NetworkGraph, checkpoint: Checkpoint) -> dict[str, FloatArray]:
    """Return |gamma| / sqrt(running variance + eps) of each batch norm of a graph, by the name of its module.

    Raises:
        CheckpointError: if the checkpoint lacks the factors or the running variances of a norm.

    Source: Ioffe & Szegedy, "Batch Normalization", ICML 2015, algorithm 2.
    """
    norms = {each.norm: each.norm_epsilon for each in graph.connections if each.norm is not None}
    return {
        name: np.abs(tensor_values(checkpoint, f"{name}.weight"))
        / np.sqrt(tensor_values(checkpoint, f"{name}.running_var") + epsilon)
        for name, epsilon in norms.items()
    }


def tensor_values(checkpoint: Checkpoint, name: str) -> FloatArray:
    """Return the numbers of a tensor, flat; a CheckpointError says that there is none."""
    tensor = checkpoint.tensors.get(name)
    if tensor is None or tensor.dtype not in NUMBER_FORMATS:
        raise CheckpointError(f"{checkpoint.path}: has no tensor {name!r}, which the strength of paths depends on")
    return NUMBER_FORMATS[tensor.dtype].values(checkpoint.codes(name)).reshape(-1)
