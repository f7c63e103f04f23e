"""Reading a checkpoint: its header at once, each tensor when it is asked for."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from topoimp.arrays import CodeArray
from topoimp.checkpoint.header import LENGTH_BYTES, HeaderError, TensorInfo, header_length, parse_header
from topoimp.errors import CheckpointError
from topoimp.number_format import NUMBER_FORMATS


@dataclass(frozen=True)
class Checkpoint:
    """A .safetensors file whose header has been read and checked; tensors are read when asked for.

    Args:
        path: where it lies.
        tensors: its tensors by name, in the order of its header.
        metadata: the texts stored under ``__metadata__``.
        data_start: the byte at which the tensors' data begins.
    """

    path: Path
    tensors: MappingProxyType[str, TensorInfo]
    metadata: MappingProxyType[str, str]
    data_start: int

    def read_bytes(self, name: str) -> bytes:
        """Give a tensor's stored bytes.

        Raises:
            CheckpointError: if the file changed under us or cannot be read.
        """
        tensor = self.tensors[name]
        try:
            with self.path.open("rb") as file:
                file.seek(self.data_start + tensor.start)
                data = file.read(tensor.end - tensor.start)
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be read: {error.strerror}") from error
        if len(data) != tensor.end - tensor.start:
            raise CheckpointError(f"{self.path}: tensor {name!r} ends too early; the file changed while it was read")
        return data

    def read_codes(self, name: str) -> CodeArray:
        """Give the stored bits of a floating-point tensor as unsigned integers, flat, read-only."""
        code = NUMBER_FORMATS[self.tensors[name].dtype].code_dtype.newbyteorder("<")
        return np.frombuffer(self.read_bytes(name), dtype=code)


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a .safetensors file: its header is read and checked, no tensor is.

    Raises:
        CheckpointError: if there is no such file, or it is not a whole safetensors file.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise CheckpointError(_about_folder(path))
        with path.open("rb") as file:
            file_bytes = path.stat().st_size
            length = header_length(file.read(LENGTH_BYTES), file_bytes)
            tensors, metadata = parse_header(file.read(length), file_bytes - LENGTH_BYTES - length)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except HeaderError as error:
        raise CheckpointError(f"{path}: {error}") from error
    by_name = {tensor.name: tensor for tensor in tensors}
    return Checkpoint(path, MappingProxyType(by_name), MappingProxyType(metadata), LENGTH_BYTES + length)


def _about_folder(path: Path) -> str:
    weights = sorted(file.name for file in path.glob("*.safetensors"))
    if not weights:
        return f"{path}: is a folder without weights; a .safetensors file is needed"
    return f"{path}: is a folder; name one of the files in it, such as {path / weights[0]}"
