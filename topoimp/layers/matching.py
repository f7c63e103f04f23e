"""Match the names of layers against the patterns of users: globs, and regular expressions after ``re:``.

A glob reads brackets as a choice of letters, but the brackets of a group, as in ``qkv.weight[0]``, are part of its
name. A glob that ends in such brackets and matches no layer is therefore read again with brackets that are letters.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from topoimp.errors import OptionError
from topoimp.layers.records import LayerInfo
from topoimp.layers.wrapped_names import bare_name

_GROUP_AT_END = re.compile(r"(?!re:)(.*)\[([0-9*?]+)\]", re.DOTALL)
"""Globs that may end in the number of a group, or in a wildcard for it."""


def as_meant(pattern: str, infos: Sequence[LayerInfo]) -> str:
    """Return a pattern; if it matches none of the layers, with the brackets of a group at its end as letters.

    >>> as_meant("*qkv*[0]", [])
    '*qkv*[[]0]'
    """
    group = _GROUP_AT_END.fullmatch(pattern)
    if group is None or any(matches_layer(info, pattern) for info in infos):
        return pattern
    return f"{group[1]}[[]{group[2]}]"


def matches_layer(info: LayerInfo, pattern: str) -> bool:
    """Whether a pattern matches a layer: its name, or a name of its tensor, which stands for all groups."""
    return any(matches(name, pattern) for name in (info.name, info.tensor, *info.also))


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern matches a name, with or without what wrappers add; an OptionError if it is no expression."""
    names = dict.fromkeys([name, bare_name(name)])
    if not pattern.startswith("re:"):
        # A glob reads the brackets of a group as a choice.
        return any(each == pattern or fnmatchcase(each, pattern) for each in names)
    try:
        return any(re.search(pattern.removeprefix("re:"), each) is not None for each in names)
    except (re.error, OverflowError, RecursionError) as error:
        raise OptionError(f"pattern {pattern!r} is no regular expression: {error}") from error
