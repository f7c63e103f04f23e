"""The weights that training starts from: a file in, tensors of torch out."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from topoimp.errors import CheckpointError


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file by name; raise a CheckpointError if it cannot be read."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
