"""Writing checkpoints: from arrays, or as a copy of another in which some tensors' bytes are replaced."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from topoimp.checkpoint.header import HeaderError, TensorInfo, format_header
from topoimp.checkpoint.reading import Checkpoint
from topoimp.errors import OutputError

_NAMES = {
    np.dtype(np.float64): "F64",
    np.dtype(np.float32): "F32",
    np.dtype(np.float16): "F16",
    np.dtype(np.uint8): "U8",
}


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays as a checkpoint, in the order given: the same arrays give the same bytes.

    Args:
        path: where; replaced if there. Stage it (``Staging``) to have it appear whole.
        arrays: float64, float32, float16 or uint8 arrays of any shape, by tensor name.
        metadata: texts for ``__metadata__``.
    """
    tensors, start = [], 0
    for name, array in arrays.items():
        tensors.append(TensorInfo(name, _NAMES[array.dtype], array.shape, start, start + array.nbytes))
        start += array.nbytes
    with path.open("wb") as file:
        file.write(format_header(tensors, metadata))
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).data)


def write_like(
    path: Path,
    original: Checkpoint,
    metadata: Mapping[str, str],
    replaced: Mapping[str, Callable[[], np.ndarray]],
) -> None:
    """Write a copy of ``original`` with the same names, order, types and layout, some tensors' bits replaced.

    Args:
        path: where; replaced if there. Stage it (``Staging``) to have it appear whole.
        original: the checkpoint to copy; one tensor at a time is held.
        metadata: keys to add to the original's metadata, which stays as it is otherwise.
        replaced: by tensor name, a function that gives the new bits: as many bytes as the old ones.

    Raises:
        OutputError: if the header would get longer than readers accept.
    """
    tensors = original.tensors.values()
    try:
        header = format_header(list(tensors), {**original.metadata, **metadata})
    except HeaderError as error:
        raise OutputError(f"{original.path}: its copy {error}") from error
    with path.open("wb") as file:
        file.write(header)
        for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)):
            if tensor.name in replaced:
                bits = np.ascontiguousarray(replaced[tensor.name]())
                if bits.nbytes != tensor.end - tensor.start:
                    raise ValueError(f"{tensor.name}: {bits.nbytes} bytes to replace {tensor.end - tensor.start}")
                file.write(bits.data)
            else:
                file.write(original.read_bytes(tensor.name))
