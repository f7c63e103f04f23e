"""Checkpoints: a path on one side, named tensors on the other; the only place that knows file formats."""

from topoimp.checkpoint.finding import other_files
from topoimp.checkpoint.header import TensorInfo, laid_out
from topoimp.checkpoint.locking import LockState, Owner, locked, owned, owner_of
from topoimp.checkpoint.opening import open_checkpoint, open_checkpoints
from topoimp.checkpoint.reading import Checkpoint, tensors_as_checkpoint
from topoimp.checkpoint.safetensors_file import Advice
from topoimp.checkpoint.staging import Staging, remove
from topoimp.checkpoint.state_dicts import Content
from topoimp.checkpoint.writing import CheckpointCopy, TensorWriter, bytes_of_copy, files_of_copy, write_arrays
from topoimp.stores import Address, AnyPath, as_local, as_place

__all__ = [
    "Address",
    "Advice",
    "AnyPath",
    "Checkpoint",
    "CheckpointCopy",
    "Content",
    "LockState",
    "Owner",
    "Staging",
    "TensorInfo",
    "TensorWriter",
    "as_local",
    "as_place",
    "bytes_of_copy",
    "files_of_copy",
    "laid_out",
    "locked",
    "open_checkpoint",
    "open_checkpoints",
    "other_files",
    "owned",
    "owner_of",
    "remove",
    "tensors_as_checkpoint",
    "write_arrays",
]
