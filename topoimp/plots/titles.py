"""Titles of panels: names of layers, short enough for a panel, and different where the names are."""

from collections.abc import Sequence

LONGEST_TITLE = 21
"""Characters of a panel's title; more would run into the next panel."""


def panel_titles(names: Sequence[str], most: int = LONGEST_TITLE) -> list[str]:
    """Return a title of at most so many characters for each name; short names stay as they are.

    If one is too long, the parts between dots at which names differ stay, and of the parts that all names share at
    their beginning and end as many as there is room for; dots stand for the others. A title that is still too long
    loses its middle. A name of two lines has a title of two lines.

    >>> panel_titles(["model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight"])
    ['…0.self_attn.q_proj…', '…1.self_attn.q_proj…']
    """
    if any("\n" in name for name in names):
        above, below = ([name.partition("\n")[place] for name in names] for place in (0, 2))
        lines = zip(panel_titles(above, most), panel_titles(below, most), strict=True)
        return ["\n".join(each) for each in lines]
    if all(len(name) <= most for name in names):
        return list(names)
    parts = [name.split(".") for name in names]
    n_first, n_last = _n_shared(parts)

    # Shared parts come back, those at the end before those at the beginning, while all titles have room.
    titles = _without(parts, n_first, n_last)
    for last in range(n_last - 1, -1, -1):
        longer = _without(parts, n_first, last)
        if max(map(len, longer)) <= most:
            titles, n_last = longer, last
    for first in range(n_first - 1, -1, -1):
        longer = _without(parts, first, n_last)
        if max(map(len, longer)) <= most:
            titles = longer
    return [shortened(title, most) for title in titles]


def shortened(name: str, most: int) -> str:
    """Return a name of at most so many characters: the middle of a longer one becomes dots.

    >>> shortened("model.layers.0.self_attn.q_proj.weight", 26)
    'model.layers…q_proj.weight'
    """
    if len(name) <= most:
        return name
    n_first = (most - 1) // 2
    return f"{name[:n_first]}…{name[n_first + 1 - most :]}"


def _n_shared(parts: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return how many first parts, and how many last ones, all names share; one part of each name is left."""
    if len(parts) == 1:
        return 0, 0
    fewest = min(map(len, parts)) - 1
    n_first = next((k for k in range(fewest) if len({each[k] for each in parts}) > 1), fewest)
    fewest -= n_first
    n_last = next((k for k in range(fewest) if len({each[-1 - k] for each in parts}) > 1), fewest)
    return n_first, n_last


def _without(parts: Sequence[Sequence[str]], n_first: int, n_last: int) -> list[str]:
    """Return names without some first and last parts, for which dots stand."""
    inner = [".".join(each[n_first : len(each) - n_last]) for each in parts]
    return [f"{'…' if n_first else ''}{each}{'…' if n_last else ''}" for each in inner]
