"""Roles: layers that do the same in different blocks of a network, found by the numbers in their names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NUMBER = re.compile(r"[0-9]+")
_GROUP = re.compile(r"(.*\[)([0-9]+)(\])", re.DOTALL)

N_OWN = 2
"""Last parts of a name, which are the layer's own: that of its module and that of its tensor."""


@dataclass(frozen=True)
class Place:
    """The place of a layer in a network: its role, and the numbers that stand in its name for the stars of the role."""

    role: str
    numbers: tuple[int, ...]


def roles_of(names: Iterable[str]) -> dict[str, str]:
    """Return the role of each layer by name: the name, with ``*`` for the numbers at which layers of the role differ.

    The numbers are those in the parts of a name that the dots separate, and the number of a group at its end. In the
    last two parts, the names of the layer's module and of its tensor, only a part that is a number and nothing else
    counts: ``fc1.weight`` and ``fc2.weight`` are two roles, ``0.weight`` and ``2.weight`` one. A number that all layers
    of a role share stays, and so does the name of a layer that is the only one of its role.

    >>> roles_of(["layers.0.up_proj.weight", "layers.1.up_proj.weight", "lm_head.weight"])["layers.1.up_proj.weight"]
    'layers.*.up_proj.weight'
    """
    return {name: place.role for name, place in places_of(names).items()}


def places_of(names: Iterable[str]) -> dict[str, Place]:
    """Return the role of each layer by name, as ``roles_of``, with the numbers that its stars stand for.

    The first number is that of the block in most networks; layers of experts or of packed projections have a second. A
    layer that is the only one of its role has none.

    >>> places_of(["layers.0.up_proj.weight", "layers.1.up_proj.weight"])["layers.1.up_proj.weight"]
    Place(role='layers.*.up_proj.weight', numbers=(1,))
    """
    pieces = {name: _pieces(name) for name in names}
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, texts in pieces.items():
        alike.setdefault(texts[::2], []).append(name)

    places: dict[str, Place] = {}
    for members in alike.values():
        turns = list(zip(*(pieces[name] for name in members), strict=True))
        is_star = [len(set(texts)) > 1 for texts in turns]
        role = "".join("*" if star else texts[0] for star, texts in zip(is_star, turns, strict=True))
        for name in members:
            numbers = (int(text) for star, text in zip(is_star, pieces[name], strict=True) if star)
            places[name] = Place(role, tuple(numbers))
    return {name: places[name] for name in pieces}


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
