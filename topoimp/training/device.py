"""The device that trains, and the settings of torch under which a recipe gives the same bits again."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from topoimp.errors import OptionError
from topoimp.kernels.threads import available_threads
from topoimp.training.recipes import Recipe


def device_of(device: str) -> str:
    """Return the device that a word names; ``auto`` is CUDA where it exists, else the processor.

    Raises:
        OptionError: if this machine has no such device.
    """
    has_cuda = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if has_cuda else "cpu"
    if device not in ("cpu", "cuda"):
        raise OptionError(f"there is no device {device!r}; known are auto, cpu and cuda")
    if device == "cuda" and not has_cuda:
        raise OptionError("the device is cuda, and this machine has none; the recipe must name cpu")
    return device


@contextmanager
def torch_settings_of(recipe: Recipe) -> Iterator[None]:
    """Apply the recipe's threads and device to torch within the context."""
    n_threads = torch.get_num_threads()
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(min(recipe.threads, available_threads()))
    if recipe.device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS needs it for repeatable sums
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
        torch.use_deterministic_algorithms(is_deterministic)
