"""Write checkpoints: from arrays, or as a copy of another whose tensors are written piece by piece."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from topoimp.checkpoint.finding import other_files
from topoimp.checkpoint.header import HeaderError, TensorInfo, format_header, laid_out
from topoimp.checkpoint.reading import Checkpoint
from topoimp.checkpoint.safetensors_file import TensorFile, check_type
from topoimp.checkpoint.torch_writing import TorchWriter, copy_file
from topoimp.errors import CheckpointError, OutputError
from topoimp.kernels.threads import pieces
from topoimp.stores import Address

_NAMES = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "|u1": "U8", "<i8": "I64"}
"""By numpy's description of a type, its name in safetensors."""


class TensorWriter:
    """A safetensors file in the making: its header and its space on the disk come first, its tensors piece by piece.

    An existing file is replaced, or with ``goes_on`` taken as it is, with the same header; a path of ``Staging`` makes
    the file appear whole.

    Raises:
        OutputError: if the header is longer than readers accept.
        OSError: if the file cannot be written; a full disk is met before the first tensor is written.
    """

    def __init__(
        self, path: Path, tensors: Sequence[TensorInfo], metadata: Mapping[str, str], *, goes_on: bool = False
    ) -> None:
        try:
            header = format_header(tensors, metadata)
        except HeaderError as error:
            raise OutputError(f"{path}: {error}") from error
        self._path = path
        self._tensors = {tensor.name: tensor for tensor in tensors}
        self._data_start = len(header)
        self._one_at_a_time = Lock()
        self._descriptor: int | None = None
        if not goes_on:
            self._begin(path, header, tensors)

    def _begin(self, path: Path, header: bytes, tensors: Sequence[TensorInfo]) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            _write_at(descriptor, header, 0)
            n_bytes = len(header) + max((tensor.end for tensor in tensors), default=0)
            if hasattr(os, "posix_fallocate"):  # not on macOS, where a full disk is met later
                os.posix_fallocate(descriptor, 0, n_bytes)
        finally:  # a checkpoint can have more shards than files may be open
            os.close(descriptor)

    def __enter__(self) -> "TensorWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, name: str, start: int, data: np.ndarray) -> None:
        """Write a part of a tensor, from its byte ``start`` on; several threads may write at once."""
        tensor = self._tensors[name]
        if not 0 <= start <= start + data.nbytes <= tensor.end - tensor.start:
            raise ValueError(f"{name}: bytes {start} to {start + data.nbytes} of {tensor.end - tensor.start}")
        octets = data.reshape(-1).view(np.uint8).data
        with self._one_at_a_time:  # the system lets one thread write a file, and others spin
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR)
            _write_at(self._descriptor, octets, self._data_start + tensor.start + start)

    def close(self) -> None:
        """Close the file, after the parts that other threads write; a later ``write`` opens it again."""
        with self._one_at_a_time:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


class CheckpointCopy:
    """A copy of a checkpoint in the making: same names, order, types, layout and files; tensors come piece by piece.

    The copy is a file, or fills an existing folder if the original is one. A PyTorch file becomes a safetensors file,
    or with ``as_torch`` a PyTorch file. ``metadata`` is added to that of each safetensors file. With ``goes_on`` the
    files are there, and only tensors are written into them.

    Raises:
        CheckpointError: if safetensors lacks the type of a tensor, or a PyTorch file cannot be copied as one.
        OutputError, OSError: as ``TensorWriter``.
    """

    def __init__(
        self,
        place: Path,
        original: Checkpoint,
        metadata: Mapping[str, str],
        *,
        as_torch: bool = False,
        goes_on: bool = False,
    ) -> None:
        self._place = place
        self._original = original
        self._as_torch = as_torch
        self._writers: dict[Path, TensorWriter | TorchWriter] = {}
        self._current: TensorWriter | TorchWriter | None = None
        files_of_copy(original)  # refuses two files of one name
        try:
            for file in original.files:
                self._writers[file.path] = self._writer(file, metadata, goes_on=goes_on)
        except BaseException:
            self.close()
            raise

    def _writer(self, file: TensorFile, metadata: Mapping[str, str], *, goes_on: bool) -> TensorWriter | TorchWriter:
        target = self._place if self._original.paths.folder is None else self._place / file.name_as_safetensors
        if self._as_torch and file.loaded is not None:
            return TorchWriter(target, file.path, file.loaded)
        for tensor in file.tensors:
            check_type(tensor, file.path)
        return TensorWriter(target, file.tensors, {**file.metadata, **metadata}, goes_on=goes_on)

    def __enter__(self) -> "CheckpointCopy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, name: str, start: int, data: np.ndarray) -> None:
        """Write a part of a tensor, from its byte ``start`` on; several threads may write one tensor at once."""
        writer = self._writers[self._original.file_of[name].path]
        if self._current is not None and self._current is not writer:
            self._current.close()
        self._current = writer
        writer.write(name, start, data)

    def copy_tensor(self, name: str) -> None:
        """Write a tensor of the original unchanged."""
        if self._as_torch:  # the copy began with it
            return
        tensor = self._original.stored_tensors[name]
        for start, stop in pieces(0, tensor.end - tensor.start):
            self.write(name, start, self._original.stored(name, start, stop))
            self._original.done_with(name, start, stop)

    def copy_other_files(self) -> None:
        """Write the index, and the folder's other files that hold no weights."""
        paths = self._original.paths
        if paths.folder is None:
            return
        if paths.index is not None:
            _copy_index(paths.index, self._original.files, self._place)
        for file in other_files(paths)[0]:
            (self._place / file).parent.mkdir(parents=True, exist_ok=True)
            _copy(paths.folder / file, self._place / file)

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()


