"""Rewinding: the weights of an earlier checkpoint under a mask that was found on a later one.

Both checkpoints have the same tensors. What the mask keeps gets the earlier weights bit for bit, some of which may be
zero: a kept weight that is zero stays kept, so the mask and not the zeros says which weights are there.
"""

from dataclasses import dataclass, replace

import numpy as np

from topoimp.arrays import BoolArray, CodeArray
from topoimp.checkpoint import Checkpoint
from topoimp.errors import CheckpointError
from topoimp.layers.catalogue import LayerInfo, Layers
from topoimp.layers.layer import Layer
from topoimp.pruning.rules import Pruner, WriteKept


@dataclass(frozen=True)
class RewoundPruner:
    """Keeps of the layer to rewind to what another pruner keeps of the trained one.

    Args:
        keep: decides, on the trained layer.
        trained: the layers of the trained checkpoint.
        info: which of them.
    """

    keep: Pruner
    trained: Layers
    info: LayerInfo

    def on(self, layer: Layer, threads: int) -> WriteKept:
        """Give what writes the parts of the layer to rewind to."""
        keep = self.keep.on(self.trained.read(self.info), threads)

        def write(start: int, pruned: CodeArray) -> BoolArray:
            kept = keep(start, pruned)
            np.multiply(layer.weights[start : start + len(pruned)], kept, out=pruned)
            return kept

        return write


def layers_to_rewind_to(trained: Layers, earlier: Checkpoint) -> Layers:
    """Give the layers of an earlier checkpoint that some layers of a later one can be rewound to.

    Args:
        trained: the layers of the later checkpoint.
        earlier: must have the same tensors, of the same types and shapes.

    Raises:
        CheckpointError: naming the tensor that differs.
    """
    kinds = ["a file" if each.found.folder is None else "a folder" for each in (earlier, trained.checkpoint)]
    if kinds[0] != kinds[1]:
        raise CheckpointError(
            f"{earlier.path}: is {kinds[0]}, and {trained.checkpoint.path} is {kinds[1]}; both need to be the same"
        )
    check_same_tensors(earlier, trained.checkpoint)
    return replace(trained, checkpoint=earlier)


def check_same_tensors(checkpoint: Checkpoint, reference: Checkpoint) -> None:
    """Make sure that a checkpoint has the tensors of another: names, types, shapes and ties.

    Raises:
        CheckpointError: naming the first tensor that differs.
    """
    for name, tensor in reference.tensors.items():
        here = checkpoint.tensors.get(name)
        if here is None:
            raise CheckpointError(f"{checkpoint.path}: lacks tensor {name!r} of {reference.path}; both need the same")
        if (here.dtype, here.shape) != (tensor.dtype, tensor.shape):
            found, needed = f"{here.dtype} {list(here.shape)}", f"{tensor.dtype} {list(tensor.shape)}"
            raise CheckpointError(f"{checkpoint.path}: tensor {name!r} is {found}; {reference.path} has {needed}")
        if checkpoint.ties.get(name) != reference.ties.get(name):
            raise CheckpointError(f"{checkpoint.path}: tensor {name!r} is not tied as in {reference.path}")
    extra = [name for name in checkpoint.tensors if name not in reference.tensors]
    if extra:
        raise CheckpointError(f"{checkpoint.path}: has a tensor {extra[0]!r} that {reference.path} lacks")
