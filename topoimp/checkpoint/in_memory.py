"""Tensors in memory as a checkpoint, so that all readers of files can read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.arrays import ByteArray
from topoimp.checkpoint.finding import Found
from topoimp.checkpoint.header import TensorInfo
from topoimp.checkpoint.reading import Checkpoint
from topoimp.checkpoint.torch_file import layout_of, stored_bytes

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TensorsInMemory:
    """Tensors of torch, on any device, in the form of a file.

    Args:
        path: the name in messages.
        tensors: their descriptions, in the order of ``values``.
        ties: by tensor, the earlier tensor that it shares all of its data with.
        values: the tensors, read at the time of each call.
        kept: by tensor, its mask as booleans, in its shape and on its device; a weight that is not kept reads as 0.
    """

    path: Path
    tensors: tuple[TensorInfo, ...]
    ties: Mapping[str, str]
    values: Mapping[str, "torch.Tensor"]
    kept: Mapping[str, "torch.Tensor"]

    not_tensors: tuple[str, ...] = ()
    name_as_safetensors: str = "model.safetensors"

    @property
    def metadata(self) -> Mapping[str, str]:
        """Tensors in memory have no metadata."""
        return MappingProxyType({})

    def stored(self, tensor: TensorInfo) -> ByteArray:
        """Return a tensor's bytes as safetensors stores them, read-only."""
        stored = stored_bytes(self.values[tensor.name])
        if tensor.name not in self.kept:
            return stored
        kept = stored_bytes(self.kept[tensor.name])
        masked: ByteArray = (stored.reshape(kept.size, stored.size // max(kept.size, 1)) * kept[:, None]).reshape(-1)
        return masked

    def will_need(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """Do nothing: all is in memory."""

    def have_ready(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """Do nothing: all is in memory."""

    def done_with(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """Do nothing: the caller owns the memory."""

    def check_unchanged(self) -> None:
        """Do nothing: no file can change."""


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
    file = TensorsInMemory(Path(name), tensors, ties, values, kept or {})
    return Checkpoint(
        path=file.path,
        files=(file,),
        tensors=MappingProxyType({tensor.name: tensor for tensor in tensors}),
        file_of=MappingProxyType({tensor.name: file for tensor in tensors}),
        found=Found(()),
    )
