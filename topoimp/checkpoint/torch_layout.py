"""Find where the tensors of a PyTorch file lie in it, so that a copy can exchange them and keep every other byte.

A tensor is a part of a storage, whose bytes the file holds once (``topoimp.checkpoint.torch_storages``).
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.checkpoint.torch_storages import Extent, NamedStorages, StorageError, storage_extents
from topoimp.errors import CheckpointError

if TYPE_CHECKING:
    import torch

_MAX_WORK = 100_000
"""Limit of NumPy's exact search for a byte that two tensors share; where it is reached, they count as sharing one."""


@dataclass(frozen=True)
class LoadedFile:
    """A PyTorch file as torch.load made it.

    Args:
        tensors: by name.
        storages: all storages with bytes, in the order in which torch.load made them.
        named: the same storages as the file names them.
    """

    tensors: Mapping[str, "torch.Tensor"]
    storages: Sequence["torch.UntypedStorage"]
    named: NamedStorages


@dataclass(frozen=True)
class TensorPlace:
    """The numbers of a tensor in a PyTorch file.

    Args:
        storage: the bytes of its storage.
        start: the byte of its first number in the file.
        strides: bytes from one number to the next along each axis.
        item_bytes: bytes of a number.
    """

    storage: Extent
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    item_bytes: int

    @property
    def stop(self) -> int:
        """The byte of the file behind its last number."""
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        return self.start + last + self.item_bytes

    @property
    def is_contiguous(self) -> bool:
        """Whether its numbers lie one after the other in row-major order."""
        expected = self.item_bytes
        for n, step in zip(self.shape[::-1], self.strides[::-1], strict=True):
            if n > 1 and step != expected:
                return False
            expected *= n
        return True

    @property
    def repeats_numbers(self) -> bool:
        """Whether two of its numbers may be the same bytes, as in an expanded tensor."""
        covered = self.item_bytes
        for step, n in sorted((step, n) for n, step in zip(self.shape, self.strides, strict=True) if n > 1):
            if step < covered:
                return True
            covered += (n - 1) * step
        return False

    def numbers(self, file: ByteArray) -> np.ndarray:
        """Return the bits of its numbers as a view of the file's bytes."""
        return np.ndarray(self.shape, f"<u{self.item_bytes}", file.data, self.start, self.strides)


def is_plain(tensor: "torch.Tensor") -> bool:
    """Whether the numbers of a tensor lie in a storage: it is not sparse, quantised, nested or without numbers."""
    import torch

    return tensor.layout is torch.strided and not (tensor.is_nested or tensor.is_meta or tensor.is_quantized)


def tensor_places(path: Path, loaded: LoadedFile) -> dict[str, TensorPlace]:
    """Return, by tensor, its place in the file; tensors without numbers, and those that are no plain array, have none.

    Raises:
        CheckpointError: if the file keeps its storages in another way than torch.save writes them.
    """
    try:
        extents = storage_extents(path, loaded.named, [storage.nbytes() for storage in loaded.storages])
    except StorageError as error:
        raise cannot_be_copied(path, f"its storages cannot be found in it ({error})") from error

    by_address = {storage.data_ptr(): extent for storage, extent in zip(loaded.storages, extents, strict=True)}
    addresses = sorted(by_address)
    places = {}
    for name, tensor in loaded.tensors.items():
        if is_plain(tensor) and tensor.numel():
            address = addresses[bisect_right(addresses, tensor.data_ptr()) - 1]
            extent = by_address[address]
            size = tensor.element_size()
            start = extent.start + tensor.data_ptr() - address
            strides = tuple(step * size for step in tensor.stride())
            places[name] = TensorPlace(extent, start, tuple(tensor.shape), strides, size)
    return places


def check_tensors_exchangeable(path: Path, loaded: LoadedFile, first_of: Mapping[str, str]) -> None:
    """Check that each of some tensors can be exchanged in a copy of its file without a change of any other tensor.

    By tensor, ``first_of`` is the first of those that get the same numbers, as they are tied: it may share all of its
    numbers with these.

    Raises:
        CheckpointError: if one shares a part of its numbers with itself or another tensor, or is stored negated, or if
            the file keeps its storages in another way than torch.save writes them.
    """
    places = tensor_places(path, loaded)
    for name in first_of:
        if places[name].repeats_numbers:
            raise cannot_be_copied(path, f"some numbers of tensor {name!r} share their bytes")
        if loaded.tensors[name].is_neg():
            raise cannot_be_copied(path, f"tensor {name!r} is stored negated")

    # Only tensors of one storage can share bytes.
    together: dict[Extent, list[str]] = {}
    for name, place in places.items():
        together.setdefault(place.storage, []).append(name)

    file = np.memmap(path, np.uint8, "r")
    for one, other in (pair for sharing in together.values() for pair in combinations(sharing, 2)):
        are_tied = places[one] == places[other] and first_of.get(one) == first_of.get(other)
        if not are_tied and (one in first_of or other in first_of) and _overlap(places[one], places[other], file):
            raise cannot_be_copied(path, f"tensors {one!r} and {other!r} share a part of their bytes")


def cannot_be_copied(path: Path, reason: str) -> CheckpointError:
    """Return the error of a PyTorch file that no PyTorch file can be made of, with what to do."""
    return CheckpointError(f"{path}: cannot be copied as a PyTorch file, as {reason}; `output` can end in .safetensors")


def _overlap(one: TensorPlace, other: TensorPlace, file: ByteArray) -> bool:
    if one.stop <= other.start or other.stop <= one.start:
        return False
    try:
        return np.shares_memory(one.numbers(file), other.numbers(file), _MAX_WORK)  # type: ignore[arg-type]  # any number
    except np.exceptions.TooHardError:
        return True
