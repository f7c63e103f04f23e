"""Checkpoints: a path on one side, named tensors on the other. The only place that knows file formats."""

from topoimp.checkpoint.header import TensorInfo
from topoimp.checkpoint.reading import Checkpoint, open_checkpoint
from topoimp.checkpoint.staging import Staging
from topoimp.checkpoint.writing import write_arrays, write_like

__all__ = ["Checkpoint", "Staging", "TensorInfo", "open_checkpoint", "write_arrays", "write_like"]
