"""Find the files of a checkpoint: the path of a file, an index of shards or a folder in, its files out.

A checkpoint is a single file; an index of shards, which is JSON; or a folder, of which ``folders`` chooses the file,
the index or the shards. The other files of a folder (configuration, tokenizer) belong to it too.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from topoimp.checkpoint.folders import OTHER_WEIGHTS, weights_of
from topoimp.checkpoint.index import is_index, read_index
from topoimp.checkpoint.torch_file import SUFFIXES
from topoimp.errors import CheckpointError

AnyPath: TypeAlias = str | os.PathLike[str]
"""A path as callers may write it; each public function makes a ``Path`` of it where it enters."""


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
        weights = weights_of(path)
    elif is_index(path.name):
        folder = path.parent
        weights = (path,)
    else:
        return CheckpointFiles((path,))

    index = weights[0]
    if not is_index(index.name):
        return CheckpointFiles(weights, folder=folder)
    shard_of = read_index(index)
    return CheckpointFiles(tuple(folder / name for name in sorted(set(shard_of.values()))), shard_of, index, folder)


def other_files(paths: CheckpointFiles) -> tuple[list[Path], list[Path]]:
    """Return a folder's other files, relative to it: those that a copy takes along, and the weights that it leaves out.

    Subfolders count, but for hidden ones and links to folders. The files that macOS adds, ``._NAME``, are neither.
    """
    if paths.folder is None:
        return [], []
    own = {*paths.weights, paths.index}
    others = [file.relative_to(paths.folder) for file in _files_below(paths.folder) if file not in own]
    return [file for file in others if not _holds_weights(file)], [file for file in others if _holds_weights(file)]


def _holds_weights(file: Path) -> bool:
    return is_index(file.name) or file.name.endswith((*SUFFIXES, *OTHER_WEIGHTS))


def _files_below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            if not entry.name.startswith(".") and not entry.is_symlink():
                yield from _files_below(entry)
        elif entry.is_file() and not entry.name.startswith("._"):
            yield entry
