"""Rewind: put the weights of an earlier checkpoint under a mask that was found on a later one.

Both checkpoints have the same tensors. A kept weight gets its earlier value bit for bit. This value may be zero, and
the weight is still kept: the mask is the truth, not the zeros.
"""

from dataclasses import dataclass, replace

import numpy as np

from topoimp.arrays import BoolArray, CodeArray
from topoimp.checkpoint import Checkpoint
from topoimp.errors import CheckpointError
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.wrapped_names import matched_names
from topoimp.pruning.rules import PartPruner, Pruner


@dataclass(frozen=True)
class RewoundPruner:
    """Applies to the earlier weights of a layer the mask that a pruner, ``keep``, finds on its trained weights.

    So are masks of scores applied to weights.
    """

    keep: Pruner
    trained: Layers
    info: LayerInfo

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Return the function that writes parts of the earlier layer and returns their mask."""
        trained = self.trained.read(self.info, threads)
        keep = self.keep.on(trained, threads)

        def write(start: int, pruned: CodeArray) -> BoolArray:
            is_same_type = trained.codes.dtype == pruned.dtype  # scores may have another
            kept = keep(start, pruned if is_same_type else np.empty(len(pruned), trained.codes.dtype))
            np.multiply(layer.weights[start : start + len(pruned)], kept, out=pruned)
            return kept

        return write


def layers_to_rewind_to(trained: Layers, earlier: Checkpoint) -> Layers:
    """Return the layers of an earlier checkpoint that correspond to the layers of a later one.

    Raises:
        CheckpointError: if one is a file and the other a folder, or naming the tensor that differs.
    """
    later = trained.checkpoint
    forms = ["a file" if each.paths.folder is None else "a folder" for each in (earlier, later)]
    if forms[0] != forms[1]:
        needed = "both need to be the same"
        raise CheckpointError(f"{earlier.path}: is {forms[0]}, and {later.path} is {forms[1]}; {needed}")
    check_same_tensors(earlier, later)
    return replace(trained, checkpoint=earlier)


def check_same_tensors(checkpoint: Checkpoint, reference: Checkpoint) -> None:
    """Check that a checkpoint has the tensors of another: names, types, shapes and ties; name the first that is not."""
    renamed = matched_names(reference.tensors, checkpoint.tensors)
    for name, tensor in reference.tensors.items():
        found = checkpoint.tensors.get(name)
        if found is None and name in renamed:
            reason = "a wrapper of the module renamed it, and both need the same names"
            raise CheckpointError(f"{checkpoint.path}: calls tensor {name!r} {renamed[name]!r}; {reason}")
        if found is None:
            raise CheckpointError(f"{checkpoint.path}: lacks tensor {name!r} of {reference.path}; both need the same")
        if (found.dtype, found.shape) != (tensor.dtype, tensor.shape):
            description = f"{found.dtype} {list(found.shape)}; {reference.path} has {tensor.dtype} {list(tensor.shape)}"
            raise CheckpointError(f"{checkpoint.path}: tensor {name!r} is {description}")
        if checkpoint.ties.get(name) != reference.ties.get(name):
            raise CheckpointError(f"{checkpoint.path}: tensor {name!r} is not tied as in {reference.path}")
    extra = [name for name in checkpoint.tensors if name not in reference.tensors]
    if extra:
        raise CheckpointError(f"{checkpoint.path}: has a tensor {extra[0]!r} that {reference.path} lacks")
