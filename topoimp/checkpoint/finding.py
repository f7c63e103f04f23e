"""Find the files of a checkpoint: the path of a file, an index of shards or a folder in, its files out.

A checkpoint is a single file; an index of shards, or the folder that holds it; or a folder with one file of weights,
as Hugging Face libraries write them. The other files of a folder (configuration, tokenizer) belong to it too. An index
is JSON with a ``weight_map`` from tensors to file names; it may name only files that lie beside it.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import TypeAlias

from topoimp.checkpoint.torch_file import SUFFIXES
from topoimp.errors import CheckpointError

AnyPath: TypeAlias = str | os.PathLike[str]
"""A path as callers may write it; each public function makes a ``Path`` of it where it enters."""

INDEX_SUFFIX = ".index.json"
MAX_INDEX_BYTES = 100_000_000
"""The limit of a header; the longest known indices have some megabytes."""

OTHER_WEIGHTS = (".safetensors", ".h5", ".ot", ".msgpack", ".onnx", ".onnx_data", ".gguf", ".tflite", ".npz", ".pkl")
"""Endings of files that hold the unpruned weights again; a copy of a folder leaves them and PyTorch files out."""

PREFERRED = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""Names that Hugging Face libraries give to the weights of a folder."""


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of a checkpoint.

    Args:
        weights: the files that hold tensors, in the order of their names.
        shard_of: by tensor, its file's name in the index; None without an index.
        index: the index, or None.
        folder: the folder that is the checkpoint; None for a single file.
    """

    weights: tuple[Path, ...]
    shard_of: MappingProxyType[str, str] | None = None
    index: Path | None = None
    folder: Path | None = None


def find_files(path: Path) -> CheckpointFiles:
    """Return the files of the checkpoint at a path, or raise a CheckpointError if a folder holds none, or several."""
    if path.is_dir():
        folder = path
        weights = _weights_of(path)
    elif path.name.endswith(INDEX_SUFFIX):
        folder = path.parent
        weights = path
    else:
        return CheckpointFiles((path,))

    if not weights.name.endswith(INDEX_SUFFIX):
        return CheckpointFiles((weights,), folder=folder)
    shard_of = read_index(weights)
    return CheckpointFiles(tuple(folder / name for name in sorted(set(shard_of.values()))), shard_of, weights, folder)


def _weights_of(folder: Path) -> Path:
    """Return the one file of weights, or the one index, of a folder."""
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    for standard in (".safetensors", ".bin"):
        preferred = [name for name in PREFERRED if name in names and standard in name]
        if len(preferred) > 1:
            raise CheckpointError(f"{folder}: holds {preferred[0]} and {preferred[1]}; name the one that is meant")
        if preferred:
            return folder / preferred[0]

    # Any other names: a folder then holds one index, one safetensors file, or one PyTorch file.
    candidates: list[str] = []
    for endings in (".safetensors" + INDEX_SUFFIX, ".safetensors", SUFFIXES):
        candidates = candidates or [name for name in names if name.endswith(endings)]
    if not candidates:
        raise CheckpointError(f"{folder}: is a folder without weights; a .safetensors file or an index is needed")
    if len(candidates) > 1:
        needed = f"name one of them, such as {folder / candidates[0]}"
        raise CheckpointError(f"{folder}: holds {len(candidates)} files of weights; {needed}")
    return folder / candidates[0]


def read_index(path: Path) -> MappingProxyType[str, str]:
    """Return the file name of each tensor that an index lists; every part of the index is checked."""
    size = path.stat().st_size
    if size > MAX_INDEX_BYTES:
        raise CheckpointError(f"{path}: has {size} bytes; an index has at most {MAX_INDEX_BYTES}")
    try:
        entries = json.loads(path.read_bytes().decode())
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or nested too deeply
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise CheckpointError(f"{path}: is not JSON ({reason}); an index of shards is") from error

    weight_map = entries.get("weight_map") if isinstance(entries, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{path}: is no index of shards; it needs a weight_map from tensors to files")
    for tensor, name in weight_map.items():
        if not isinstance(name, str) or not _is_file_name(name):
            raise CheckpointError(f"{path}: places tensor {tensor!r} in {name!r}; shards must lie beside their index")
    return MappingProxyType(weight_map)


def _is_file_name(name: str) -> bool:
    """Whether a name is a plain file name on every system: no path, no ``..``, no control character."""
    is_plain = PurePosixPath(name).name == name and PureWindowsPath(name).name == name
    return is_plain and name not in ("", ".", "..") and "\0" not in name and name.isprintable()


def other_files(paths: CheckpointFiles) -> tuple[list[Path], list[Path]]:
    """Return a folder's other files, relative to it: those that a copy takes along, and the weights that it leaves out.

    Subfolders count, but for hidden ones and links to folders.
    """
    if paths.folder is None:
        return [], []
    own = {*paths.weights, paths.index}
    others = [file.relative_to(paths.folder) for file in _files_below(paths.folder) if file not in own]
    return [file for file in others if not _holds_weights(file)], [file for file in others if _holds_weights(file)]


def _holds_weights(file: Path) -> bool:
    is_index = ".index." in file.name and file.suffix == ".json"
    return is_index or file.name.endswith((*SUFFIXES, *OTHER_WEIGHTS))


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
