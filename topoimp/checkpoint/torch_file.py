"""PyTorch files, loaded without running any code in them, and torch tensors in memory: both as files of tensors.

The tensors are laid out as in a safetensors file, because a copy becomes one.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.checkpoint.header import BITS, TensorInfo, is_text, laid_out
from topoimp.checkpoint.safe_pickles import load_safely
from topoimp.checkpoint.safetensors_file import TensorFile, check_type, size_and_time
from topoimp.checkpoint.state_dicts import Content, find_state_dict
from topoimp.checkpoint.torch_layout import LoadedFile, is_plain
from topoimp.checkpoint.torch_storages import LEGACY
from topoimp.errors import CheckpointError

if TYPE_CHECKING:
    import torch

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")

MAX_REPEATED = 1 << 26
"""Bytes of a tensor that repeats its numbers; a few numbers of strides can ask for any number of them."""

_ZIP = b"PK\x03\x04"

_NAMES = (
    "bool:BOOL uint8:U8 int8:I8 uint16:U16 int16:I16 uint32:U32 int32:I32 uint64:U64 int64:I64 float64:F64 float32:F32 "
    "float16:F16 bfloat16:BF16 complex64:C64 float8_e4m3fn:F8_E4M3 float8_e5m2:F8_E5M2 float8_e4m3fnuz:F8_E4M3FNUZ "
    "float8_e5m2fnuz:F8_E5M2FNUZ float8_e8m0fnu:F8_E8M0"
)
_DTYPES = MappingProxyType(dict(names.split(":") for names in _NAMES.split()))
"""By torch's name of a type, that of safetensors."""


def is_torch_file(path: Path) -> bool:
    """Return whether a file is one of PyTorch's: by its first bytes, or else by its name."""
    with path.open("rb") as file:
        begin = file.read(len(LEGACY))
    is_safetensors = begin[8:9] == b"{"
    return begin.startswith((_ZIP, LEGACY)) or (path.suffix in SUFFIXES and not is_safetensors)


def open_torch(path: Path, key: str | None = None, content: Content = Content.WEIGHTS) -> TensorFile:
    """Open a PyTorch file without running any code in it, and read its state dict or mask, or the one below ``key``.

    Raises:
        CheckpointError: if the file is no PyTorch file that is safe to load, or holds no state dict, or several.
        OptionError: if there is no state dict below ``key``.
    """
    modified = size_and_time(path)
    loaded, storages, named = load_safely(path)
    found = find_state_dict(loaded, path, key, content)
    addresses = {storage.data_ptr() for storage in storages}
    for name, value in found.tensors.items():
        _check_name(name, path)
        if is_plain(value) and value.numel() and value.untyped_storage().data_ptr() not in addresses:
            raise CheckpointError(f"{path}: has no numbers of tensor {name!r}; it is damaged")

    file = torch_tensors(found.tensors, path, modified=modified)
    layout = LoadedFile(found.tensors, storages, named)
    return replace(file, key=found.key, other_keys=found.other_keys, not_tensors=found.not_tensors, loaded=layout)


def torch_tensors(
    values: Mapping[str, "torch.Tensor"],
    path: Path,
    *,
    kept: Mapping[str, "torch.Tensor"] = MappingProxyType({}),
    modified: tuple[int, int] | None = None,
) -> TensorFile:
    """Return torch tensors, read at the time of each call, as those of a file, laid out one after the other.

    By tensor, ``kept`` has a mask as booleans, in its shape and on its device; a weight that is not kept reads as 0.
    """
    shapes = {
        name: (_type_name(value), () if value.is_nested else tuple(value.shape)) for name, value in values.items()
    }
    tensors = tuple(laid_out(shapes))

    ties = {}
    first_at: dict[object, str] = {}
    for tensor in tensors:
        place = _place(values[tensor.name]) if tensor.dtype in BITS else None
        if place is not None and first_at.setdefault(place, tensor.name) != tensor.name:
            ties[tensor.name] = first_at[place]

    return TensorFile(
        path=path,
        tensors=tensors,
        metadata=MappingProxyType({"format": "pt"}),  # a copy has them too, and transformers needs them
        stored=partial(_stored, path, values, kept),
        name_as_safetensors=f"{re.sub('^pytorch_model', 'model', path.stem)}.safetensors",
        ties=MappingProxyType(ties),
        modified=modified,
    )


def _stored(
    path: Path,
    values: Mapping[str, "torch.Tensor"],
    kept: Mapping[str, "torch.Tensor"],
    tensor: TensorInfo,
    start: int,
    stop: int,
) -> ByteArray:
    """Return a tensor's bytes from ``start`` to ``stop``, as safetensors stores them, read-only.

    The tensor is copied only if it is masked or scattered.
    """
    check_type(tensor, path)
    _check_repeats(tensor, values[tensor.name], path)
    stored = _bytes_of(values[tensor.name])
    if tensor.name not in kept:
        return stored[start:stop]
    is_kept = _bytes_of(kept[tensor.name])
    masked = np.multiply(stored.reshape(is_kept.size, -1), is_kept[:, None]) if stored.size else stored
    return masked.reshape(-1)[start:stop]


def _check_repeats(tensor: TensorInfo, value: "torch.Tensor", path: Path) -> None:
    """Check that a tensor that repeats its numbers, as an expanded one does, does not grow out of all proportion."""
    n_bytes = tensor.end - tensor.start
    if n_bytes > max(value.untyped_storage().nbytes(), MAX_REPEATED):
        found = f"repeats {value.untyped_storage().nbytes()} bytes to {n_bytes}"
        raise CheckpointError(f"{path}: tensor {tensor.name!r} {found}; at most {MAX_REPEATED} bytes are read so")


def _bytes_of(value: "torch.Tensor") -> ByteArray:
    import torch

    value = value.detach().cpu().resolve_conj().resolve_neg()
    stored = value.contiguous().reshape(-1).view(torch.uint8).numpy()
    stored.flags.writeable = False
    return np.asarray(stored)


def _type_name(value: "torch.Tensor") -> str:
    """Return safetensors' name of a tensor's type, or torch's name if safetensors has no such type."""
    import torch

    name = str(value.dtype).removeprefix("torch.")
    if value.is_nested or value.is_meta:
        return f"{'nested' if value.is_nested else 'meta'} {name}"
    if value.layout is not torch.strided or value.is_quantized:
        return f"{str(value.layout).removeprefix('torch.')} {name}"
    return _DTYPES.get(name, name)


def _check_name(name: str, path: Path) -> None:
    if not is_text(name):
        raise CheckpointError(f"{path}: names a tensor {name!r}, which is not Unicode text")
    if name == "__metadata__":
        raise CheckpointError(f"{path}: names a tensor '__metadata__', which safetensors keeps for itself")


def _place(value: "torch.Tensor") -> object:
    """Return a key that two tensors share if and only if they are the same numbers in the same memory."""
    if value.numel() == 0:
        return None
    return value.untyped_storage().data_ptr(), value.storage_offset(), value.shape, value.stride(), value.dtype
