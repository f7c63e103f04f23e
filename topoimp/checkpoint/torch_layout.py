"""Find where the tensors of a PyTorch file lie in it, so that a copy can exchange them and keep every other byte.

torch.save writes the bytes of each storage once: as a record ``data/KEY`` of a zip archive, or before version 1.6 one
after the other behind the pickles. The main pickle names the keys in the order in which torch.load makes the storages.
It is split into its instructions here, and none of them is carried out.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import combinations
from pathlib import Path
from pickletools import genops
from typing import IO, TYPE_CHECKING, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo, is_zipfile

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.errors import CheckpointError

if TYPE_CHECKING:
    import torch

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""First bytes of a torch.save file before version 1.6: the pickled magic number 0x1950a86a20f9469cfc6c."""

_MAX_WORK = 100_000
"""Limit of NumPy's exact search for a byte that two tensors share; where it is reached, they count as sharing one."""

_LENGTH_BYTES = 8
"""Before the bytes of each storage of such a file: the number of its elements."""

_LOCAL_HEADER = 30
"""Bytes of a zip record's header, before its name and extra field; their lengths are its last two numbers."""


@dataclass(frozen=True)
class LoadedFile:
    """The tensors of a PyTorch file by name, and all storages in the order in which torch.load made them."""

    tensors: Mapping[str, "torch.Tensor"]
    storages: Sequence["torch.UntypedStorage"]


@dataclass(frozen=True)
class Extent:
    """The bytes of a storage in its file, and the name of the zip record that they are; None in an older file."""

    start: int
    stop: int
    record: str | None = None


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


def is_mappable(path: Path) -> bool:
    """Return whether torch.load can map a file's storages: a zip archive of uncompressed records, as torch.save writes.

    It maps compressed records too, and takes their bytes for numbers.
    """
    if not is_zipfile(path):
        return False
    with ZipFile(path) as archive:
        return all(info.compress_type == ZIP_STORED for info in archive.infolist())


def tensor_places(path: Path, loaded: LoadedFile) -> dict[str, TensorPlace]:
    """Return, by tensor, its place in the file; tensors without numbers, and those that are no plain array, have none.

    Raises:
        CheckpointError: if the file keeps its storages in another way than torch.save writes them.
    """
    import torch

    # A storage without bytes may have no place in memory, and is made anew each time that it is named.
    storages = [storage for storage in loaded.storages if storage.nbytes()]
    try:
        extents = _extents(path, [storage.nbytes() for storage in storages])
    except Exception as error:  # torch.load takes files that these readers do not
        reason = str(error) or type(error).__name__
        raise cannot_be_copied(path, f"its storages cannot be found in it ({reason})") from error

    by_address = {storage.data_ptr(): extent for storage, extent in zip(storages, extents, strict=True)}
    addresses = sorted(by_address)
    places = {}
    for name, tensor in loaded.tensors.items():
        is_plain = tensor.layout is torch.strided and not (tensor.is_nested or tensor.is_meta or tensor.is_quantized)
        if is_plain and tensor.numel():
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


def _extents(path: Path, sizes: Sequence[int]) -> list[Extent]:
    """Return the bytes of the storages of a file, in the order in which torch.load makes them, if their sizes fit."""
    found = _records(path) if is_zipfile(path) else _behind_pickles(path, sizes)
    if [extent.stop - extent.start for extent in found] != list(sizes):
        raise ValueError("their sizes are others than those loaded")
    return found


def _records(path: Path) -> list[Extent]:
    """Return the bytes of the records of a zip archive that its pickle names."""
    with ZipFile(path) as archive, path.open("rb") as file:
        folder = archive.namelist()[0].partition("/")[0]
        byte_order = f"{folder}/byteorder"
        if byte_order in archive.namelist() and _content(archive.getinfo(byte_order), file) != b"little":
            raise ValueError("they are big-endian")

        pickle = BytesIO(_content(archive.getinfo(f"{folder}/data.pkl"), file))
        infos = [archive.getinfo(f"{folder}/data/{key}") for key in _named_storages(pickle)]
        return [_stored_bytes(info, file) for info in infos if info.file_size]


def _content(info: ZipInfo, file: IO[bytes]) -> bytes:
    """Return a record whatever its checksum: torch.save need not compute one."""
    extent = _stored_bytes(info, file)
    file.seek(extent.start)
    return file.read(info.file_size)


def _stored_bytes(info: ZipInfo, file: IO[bytes]) -> Extent:
    if info.compress_type != ZIP_STORED:
        raise ValueError("they are compressed")
    file.seek(info.header_offset + _LOCAL_HEADER - 4)
    name_bytes, extra_bytes = np.frombuffer(file.read(4), "<u2").tolist()
    start = info.header_offset + _LOCAL_HEADER + name_bytes + extra_bytes
    return Extent(start, start + info.file_size, info.filename)


def _behind_pickles(path: Path, sizes: Sequence[int]) -> list[Extent]:
    """Return the bytes of the storages of a file before version 1.6, which follow each other in the order of a list."""
    with path.open("rb") as file:
        if file.read(len(LEGACY)) != LEGACY:
            raise ValueError("it is neither a zip archive nor an older file of torch.save")
        for _ in range(2):  # the version of the format, and the system that wrote it
            _named_storages(file)
        n_elements = _named_storages(file)
        with_bytes = [key for key, n in n_elements.items() if n]
        size_of = dict(zip(with_bytes, sizes, strict=True))

        listed = [argument for _, argument, _ in genops(file) if isinstance(argument, str)]
        found = {}
        for key in listed:
            if int.from_bytes(file.read(_LENGTH_BYTES), "little") != n_elements[key]:
                raise ValueError("their lengths are others than those named")
            found[key] = Extent(file.tell(), file.tell() + size_of.get(key, 0))
            file.seek(found[key].stop)
        return [found[key] for key in with_bytes]


def _named_storages(pickle: IO[bytes]) -> dict[str, int]:
    """Return the keys of the storages that a pickle names, in order, and their numbers of elements; read to its end.

    A storage is named by the tuple ("storage", type, key, device, number of elements, ...).
    """
    named: dict[str, int] = {}
    pushed: list[Any] = []  # Any: arguments of instructions
    memo: dict[Any, Any] = {}
    for instruction, argument, _ in genops(pickle):
        if instruction.name == "MARK":
            pushed = []
        elif "PUT" in instruction.name:
            memo[argument] = pushed[-1] if pushed else None
        elif "GET" in instruction.name:
            pushed.append(memo[argument])
        elif instruction.name == "BINPERSID":
            named.setdefault(str(pushed[2]), pushed[4])
        else:
            pushed.append(argument)
    return named
