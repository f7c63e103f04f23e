"""Parsing of the shapes and images that ``topoimp bound`` takes."""

import re
from typing import TYPE_CHECKING

from topoimp.errors import OptionError

if TYPE_CHECKING:
    from topoimp.pruning.convolution_bound import InputSize

_SIDES = r"[0-9]{1,9}(?:x[0-9]{1,9})*"
_IMAGE = re.compile(rf"({_SIDES})(?::([0-9]{{1,9}}))?(?::([0-9]{{1,9}}|same))?")


def parse_shapes(texts: list[str]) -> list[tuple[int, ...]]:
    """Return the shapes that texts name, such as ``64x3x3x3``.

    Raises:
        OptionError: if one is not written so.
    """
    for text in texts:
        if not re.fullmatch(_SIDES, text):
            raise OptionError(
                f"--shape is {text!r}; it must be sizes of up to nine digits with x between them, as in 64x3x3x3"
            )
    return [_sides(text) for text in texts]


def parse_input_sizes(texts: list[str] | None) -> "dict[str, InputSize]":
    """Return images by pattern from texts such as ``conv1.weight=28x28`` or ``conv*=28x28:2:1`` (stride, padding).

    Raises:
        OptionError: if one is not written so.
    """
    from topoimp.pruning.convolution_bound import InputSize

    sizes = {}
    for text in texts or []:
        pattern, _, image = text.rpartition("=")
        found = _IMAGE.fullmatch(image)
        if not pattern or found is None:
            raise OptionError(
                f"--input-size is {text!r}; it must be a layer and the size of its input, with stride and padding if "
                "they are others than 1 and same, as in conv1.weight=28x28 or conv1.weight=28x28:2:1"
            )
        sides, stride, padding = found.groups()
        sizes[pattern] = InputSize(_sides(sides), int(stride or 1), None if padding in (None, "same") else int(padding))
    return sizes


def _sides(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("x")))
