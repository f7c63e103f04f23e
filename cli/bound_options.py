"""Parsing of the shapes that ``topoimp bound`` takes."""

import re

from topoimp.errors import OptionError

from .image_sizes import sides_of


def parse_shapes(texts: list[str]) -> list[tuple[int, ...]]:
    """Return the shapes that texts name, such as ``64x3x3x3``.

    Raises:
        OptionError: if one is not written so.
    """
    for text in texts:
        if not re.fullmatch(r"[0-9]{1,9}(?:x[0-9]{1,9})*", text):
            raise OptionError(
                f"--shape is {text!r}; it must be sizes of up to nine digits with x between them, as in 64x3x3x3"
            )
    return [sides_of(text) for text in texts]
