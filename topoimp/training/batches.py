"""Images before training: standardised once, augmented batch by batch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from topoimp.data import Images


def standardised(images: Images) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return training and test images, shifted and scaled so that each training channel has mean 0 and deviation 1."""
    mean = images.train_images.mean(axis=(0, 2, 3), dtype=np.float64, keepdims=True)
    deviation = images.train_images.std(axis=(0, 2, 3), dtype=np.float64, keepdims=True)
    deviation[deviation == 0] = 1
    shift = mean.astype(np.float32)
    scale = deviation.astype(np.float32)
    return (images.train_images - shift) / scale, (images.test_images - shift) / scale


_SHIFT = 4
"""Largest shift of an image in augmentation, in pixels, in either direction."""


def augmented(batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return images shifted at random, with zeros at the edges, each mirrored with probability 1/2.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2.
    """
    n, _, height, width = batch.shape
    padded = nn.functional.pad(batch, [_SHIFT] * 4)
    down, right = (torch.from_numpy(rng.integers(0, 2 * _SHIFT + 1, n)).to(batch.device) for _ in range(2))
    rows = (down[:, None] + torch.arange(height, device=batch.device))[:, None, :, None]
    columns = (right[:, None] + torch.arange(width, device=batch.device))[:, None, None, :]
    mirrored = torch.from_numpy(rng.random(n) < 0.5).to(batch.device)[:, None, None, None]
    columns = torch.where(mirrored, columns.flip(3), columns)
    number, channel = (torch.arange(size, device=batch.device) for size in batch.shape[:2])
    return padded[number[:, None, None, None], channel[None, :, None, None], rows, columns]
