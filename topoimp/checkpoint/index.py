"""Indices of shards: JSON with a ``weight_map`` from tensors to the names of files, which must lie beside the index."""

import json
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType

from topoimp.errors import CheckpointError

MAX_INDEX_BYTES = 100_000_000
"""The limit of a header; the longest known indices have some megabytes."""

_NAME = re.compile(r".+\.index(\.[\w-]+)?\.json")


def is_index(name: str) -> bool:
    """Return whether a name is one of an index, also of a variant: NAME.fp16.index.json or NAME.index.fp16.json."""
    return _NAME.fullmatch(name) is not None


def read_index(path: Path) -> MappingProxyType[str, str]:
    """Return the file name of each tensor that an index lists; every part of the index is checked."""
    size = path.stat().st_size
    if size > MAX_INDEX_BYTES:
        raise CheckpointError(f"{path}: has {size} bytes; an index has at most {MAX_INDEX_BYTES}")
    return parse_index(path.read_bytes(), path)


def parse_index(text: bytes, path: Path) -> MappingProxyType[str, str]:
    """Return the same of the bytes of an index; ``path`` names it in messages."""
    try:
        entries = json.loads(text.decode())
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
