"""Layers in a row, with the operations between them: dense layers, and stages of convolutions."""

from itertools import pairwise

from topoimp.architectures.parts import Convolution, Dense, Norm, Operation, Part

Stages = tuple[tuple[int, ...], ...]
"""Output channels of each convolution, by stage; the image is halved after each stage."""


def dense_parts(widths: list[int]) -> dict[str, Part]:
    """Return fully connected layers ``fc1``, ``fc2``, ... of these widths, input first, with ReLU between them."""
    parts: dict[str, Part] = {}
    for number, (n_in, n_out) in enumerate(pairwise(widths), 1):
        parts |= {f"fc{number}": Dense(n_in, n_out), f"fc{number}_relu": Operation.RELU}
    parts.popitem()  # the outputs of the last layer are scores of either sign
    return parts


def stage_parts(n_in: int, stages: Stages, *, normed: bool) -> dict[str, Part]:
    """Return 3 x 3 convolutions numbered from 1, with ReLU after each and pooling after each stage."""
    parts: dict[str, Part] = {}
    number = 0
    for stage, channels in enumerate(stages, 1):
        for n_out in channels:
            number += 1
            parts[f"conv{number}"] = Convolution(n_in, n_out)
            if normed:
                parts[f"norm{number}"] = Norm(n_out)
            parts[f"conv{number}_relu"] = Operation.RELU
            n_in = n_out
        parts[f"pool{stage}"] = Operation.POOL
    return parts
