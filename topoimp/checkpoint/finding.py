"""Find the files of a checkpoint: the path of a file, an index of shards or a folder in, its files out.

A checkpoint is a single file; an index of shards, which is JSON; or a folder, of which ``folders`` chooses the file,
the index or the shards. The other files of a folder (configuration, tokenizer) belong to it too.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from topoimp.checkpoint.folders import OTHER_WEIGHTS, weights_of
from topoimp.checkpoint.index import is_index, read_index
from topoimp.checkpoint.torch_file import SUFFIXES
from topoimp.errors import CheckpointError
from topoimp.stores import Address


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of a checkpoint.

    Args:
        weights: the files that hold tensors, in the order of their names.
        shard_of: by tensor, its file's name in the index; None without an index.
        index: the index, or None.
        folder: the folder that is the checkpoint; None for a single file.
        names: of a folder in a store, the names of all files in it and in its subfolders.
    """

    weights: tuple[Path, ...]
    shard_of: MappingProxyType[str, str] | None = None
    index: Path | None = None
    folder: Path | None = None
    names: tuple[str, ...] = ()


def find_files(path: Path) -> CheckpointFiles:
    """Return the files of the checkpoint at a path.

    Raises:
        CheckpointError: if a folder holds no checkpoint, or several, or a path is no file but a pipe or a device.
        OSError: if a file does not exist or cannot be read.
    """
    if path.is_dir():
        folder = path
        weights = weights_of(path)
    elif is_index(path.name):
        folder = path.parent
        weights = (path,)
    else:
        _check_kind(path)
        return CheckpointFiles((path,))

    index = weights[0]
    if not is_index(index.name):
        return CheckpointFiles(weights, folder=folder)
    _check_kind(index)
    found = files_of_index(folder, index, read_index(index))
    for shard in found.weights:
        _check_kind(shard)
    return found


def files_of_index(folder: Path, index: Path, shard_of: MappingProxyType[str, str]) -> CheckpointFiles:
    """Return the files of a checkpoint in a folder, by its index and what that says."""
    shards = tuple(folder / name for name in sorted(set(shard_of.values())))
    return CheckpointFiles(shards, shard_of, index, folder)


def _check_kind(path: Path) -> None:
    """Check that a path is no pipe, whose reader would wait for its writer, and no device or socket."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
        raise CheckpointError(f"{path}: is a {kind}; a checkpoint is a file, of which any part can be read at any time")


def other_files(paths: CheckpointFiles) -> tuple[list[Path], list[Path]]:
    """Return a folder's other files, relative to it: those that a copy takes along, and those that it leaves out.

    Left out are weights, hidden links that lead nowhere, and what is no file, such as a socket. Subfolders count, but
    for hidden ones. A copy of a link is a copy of its target. The files that macOS adds, ``._NAME``, are neither.

    Raises:
        CheckpointError: if a link leads nowhere, or to a folder that it lies in, or a folder cannot be read.
    """
    copied: list[Path] = []
    left_out: list[Path] = []
    if paths.folder is None:
        return copied, left_out

    own = {*paths.weights, paths.index}
    if isinstance(paths.folder, Address):
        for file in (Path(name) for name in paths.names if not _is_hidden(PurePosixPath(name))):
            if paths.folder / file not in own:
                (left_out if _holds_weights(file) else copied).append(file)
        return copied, left_out

    for file in _files_below(paths.folder, [paths.folder.resolve()]):
        if file in own:
            continue
        is_copied = file.is_file() and not _holds_weights(file)
        if not (file.exists() or _holds_weights(file) or file.name.startswith(".")):
            needed = "a copy would lack it; fetch the file, or remove the link"
            raise CheckpointError(f"{file}: is a link to {file.readlink()}, which is not there; {needed}")
        (copied if is_copied else left_out).append(file.relative_to(paths.folder))
    return copied, left_out


def _is_hidden(file: PurePosixPath) -> bool:
    """Whether a file lies in a hidden folder, or is one that macOS adds."""
    return file.name.startswith("._") or any(folder.startswith(".") for folder in file.parts[:-1])


def _holds_weights(file: Path) -> bool:
    return is_index(file.name) or file.name.endswith((*SUFFIXES, *OTHER_WEIGHTS))


def _files_below(folder: Path, above: list[Path]) -> Iterator[Path]:
    """Return everything in a folder and its subfolders that is no folder; ``above`` are the folders that led there."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            if entry.name.startswith("."):
                continue
            place = entry.resolve()
            if place in above:
                raise CheckpointError(f"{entry}: is a link to {place}, which it lies in; a copy would have no end")
            yield from _files_below(entry, [*above, place])
        elif not entry.name.startswith("._"):
            yield entry
