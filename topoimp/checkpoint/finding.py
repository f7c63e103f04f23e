"""The files of a checkpoint: the path that a user names in, files out.

A checkpoint is a single file; an index of shards, or the folder that holds it; or a folder with one file of weights,
as Hugging Face libraries write them. The other files of a folder (configuration, tokenizer) belong to it too.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from topoimp.checkpoint.index import INDEX_SUFFIX, read_index
from topoimp.checkpoint.torch_file import SUFFIXES
from topoimp.errors import CheckpointError

AnyPath: TypeAlias = str | os.PathLike[str]
"""A path as callers may write it; each public function makes a ``Path`` of it where it enters."""

OTHER_WEIGHTS = (
    *SUFFIXES,
    ".safetensors",
    ".h5",
    ".ot",
    ".msgpack",
    ".onnx",
    ".onnx_data",
    ".gguf",
    ".tflite",
    ".npz",
    ".pkl",
)
"""Endings of files that hold the unpruned weights again; a copy of a folder leaves them out."""

PREFERRED = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""Names that Hugging Face libraries give to the weights of a folder."""


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of a checkpoint.

    Args:
        weights: the files that hold tensors, in the order of their names.
        placed: by tensor, its file's name in the index; None without an index.
        index: the index, or None.
        folder: the folder that is the checkpoint; None for a single file.
    """

    weights: tuple[Path, ...]
    placed: MappingProxyType[str, str] | None = None
    index: Path | None = None
    folder: Path | None = None


def find_files(path: Path) -> CheckpointFiles:
    """Return the files of the checkpoint at a path.

    Raises:
        CheckpointError: if a folder holds no weights, or several, or an index cannot be used.
    """
    if path.is_dir():
        return _in_folder(path, _weights_of(path))
    if path.name.endswith(INDEX_SUFFIX):
        return _in_folder(path.parent, path)
    return CheckpointFiles((path,))


def _in_folder(folder: Path, weights: Path) -> CheckpointFiles:
    if not weights.name.endswith(INDEX_SUFFIX):
        return CheckpointFiles((weights,), folder=folder)
    placed = read_index(weights)
    return CheckpointFiles(tuple(folder / name for name in sorted(set(placed.values()))), placed, weights, folder)


def _weights_of(folder: Path) -> Path:
    """Return the one file of weights, or the one index, of a folder."""
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    for standard in (".safetensors", ".bin"):
        preferred = [name for name in PREFERRED if name in names and standard in name]
        if len(preferred) > 1:
            raise CheckpointError(f"{folder}: holds {preferred[0]} and {preferred[1]}; name the one that is meant")
        if preferred:
            return folder / preferred[0]

    candidates = [name for name in names if name.endswith(".safetensors" + INDEX_SUFFIX)]
    candidates = candidates or [name for name in names if name.endswith(".safetensors")]
    candidates = candidates or [name for name in names if name.endswith(SUFFIXES)]
    if not candidates:
        raise CheckpointError(f"{folder}: is a folder without weights; a .safetensors file or an index is needed")
    if len(candidates) > 1:
        raise CheckpointError(
            f"{folder}: holds {len(candidates)} files of weights; name one of them, such as {folder / candidates[0]}"
        )
    return folder / candidates[0]


def other_files(paths: CheckpointFiles) -> tuple[list[Path], list[Path]]:
    """Return a folder's other files, relative to it: those that a copy takes along, and the weights that it leaves out.

    Subfolders count, but for hidden ones and links to folders.

    Raises:
        CheckpointError: if a subfolder cannot be read.
    """
    if paths.folder is None:
        return [], []
    own = {*paths.weights, paths.index}
    others = [file.relative_to(paths.folder) for file in _files_below(paths.folder) if file not in own]
    return [file for file in others if not _holds_weights(file)], [file for file in others if _holds_weights(file)]


def _holds_weights(file: Path) -> bool:
    is_index = ".index." in file.name and file.suffix == ".json"
    return is_index or file.name.endswith(OTHER_WEIGHTS)


def _files_below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            if not entry.name.startswith(".") and not entry.is_symlink():
                yield from _files_below(entry)
        elif entry.is_file():
            yield entry
