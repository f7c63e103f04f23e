"""Tensors in memory as a checkpoint: what reads files reads them just as well."""

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
    """Tensors of torch, on any device, read as if a file held them.

    Args:
        path: what messages call them.
        tensors: their descriptions, in the order of ``values``.
        ties: by tensor, the earlier one that it shares all of its data with.
        values: the tensors; each is looked at as it is at that moment.
        kept: by tensor, which of its weights count, in its shape and on its device; the others read as 0.
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
        """Nothing is said about them."""
        return MappingProxyType({})

    def stored(self, tensor: TensorInfo) -> ByteArray:
        """Give a tensor's bytes as safetensors stores them, read-only."""
        stored = stored_bytes(self.values[tensor.name])
        if tensor.name not in self.kept:
            return stored
        kept = stored_bytes(self.kept[tensor.name])
        masked: ByteArray = (stored.reshape(kept.size, stored.size // max(kept.size, 1)) * kept[:, None]).reshape(-1)
        return masked

    def will_need(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """Nothing has to be fetched ahead."""

    def have_ready(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """All is in memory."""

    def done_with(self, tensor: TensorInfo, start: int, stop: int) -> None:
        """Nothing can be given back."""

    def check_unchanged(self) -> None:
        """There is no file that could change."""


def tensors_as_checkpoint(
    values: Mapping[str, "torch.Tensor"], *, name: str, kept: Mapping[str, "torch.Tensor"] | None = None
) -> Checkpoint:
    """Give tensors in memory as a checkpoint that can be read, and not copied.

    Args:
        values: by name, in the order of a state dict.
        name: what messages call them.
        kept: by name, which weights of a tensor count, as booleans; all of those that are not named.
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
