"""Read the tensors of an opened checkpoint on demand; also of torch tensors in memory."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from topoimp.arrays import BoolArray, ByteArray, CodeArray
from topoimp.checkpoint.finding import CheckpointFiles
from topoimp.checkpoint.flags import NotAFlag, flags_in
from topoimp.checkpoint.header import BITS, TensorInfo, is_floating_point
from topoimp.checkpoint.masked_weights import (
    MaskedWeight,
    masked_codes,
    masked_weights,
    ties_of_weights,
    with_masked_weights,
)
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.checkpoint.safetensors_file import Advice, TensorFile
from topoimp.checkpoint.stamps import stamp_of
from topoimp.checkpoint.torch_file import torch_tensors
from topoimp.errors import CheckpointError
from topoimp.kernels.threads import pieces
from topoimp.sources import Source

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors on disk, whose headers have been read and checked.

    Args:
        path: the file, index or folder that the user named.
        files: the files with tensors, in the order of their names.
        paths: the paths of all of its files.
        source: how it was opened. It is pickled as its source and stamp, and opened again by the process that needs it,
            once; None for tensors in memory, which cannot be pickled.
    """

    path: Path
    files: tuple[TensorFile, ...]
    paths: CheckpointFiles
    source: "Source[Checkpoint] | None" = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what to pickle: no tensor, and no header."""
        if self.source is None:
            raise TypeError(f"{self.path}: tensors in memory cannot be pickled as a checkpoint")
        return _opened_again, (self.source, self.path, self.stamp)

    @cached_property
    def stamp(self) -> str:
        """A checksum of headers, sizes and pages (``topoimp.checkpoint.stamps``)."""
        return stamp_of(self.files)

    @cached_property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """The tensors by name, in the order of the files and of their headers; masked weights in place of their two."""
        return MappingProxyType(with_masked_weights(self.stored_tensors, self.masked_weights))

    @cached_property
    def stored_tensors(self) -> Mapping[str, TensorInfo]:
        """The tensors that the files hold, by name, in their order."""
        return MappingProxyType({tensor.name: tensor for file in self.files for tensor in file.tensors})

    @cached_property
    def masked_weights(self) -> Mapping[str, MaskedWeight]:
        """The weights that two stored tensors make, by name (``topoimp.checkpoint.masked_weights``)."""
        return MappingProxyType(masked_weights(self.stored_tensors))

    @cached_property
    def file_of(self) -> Mapping[str, TensorFile]:
        """By tensor name, the file that holds it; of a masked weight, that of its original."""
        stored_in = {tensor.name: file for file in self.files for tensor in file.tensors}
        masked = {name: stored_in[weight.original.name] for name, weight in self.masked_weights.items()}
        return MappingProxyType({**stored_in, **masked})

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """The texts stored with the tensors; where shards contradict each other, those of the first shard."""
        return MappingProxyType({key: text for file in self.files[::-1] for key, text in file.metadata.items()})

    @cached_property
    def ties(self) -> Mapping[str, str]:
        """By tensor, the earlier tensor that it shares all of its data with."""
        ties = {name: first for file in self.files for name, first in file.ties.items()}
        return MappingProxyType(ties_of_weights(ties, self.masked_weights) if self.masked_weights else ties)

    @cached_property
    def n_weights(self) -> int:
        """The numbers in all floating-point tensors, biases and norms too; data that tensors share count once."""
        own = (tensor for tensor in self.tensors.values() if tensor.name not in self.ties)
        return sum(prod(tensor.shape) for tensor in own if is_floating_point(tensor.dtype))

    @property
    def not_tensors(self) -> list[str]:
        """The names of the other content of its files."""
        return [name for file in self.files for name in file.not_tensors]

    @property
    def unindexed(self) -> list[str]:
        """The tensors that its shards hold and its index does not place there, by shard and name."""
        return [f"{file.path.name}: {name}" for file in self.files for name in file.unindexed]

    @property
    def key(self) -> str | None:
        """The key of the state dict that was read from PyTorch files; None if it is their whole content."""
        return self.files[0].key if self.files else None

    @property
    def other_keys(self) -> list[str]:
        """The keys of the state dicts that its files hold beside the one read."""
        return list(dict.fromkeys(key for file in self.files for key in file.other_keys))

    def stored_as(self, name: str) -> list[str]:
        """Return the names of the stored tensors that make a tensor: itself, or the two of a masked weight."""
        weight = self.masked_weights.get(name)
        return [name] if weight is None else [weight.original.name, weight.mask.name]

    def stored(self, name: str, start: int = 0, stop: int | None = None) -> ByteArray:
        """Return a tensor's stored bytes from ``start`` to ``stop``, flat and read-only.

        Those of a file here are not read yet; those of a file in a store are fetched; a masked weight is computed.

        Raises:
            CheckpointError: if the file changed since it was opened, or cannot be read; or if a mask is not of 0 and 1.
        """
        if name in self.masked_weights:
            return self.codes(name).view(np.uint8)[start:stop]
        tensor = self.stored_tensors[name]
        return self.file_of[name].stored(tensor, start, tensor.end - tensor.start if stop is None else stop)

    def codes(self, name: str, start: int = 0, stop: int | None = None) -> CodeArray:
        """Return the stored bits of a floating-point tensor, from its number ``start`` to ``stop``, as integers.

        Otherwise like ``stored``.
        """
        if name in self.masked_weights:
            weight = self.masked_weights[name]
            return self._product(weight, start, prod(weight.original.shape) if stop is None else stop)
        dtype = NUMBER_FORMATS[self.stored_tensors[name].dtype].code_dtype.newbyteorder("<")
        size = dtype.itemsize
        codes = self.stored(name, start * size, None if stop is None else stop * size).view(dtype)
        return codes if codes.flags.aligned else codes.copy()

    def flags(self, name: str, start: int, stop: int) -> BoolArray:
        """Return, for the numbers of a tensor from ``start`` to ``stop``, which are 1.

        Raises:
            CheckpointError: if a number is neither 0 nor 1, or as ``stored`` does.
        """
        found = self._flags_or_other(name, start, stop)
        if isinstance(found, NotAFlag):
            reason = f"holds {found.value} at index {start + found.index}; as a mask it needs 0 and 1 alone"
            raise CheckpointError(f"{self.path}: tensor {name!r} {reason}")
        return found

    def are_flags(self, name: str, start: int, stop: int) -> bool:
        """Whether the numbers of a tensor from ``start`` to ``stop`` are 0 or 1."""
        return not isinstance(self._flags_or_other(name, start, stop), NotAFlag)

    def advise(self, advice: Advice, name: str, start: int, stop: int) -> None:
        """Advise the system on a tensor's bytes from ``start`` to ``stop``; unreadable ones are a CheckpointError."""
        if name not in self.masked_weights:
            self.file_of[name].advise(advice, self.stored_tensors[name], start, stop)
            return
        weight = self.masked_weights[name]
        if advice is not Advice.NEED_NOW:  # the product needs its parts no more
            size, size_of_mask = (BITS[part.dtype] // 8 for part in (weight.original, weight.mask))
            self.advise(advice, weight.original.name, start, stop)
            self.advise(advice, weight.mask.name, start // size * size_of_mask, -(-stop // size) * size_of_mask)

    def done_with(self, name: str, start: int = 0, stop: int | None = None) -> None:
        """Release the memory of a tensor's bytes from ``start`` to ``stop``; they can be read again."""
        tensor = (self.tensors if name in self.tensors else self.stored_tensors)[name]
        self.advise(Advice.DONE_WITH, name, start, tensor.end - tensor.start if stop is None else stop)

    def check_unchanged(self) -> None:
        """Raise a CheckpointError if one of its files changed since it was opened."""
        for file in self.files:
            file.check_unchanged()

    def _flags_or_other(self, name: str, start: int, stop: int) -> BoolArray | NotAFlag:
        if name in self.masked_weights:
            return flags_in(self.codes(name, start, stop).view(np.uint8), self.tensors[name].dtype)
        dtype = self.stored_tensors[name].dtype
        size = BITS[dtype] // 8
        return flags_in(self.stored(name, start * size, stop * size), dtype)

    def _product(self, weight: MaskedWeight, start: int, stop: int) -> CodeArray:
        """Return the stored bits of a masked weight; the memory of its parts is released piece by piece."""
        number_format = NUMBER_FORMATS[weight.original.dtype]
        original = self.codes(weight.original.name)
        product = np.empty(stop - start, original.dtype)
        for first, last in pieces(start, stop):
            for part in (weight.original, weight.mask):
                size = BITS[part.dtype] // 8
                self.advise(Advice.NEED_NOW, part.name, first * size, last * size)
            kept = self.flags(weight.mask.name, first, last)
            product[first - start : last - start] = masked_codes(original[first:last], kept, number_format)

            for part in (weight.original, weight.mask):
                size = BITS[part.dtype] // 8
                self.done_with(part.name, first * size, last * size)
        product.flags.writeable = False
        return product


@lru_cache(maxsize=16)
def _opened_again(source: Source[Checkpoint], path: Path, stamp: str) -> Checkpoint:
    """Return a checkpoint, as it was named, in another process or on another machine, where it must be the same."""
    try:
        opened = replace(source.made(), path=path)
        is_same = opened.stamp == stamp
    except CheckpointError as error:
        raise CheckpointError(f"{error} (on {platform.node()})") from error
    if not is_same:
        raise CheckpointError(f"{source.arguments[0]}: is another file on {platform.node()} than where the work began")
    return opened


def tensors_as_checkpoint(
    values: Mapping[str, "torch.Tensor"], *, name: str, kept: Mapping[str, "torch.Tensor"] | None = None
) -> Checkpoint:
    """Return torch tensors in memory, named in messages, as a checkpoint that can be read, but not copied.

    The values are read at the time of each call. ``kept`` holds masks as booleans; without one, all weights are kept.
    """
    return Checkpoint(Path(name), (torch_tensors(values, Path(name), kept=kept or {}),), CheckpointFiles(()))
