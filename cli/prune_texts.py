"""The texts of options of ``topoimp prune`` in, numbers by pattern of layers and numbers of rounds out."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topoimp.pruning.layer_amounts import LayerSparsities


def parse_layer_rates(texts: list[str] | None) -> dict[str, float]:
    """Return the rates of layers that --layer-rate names, in its order.

    Raises:
        OptionError: if a text is no pattern and rate, or a pattern is named twice.
    """
    return _by_pattern(texts or [], "--layer-rate", "a pattern and a rate, as in 'conv*=0.1'")


def parse_layer_sparsities(texts: list[str] | None) -> "LayerSparsities":
    """Return the sparsities of layers that --layer-sparsity names, in its order, or its file.

    Raises:
        OptionError: if a text is no pattern and sparsity, a pattern is named twice, or a file is not alone.
    """
    if texts and len(texts) == 1 and "=" not in texts[0]:
        return Path(texts[0])
    return _by_pattern(texts or [], "--layer-sparsity", "a pattern and a sparsity, as in 'conv*=0.5', or one file")


def _by_pattern(texts: list[str], flag: str, needed: str) -> dict[str, float]:
    """Return the numbers of texts such as PATTERN=NUMBER, in their order."""
    from topoimp.errors import OptionError

    numbers: dict[str, float] = {}
    for text in texts:
        pattern, _, number = text.rpartition("=")
        if not pattern or not re.fullmatch(r"[0-9]*\.?[0-9]+", number):
            raise OptionError(f"{flag} is {text!r}; it must be {needed}")
        if pattern in numbers:
            raise OptionError(f"{flag} names {pattern!r} twice; name it once")
        numbers[pattern] = float(number)
    return numbers


def parse_rounds(text: str | None) -> list[int]:
    """Return the round numbers that --emit-rounds names.

    Raises:
        OptionError: if the text is no list of numbers.
    """
    from topoimp.errors import OptionError

    parts = [] if text is None else text.split(",")
    if not all(re.fullmatch(r" *[0-9]{1,9} *", part) for part in parts):
        raise OptionError(f"--emit-rounds is {text!r}; it must be round numbers with commas, as in 3,7")
    return [int(part) for part in parts]
