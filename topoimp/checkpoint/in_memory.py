"""Tensors in memory as a checkpoint, so that all readers of files can read them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.checkpoint.finding import CheckpointFiles
from topoimp.checkpoint.reading import Checkpoint
from topoimp.checkpoint.torch_file import TorchFile, layout_of

if TYPE_CHECKING:
    import torch


def tensors_as_checkpoint(
    values: Mapping[str, "torch.Tensor"], *, name: str, kept: Mapping[str, "torch.Tensor"] | None = None
) -> Checkpoint:
    """Return tensors in memory as a checkpoint that can be read, but not copied.

    Args:
        values: by name, in the order of a state dict.
        name: the name in messages.
        kept: by name, a tensor's mask as booleans; a tensor without a mask keeps all weights.
    """
    tensors, ties = layout_of(values)
    file = TorchFile(Path(name), tensors, ties, values, kept or {})
    return Checkpoint(
        path=file.path,
        files=(file,),
        tensors=MappingProxyType({tensor.name: tensor for tensor in tensors}),
        file_of=MappingProxyType({tensor.name: file for tensor in tensors}),
        paths=CheckpointFiles(()),
    )
