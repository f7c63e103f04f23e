"""The image that each convolution of a network sees: its sides, after the strides and poolings before it.

A convolution maps a side n to floor((n + 2 padding - kernel) / stride) + 1, a pooling to floor(n / 2). The shortcut of
a block sees the image that the block sees.
"""

from topoimp.architectures.architecture import Architecture
from topoimp.architectures.parts import Block, Convolution, Operation
from topoimp.choices import SpatialConvention
from topoimp.layers.spatial import InputSize

Sides = tuple[int, int]
"""Height and width."""


def seen_images(architecture: Architecture, convention: SpatialConvention) -> dict[str, InputSize]:
    """Return, by the name of its weight, the image that each convolution sees, in the order of the weights.

    Args:
        architecture: without convolutions, nothing is returned.
        convention: with ``balwani``, a strided convolution has stride 1 over an image of its output's size, and
            shortcuts are left out.

    Source: ``balwani`` is the reading that gives the figures of table 1 of Balwani & Krzyston, PMLR 196, 2022.

    >>> from topoimp.architectures import parse_architecture
    >>> list(seen_images(parse_architecture("lenet-5"), SpatialConvention.EXACT).items())[1]
    ('conv2.weight', InputSize(sides=(12, 12), stride=1, padding=0))
    """
    if architecture.image is None:
        return {}
    sides = architecture.image[1:]
    seen: dict[str, InputSize] = {}
    for name, part in architecture.parts.items():
        match part:
            case Convolution():
                seen[f"{name}.weight"] = _seen(part, sides, convention)
                sides = _output(part, sides)
            case Block():
                images, sides = _of_block(part, sides, convention)
                seen |= {f"{name}.{layer}.weight": image for layer, image in images.items()}
            case Operation.POOL:
                sides = sides[0] // 2, sides[1] // 2
    return seen


def _of_block(block: Block, sides: Sides, convention: SpatialConvention) -> tuple[dict[str, InputSize], Sides]:
    """Return the images in a block by the names of its convolutions, and the sides of its output."""
    shortcut = {} if convention is SpatialConvention.BALWANI else block.shortcut()
    images = {
        f"shortcut.{name}": _seen(part, sides, convention)
        for name, part in shortcut.items()
        if isinstance(part, Convolution)
    }

    seen: dict[str, InputSize] = {}
    for name, part in block.body().items():
        if isinstance(part, Convolution):
            seen[name] = _seen(part, sides, convention)
            sides = _output(part, sides)
    return {**seen, **images}, sides


def _seen(part: Convolution, sides: Sides, convention: SpatialConvention) -> InputSize:
    if part.stride > 1 and convention is SpatialConvention.BALWANI:
        return InputSize(_output(part, sides), padding=part.side // 2)  # as many outputs as inputs: sides are odd
    return InputSize(sides, part.stride, part.padding)


def _output(part: Convolution, sides: Sides) -> Sides:
    height, width = ((side + 2 * part.padding - part.side) // part.stride + 1 for side in sides)
    return height, width
