"""Which files a checkpoint consists of: a path as a person gives it on one side, files on the other.

A checkpoint is a single file; an index of shards, or the folder that holds it; or a folder with one file of weights,
as Hugging Face libraries write them. Of a folder everything else (configuration, tokenizer) belongs to it too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from topoimp.checkpoint.index import INDEX_SUFFIX, read_index
from topoimp.checkpoint.torch_file import SUFFIXES
from topoimp.errors import CheckpointError

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
"""Files that hold weights too, unpruned ones: a copy of a folder does not take them along."""

PREFERRED = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""What Hugging Face libraries call the weights of a folder."""


@dataclass(frozen=True)
class Found:
    """The files of a checkpoint.

    Args:
        weights: files that hold tensors, in the order of their names.
        placed: by tensor, the name of the file that the index places it in; None without an index.
        index: the index, if there is one.
        folder: the folder that is the checkpoint; None if a single file is.
    """

    weights: tuple[Path, ...]
    placed: MappingProxyType[str, str] | None = None
    index: Path | None = None
    folder: Path | None = None


def find_files(path: Path) -> Found:
    """Give the files of the checkpoint that a path names.

    Raises:
        CheckpointError: if a folder holds no weights, or several, or an index cannot be used.
    """
    if path.is_dir():
        return _in_folder(path, _weights_of(path))
    if path.name.endswith(INDEX_SUFFIX):
        return _in_folder(path.parent, path)
    return Found((path,))


def _in_folder(folder: Path, weights: Path) -> Found:
    if not weights.name.endswith(INDEX_SUFFIX):
        return Found((weights,), folder=folder)
    placed = read_index(weights)
    return Found(tuple(folder / name for name in sorted(set(placed.values()))), placed, weights, folder)


def _weights_of(folder: Path) -> Path:
    """Give the one file of weights, or the one index, of a folder."""
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


def other_files(found: Found) -> tuple[list[Path], list[Path]]:
    """Give what else a folder holds, relative to it: what belongs to a copy, and the weights that do not.

    Subfolders are looked into, but for hidden ones and links to folders.

    Raises:
        CheckpointError: if one of them cannot be read.
    """
    taken: list[Path] = []
    left: list[Path] = []
    if found.folder is not None:
        own = {*found.weights, found.index}
        for file in _files_below(found.folder):
            if file not in own:
                is_index = ".index." in file.name and file.suffix == ".json"
                is_weights = is_index or file.name.endswith(OTHER_WEIGHTS)
                (left if is_weights else taken).append(file.relative_to(found.folder))
    return taken, left


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
