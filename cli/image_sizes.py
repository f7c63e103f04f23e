"""Sizes in texts of options, such as ``28x28``, in; numbers out."""

import re
from typing import TYPE_CHECKING

from topoimp.errors import OptionError

if TYPE_CHECKING:
    from topoimp.layers.spatial import InputSize

_SIDES = r"[0-9]{1,9}(?:x[0-9]{1,9})*"
_IMAGE = re.compile(rf"({_SIDES})(?::([0-9]{{1,9}}))?(?::([0-9]{{1,9}}|same))?")


def parse_input_sizes(texts: list[str] | None) -> "tuple[tuple[str, InputSize], ...]":
    """Return images by pattern from texts such as ``conv1.weight=28x28`` or ``conv*=28x28:2:1`` (stride, padding).

    Raises:
        OptionError: if one is not written so.
    """
    from topoimp.layers.spatial import InputSize

    sizes = []
    for text in texts or []:
        pattern, _, image = text.rpartition("=")
        found = _IMAGE.fullmatch(image)
        if not pattern or found is None:
            raise OptionError(
                f"--input-size is {text!r}; it must be a layer and the size of its input, with stride and padding if "
                "they are others than 1 and same, as in conv1.weight=28x28 or conv1.weight=28x28:2:1"
            )
        sides, stride, padding = found.groups()
        size = InputSize(sides_of(sides), int(stride or 1), None if padding in (None, "same") else int(padding))
        sizes.append((pattern, size))
    return tuple(sizes)


def parse_image(text: str | None) -> tuple[int, ...] | None:
    """Return the sizes of a text such as ``28x28`` or ``32x32x3``; None if there is no text.

    Raises:
        OptionError: if it is not written so.
    """
    if text is not None and re.fullmatch(r"[0-9]{1,9}(x[0-9]{1,9}){1,2}", text, re.ASCII) is None:
        raise OptionError(f"--image is {text!r}; it must be HxW or HxWxC, as in 28x28 or 32x32x3")
    return None if text is None else sides_of(text)


def sides_of(text: str) -> tuple[int, ...]:
    """Return the sizes that a text such as ``64x3x3x3`` lists."""
    return tuple(map(int, text.split("x")))
