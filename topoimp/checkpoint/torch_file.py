"""PyTorch files, loaded without running any code in them, and torch tensors in memory: both as files of tensors.

Only ``torch.load(weights_only=True)`` opens a file, which builds tensors and plain containers and refuses everything
else. The tensors are laid out as in a safetensors file, because a copy becomes one.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from topoimp.arrays import ByteArray
from topoimp.checkpoint.header import BITS, TensorInfo, is_text, laid_out
from topoimp.checkpoint.safetensors_file import TensorFile, check_type, size_and_time
from topoimp.errors import CheckpointError

if TYPE_CHECKING:
    import torch

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")

STATE_DICT_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "params", "weights")
"""Keys under which training scripts keep the state dict, in the order of the search."""

_ZIP = b"PK\x03\x04"
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""First bytes of a torch.save file before version 1.6: the pickled magic number 0x1950a86a20f9469cfc6c."""

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
        begin = file.read(len(_LEGACY))
    is_safetensors = begin[8:9] == b"{"
    return begin.startswith((_ZIP, _LEGACY)) or (path.suffix in SUFFIXES and not is_safetensors)


def open_torch(path: Path) -> TensorFile:
    """Open a PyTorch file without running any code in it; one with no state dict, or several, is refused."""
    modified = size_and_time(path)
    values, not_tensors = _state_dict(_loaded(path), path)
    for name in values:
        _check_name(name, path)
    return torch_tensors(values, path, not_tensors=tuple(not_tensors), modified=modified)


def torch_tensors(
    values: Mapping[str, "torch.Tensor"],
    path: Path,
    *,
    kept: Mapping[str, "torch.Tensor"] = MappingProxyType({}),
    not_tensors: tuple[str, ...] = (),
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
        not_tensors=not_tensors,
        modified=modified,
    )


def _stored(
    path: Path, values: Mapping[str, "torch.Tensor"], kept: Mapping[str, "torch.Tensor"], tensor: TensorInfo
) -> ByteArray:
    """Return a tensor's bytes as safetensors stores them, read-only; copied only if they are masked or scattered."""
    check_type(tensor, path)
    stored = _bytes_of(values[tensor.name])
    if tensor.name not in kept:
        return stored
    is_kept = _bytes_of(kept[tensor.name])
    return np.multiply(stored.reshape(is_kept.size, -1), is_kept[:, None]).reshape(-1) if stored.size else stored


def _bytes_of(value: "torch.Tensor") -> ByteArray:
    import torch

    value = value.detach().cpu().resolve_conj().resolve_neg()
    stored = value.contiguous().reshape(-1).view(torch.uint8).numpy()
    stored.flags.writeable = False
    return np.asarray(stored)


def _loaded(path: Path) -> object:
    import torch

    is_mappable = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how the file was saved
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_mappable)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_why_refused(str(error))}") from error
    except Exception as error:  # a damaged file can make the loader raise anything
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path}: is no PyTorch file that can be loaded ({first_line})") from error


def _why_refused(reason: str) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", reason) or re.search(r"import of (?:module )?`?([\w.]+)", reason)
    if named:
        needed = "save the state dict alone, torch.save(model.state_dict(), ...), or a safetensors file"
        return f"holds a pickled {named.group(1)}, and loading that could run code; {needed}"
    return f"is refused by torch.load(weights_only=True): {reason.strip().splitlines()[0]}"


def _state_dict(loaded: object, path: Path) -> tuple[dict[str, "torch.Tensor"], list[str]]:
    """Return the tensors by name, and the names of the other content."""
    if not isinstance(loaded, Mapping):
        raise CheckpointError(f"{path}: holds a {type(loaded).__name__}; a state dict, tensors by name, is needed")
    inside = [key for key, value in loaded.items() if _holds_tensors(value) and not _is_tensor(value)]
    known: list[Any] = [key for key in STATE_DICT_KEYS if key in inside]

    # The tensors lie here, not below one of the keys.
    if not known and any(_is_tensor(value) for value in loaded.values()):
        named = list(_flattened(loaded, ""))
        tensors = dict(named)
        if len(tensors) < len(named):
            raise CheckpointError(f"{path}: holds two tensors of one name, once nested names are joined with dots")
        return tensors, [str(key) for key, value in loaded.items() if not _holds_tensors(value)]

    known = known or inside
    if not known:
        raise CheckpointError(f"{path}: holds no tensors by name; a state dict is needed")
    if len(inside) > 1 and known is inside:
        names = ", ".join(map(str, inside))
        raise CheckpointError(f"{path}: holds several sets of tensors ({names}); a file with one state dict is needed")

    tensors, left_behind = _state_dict(loaded[known[0]], path)
    return tensors, [*(str(key) for key in loaded if key != known[0]), *(f"{known[0]}.{key}" for key in left_behind)]


def _flattened(tensors: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, "torch.Tensor"]]:
    for key, value in tensors.items():
        if _is_tensor(value):
            yield f"{prefix}{key}", value
        elif isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _holds_tensors(value: object) -> bool:
    return _is_tensor(value) or (isinstance(value, Mapping) and any(map(_holds_tensors, value.values())))


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