def files_of_copy(original: Checkpoint) -> list[str]:
    """Return the files of a folder's copy, relative to it; raise a CheckpointError if two would have one name."""
    paths = original.paths
    names = [file.name_as_safetensors for file in original.files]
    clashing = [name for name in names if names.count(name) > 1]
    if clashing:
        raise CheckpointError(f"{original.path}: two of its files would both become {clashing[0]}")
    index = [] if paths.index is None else [_name_of_index(paths.index, original.files)]
    return [*names, *index, *(str(file) for file in other_files(paths)[0])]


def bytes_of_copy(original: Checkpoint, *, as_torch: bool = False) -> int:
    """Return the approximate bytes of a copy on the disk, without headers of safetensors files."""
    if as_torch:
        return original.path.stat().st_size
    folder = original.paths.folder or Path()
    is_here = not isinstance(folder, Address)  # of a store's other files, which are small, no size is known
    others = sum((folder / file).stat().st_size for file in other_files(original.paths)[0] if is_here)
    return others + sum(tensor.end - tensor.start for tensor in original.stored_tensors.values())


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays as a checkpoint, in the given order: the same arrays give the same bytes.

    The arrays are float64, float32, float16, uint8 or int64. An existing file is replaced.
    """
    shapes = {name: (_NAMES[array.dtype.str], array.shape) for name, array in arrays.items()}
    with TensorWriter(path, laid_out(shapes), metadata) as writer:
        for name, array in arrays.items():
            writer.write(name, 0, np.ascontiguousarray(array))


def _write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    left = memoryview(data)
    while len(left):
        n_written = os.pwrite(descriptor, left, offset)
        left, offset = left[n_written:], offset + n_written


def _copy_index(index: Path, files: Sequence[TensorFile], place: Path) -> None:
    """Copy an index byte by byte, unless PyTorch shards become safetensors files under other names."""
    names = {file.path.name: file.name_as_safetensors for file in files}
    if all(name == new for name, new in names.items()):
        _copy(index, place / index.name)
        return
    entries = json.loads(index.read_bytes())
    entries["weight_map"] = {tensor: names[name] for tensor, name in entries["weight_map"].items()}
    text = json.dumps(entries, indent=2) + "\n"
    (place / _name_of_index(index, files)).write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    """Copy a file of this machine or of a store."""
    if isinstance(source, Address):
        from topoimp.stores.fetching import fetch_whole

        target.write_bytes(fetch_whole(source))
    else:
        copy_file(source, target)


def _name_of_index(index: Path, files: Sequence[TensorFile]) -> str:
    """Return the name of a copy's index: the same, unless PyTorch files become safetensors files."""
    if all(file.path.name == file.name_as_safetensors for file in files):
        return index.name
    stem = "model" if index.name.startswith("pytorch_model") else index.name.partition(".")[0]
    return f"{stem}.safetensors.index.json"
