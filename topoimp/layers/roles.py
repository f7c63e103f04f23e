"""Roles: layers that do the same in different blocks of a network, found by the numbers in their names."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"[0-9]+")
_GROUP = re.compile(r"(.*\[)([0-9]+)(\])", re.DOTALL)

N_OWN = 2
"""Last parts of a name, which are the layer's own: that of its module and that of its tensor."""


def roles_of(names: Iterable[str]) -> dict[str, str]:
    """Return the role of each layer by name: the name, with ``*`` for the numbers at which layers of the role differ.

    The numbers are those in the parts of a name that the dots separate, and the number of a group at its end. In the
    last two parts, the names of the layer's module and of its tensor, only a part that is a number and nothing else
    counts: ``fc1.weight`` and ``fc2.weight`` are two roles, ``0.weight`` and ``2.weight`` one. A number that all layers
    of a role share stays, and so does the name of a layer that is the only one of its role.

    >>> roles_of(["layers.0.up_proj.weight", "layers.1.up_proj.weight", "lm_head.weight"])["layers.1.up_proj.weight"]
    'layers.*.up_proj.weight'
    """
    pieces = {name: _pieces(name) for name in names}
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, texts in pieces.items():
        alike.setdefault(texts[::2], []).append(name)

    roles: dict[str, str] = {}
    for members in alike.values():
        role = "".join(
            texts[0] if len(set(texts)) == 1 else "*" for texts in zip(*(pieces[name] for name in members), strict=True)
        )
        roles |= dict.fromkeys(members, role)
    return {name: roles[name] for name in pieces}


def _pieces(name: str) -> tuple[str, ...]:
    """Cut a name at its numbers: text and number in turns, text at both ends."""
    group = _GROUP.fullmatch(name)
    if group is not None:
        return (*_pieces(group[1]), group[2], group[3])

    parts = name.split(".")
    pieces = [""]
    for place, part in enumerate(parts):
        found = re.split("([0-9]+)", part)
        if place >= len(parts) - N_OWN and not _NUMBER.fullmatch(part):
            found = [part]
        pieces = [*pieces[:-1], pieces[-1] + ("." if place else "") + found[0], *found[1:]]
    return tuple(pieces)
