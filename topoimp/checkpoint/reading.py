"""Open a checkpoint: headers are read and checked at once, each tensor on demand; also from tensors in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.arrays import BoolArray, ByteArray, CodeArray
from topoimp.checkpoint.finding import AnyPath, CheckpointFiles, find_files
from topoimp.checkpoint.flags import NotAFlag, flags_in
from topoimp.checkpoint.header import BITS, TensorInfo
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.checkpoint.other_formats import other_format
from topoimp.checkpoint.safetensors_file import Advice, TensorFile, only_tensors, open_safetensors
from topoimp.checkpoint.torch_file import is_torch_file, open_torch, torch_tensors
from topoimp.errors import CheckpointError, OptionError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors on disk, whose headers have been read and checked.

    Args:
        path: the file, index or folder that the user named.
        files: the files with tensors, in the order of their names.
        paths: the paths of all of its files.
    """

    path: Path
    files: tuple[TensorFile, ...]
    paths: CheckpointFiles

    @cached_property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """The tensors by name, in the order of the files and of their headers."""
        return MappingProxyType({tensor.name: tensor for file in self.files for tensor in file.tensors})

    @cached_property
    def file_of(self) -> Mapping[str, TensorFile]:
        """By tensor name, the file that holds it."""
        return MappingProxyType({tensor.name: file for file in self.files for tensor in file.tensors})

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """The texts stored with the tensors; where shards contradict each other, those of the first shard."""
        return MappingProxyType({key: text for file in self.files[::-1] for key, text in file.metadata.items()})

    @cached_property
    def ties(self) -> Mapping[str, str]:
        """By tensor, the earlier tensor that it shares all of its data with."""
        return MappingProxyType({name: first for file in self.files for name, first in file.ties.items()})

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

    def stored(self, name: str) -> ByteArray:
        """Return a tensor's stored bytes, flat and read-only, without reading them yet.

        Raises:
            CheckpointError: if the file shrank since it was opened, or cannot be read.
        """
        return self.file_of[name].stored(self.tensors[name])

    def codes(self, name: str) -> CodeArray:
        """Return the stored bits of a floating-point tensor as unsigned integers; otherwise like ``stored``."""
        dtype = NUMBER_FORMATS[self.tensors[name].dtype].code_dtype.newbyteorder("<")
        codes = self.stored(name).view(dtype)
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
        self.file_of[name].advise(advice, self.tensors[name], start, stop)

    def done_with(self, name: str, start: int = 0, stop: int | None = None) -> None:
        """Release the memory of a tensor's bytes from ``start`` to ``stop``; they can be read again."""
        tensor = self.tensors[name]
        self.advise(Advice.DONE_WITH, name, start, tensor.end - tensor.start if stop is None else stop)

    def check_unchanged(self) -> None:
        """Raise a CheckpointError if one of its files changed since it was opened."""
        for file in self.files:
            file.check_unchanged()

    def _flags_or_other(self, name: str, start: int, stop: int) -> BoolArray | NotAFlag:
        dtype = self.tensors[name].dtype
        size = BITS[dtype] // 8
        return flags_in(self.stored(name)[start * size : stop * size], dtype)


def open_checkpoint(path: AnyPath, *, key: str | None = None) -> Checkpoint:
    """Open a checkpoint: read and check its headers, and no tensor.

    Args:
        path: a .safetensors file, a PyTorch file, an index of shards, or a folder with one of these.
        key: the state dict to read of a PyTorch file that holds several, such as ``model.ema``; where training scripts
            usually keep the network's if None.

    Raises:
        CheckpointError: if the path does not exist, or one of its files cannot be used.
        OptionError: if there is no state dict below ``key``.
    """
    path = Path(path)
    try:
        paths = find_files(path)
        files = tuple(_open_file(file, key) for file in paths.weights)
    except FileNotFoundError as error:
        raise CheckpointError(_missing(path, error)) from error
    except OSError as error:
        raise CheckpointError(f"{error.filename or path}: cannot be read: {error.strerror}") from error

    if paths.shard_of is None:
        _check_distinct(files, path)
    else:
        files = _indexed(paths.shard_of, files, path)
    return Checkpoint(path, files, paths)


def tensors_as_checkpoint(
    values: Mapping[str, "torch.Tensor"], *, name: str, kept: Mapping[str, "torch.Tensor"] | None = None
) -> Checkpoint:
    """Return torch tensors in memory, named in messages, as a checkpoint that can be read, but not copied.

    The values are read at the time of each call. ``kept`` holds masks as booleans; without one, all weights are kept.
    """
    return Checkpoint(Path(name), (torch_tensors(values, Path(name), kept=kept or {}),), CheckpointFiles(()))


def _open_file(path: Path, key: str | None) -> TensorFile:
    foreign = other_format(path)
    if foreign is not None:
        raise CheckpointError(f"{path}: is {foreign}")
    if is_torch_file(path):
        return open_torch(path, key)
    if key is not None:
        raise OptionError(f"`key` is {key!r}, and {path} is no PyTorch file, which alone has state dicts below keys")
    return open_safetensors(path)


def _missing(path: Path, error: FileNotFoundError) -> str:
    missing = Path(error.filename or path)
    return f"{path}: no such file" if missing == path else f"{path}: its index names {missing.name}, which is not there"


def _indexed(shard_of: Mapping[str, str], files: tuple[TensorFile, ...], path: Path) -> tuple[TensorFile, ...]:
    """Return the files with the tensors that the index places in them; check that they hold each of these."""
    held = {(tensor.name, file.path.name) for file in files for tensor in file.tensors}
    for tensor, name in shard_of.items():
        if (tensor, name) not in held:
            raise CheckpointError(f"{path}: its index places tensor {tensor!r} in {name}, which does not hold it")

    placed_in: dict[str, set[str]] = {}
    for tensor, name in shard_of.items():
        placed_in.setdefault(name, set()).add(tensor)
    return tuple(only_tensors(file, placed_in[file.path.name]) for file in files)


def _check_distinct(files: tuple[TensorFile, ...], path: Path) -> None:
    """Check that no tensor lies in two shards, whose index would say which one counts."""
    first_in: dict[str, str] = {}
    for file in files:
        for tensor in file.tensors:
            first = first_in.setdefault(tensor.name, file.path.name)
            if first != file.path.name:
                both = f"{first} and {file.path.name} both hold tensor {tensor.name!r}"
                raise CheckpointError(f"{path}: {both}; shards without an index must differ, and slices be joined")
