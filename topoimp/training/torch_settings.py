"""How torch computes: on which device, with how many threads, and so that it repeats itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from topoimp.errors import OptionError
from topoimp.kernels.threads import available_threads
from topoimp.training.recipes import Recipe


def device_of(device: str) -> str:
    """Give the device that a word means: ``auto`` is CUDA where there is any.

    Raises:
        OptionError: if there is no such device.
    """
    has_cuda = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if has_cuda else "cpu"
    if device not in ("cpu", "cuda"):
        raise OptionError(f"there is no device {device!r}; known are auto, cpu and cuda")
    if device == "cuda" and not has_cuda:
        raise OptionError("the device is cuda, and there is none here; the recipe must say cpu")
    return device


@contextmanager
def as_the_recipe_says(recipe: Recipe) -> Iterator[None]:
    """Have torch compute as the recipe says, and as it did before once that is over."""
    before, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(min(recipe.threads, available_threads()))
    if recipe.device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS does not repeat its sums
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(deterministic)
