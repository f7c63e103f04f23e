"""Titles of panels: names of layers, short enough for a panel, and different where the names are."""

from collections import Counter
from collections.abc import Iterable, Sequence

LONGEST_TITLE = 21
"""Characters of a panel's title; more would run into the next panel."""

_FEWEST_OF_A_PART = 4
"""Characters that a part between two dots keeps where it is shortened."""


def panel_titles(names: Sequence[str], most: int = LONGEST_TITLE) -> list[str]:
    """Return a title of at most so many characters, at least 10, for each name; short names stay as they are.

    If one is too long, the parts between dots at which names differ stay, and of the parts that all names share at
    their beginning and end as many as there is room for; dots stand for the others. A title that is still too long
    loses its middle. If two titles are then equal, short names stay, and the others are shortened among themselves: to
    their last parts, and where these are equal, with the parts at which they differ. Different names have different
    titles in any case, in the end by numbers. Names of two lines have titles of two lines, each different where the
    lines are.

    >>> panel_titles(["model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight"])
    ['…0.self_attn.q_proj…', '…1.self_attn.q_proj…']
    """
    if any("\n" in name for name in names):
        above, below = ([name.partition("\n")[place] for name in names] for place in (0, 2))
        lines = zip(panel_titles(above, most), panel_titles(below, most), strict=True)
        return ["\n".join(each) for each in lines]
    if all(len(name) <= most for name in names):
        return list(names)

    different = list(dict.fromkeys(names))
    long = [name for name in different if len(name) > most]
    short = {name: name for name in different if len(name) <= most}
    titles = dict(zip(different, _without_shared_parts(different, most), strict=True))
    if not _differ(titles.values()):
        titles = short | dict(zip(long, _without_shared_parts(long, most), strict=True))
    if not _differ(titles.values()):
        titles = short | dict(zip(long, _endings(long, most), strict=True))
    if not _differ(titles.values()):
        titles = short | _numbered(long, short, most)
    return [titles[name] for name in names]


def own_endings(names: Sequence[str]) -> list[str]:
    """Return of each of some different names the fewest last parts between dots by which it differs from the others.

    Last parts that all names share are left out.

    >>> own_endings(["h.*.q_proj.weight", "h.*.mlp.up.weight", "h.*.attn.up.weight", "lm_head.weight"])
    ['q_proj', 'mlp.up', 'attn.up', 'lm_head']
    """
    parts = [name.split(".") for name in names]
    _, n_shared = _n_shared(parts)
    own = [each[: len(each) - n_shared] for each in parts]
    lengths = range(1, max(map(len, own), default=0) + 1)
    endings = [[".".join(each[-length:]) for each in own] for length in lengths]
    counts = [Counter(of_length) for of_length in endings]
    return [
        next(
            of_length[k]
            for length, of_length, count in zip(lengths, endings, counts, strict=True)
            if count[of_length[k]] == 1 or length >= len(each)
        )
        for k, each in enumerate(own)
    ]


def shortened(name: str, most: int) -> str:
    """Return a name of at most so many characters: the middle of a longer one becomes dots.

    >>> shortened("model.layers.0.self_attn.q_proj.weight", 26)
    'model.layers…q_proj.weight'
    """
    if len(name) <= most:
        return name
    n_first = (most - 1) // 2
    return f"{name[:n_first]}…{name[n_first + 1 - most :]}"


def _differ(titles: Iterable[str]) -> bool:
    titles = list(titles)
    return len(set(titles)) == len(titles)


def _without_shared_parts(names: Sequence[str], most: int) -> list[str]:
    """Return the names without the parts that all share at their beginning and end, as far as there is no room."""
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


def _endings(names: Sequence[str], most: int) -> list[str]:
    """Return the last parts of each name, and of names that end alike the parts at which they differ."""
    alike: dict[str, list[str]] = {}
    for name in names:
        parts = name.split(".")
        endings = (_without([parts], n_first, 0)[0] for n_first in range(len(parts)))
        ending = next((each for each in endings if len(each) <= most), shortened(name, most))
        alike.setdefault(ending, []).append(name)

    titles: dict[str, str] = {}
    for ending, members in alike.items():
        own = [ending] if len(members) == 1 else _branches(members, most)
        titles |= zip(members, own, strict=True)
    return [titles[name] for name in names]


def _branches(names: Sequence[str], most: int) -> list[str]:
    """Return of each name the parts at which others that begin alike go on differently, shortened to fit."""
    nexts: dict[tuple[str, ...], set[str | None]] = {}
    for name in names:
        parts = name.split(".")
        for k in range(len(parts) + 1):
            nexts.setdefault(tuple(parts[:k]), set()).add(parts[k] if k < len(parts) else None)

    titles = []
    for name in names:
        parts = name.split(".")
        is_kept = [len(nexts[tuple(parts[:k])]) > 1 for k in range(len(parts))]

        # The last parts of a name say what the layer does, so they are added first, while there is room.
        for k in range(len(parts) - 1, -1, -1):
            longer = [*is_kept[:k], True, *is_kept[k + 1 :]]
            if len(_kept(parts, longer)) <= most:
                is_kept = longer

        # Long parts become shorter, all to one length, while the title has no room.
        lengths = range(max(map(len, parts)), _FEWEST_OF_A_PART - 1, -1)
        shorter = (_kept([shortened(part, length) for part in parts], is_kept) for length in lengths)
        titles.append(next((title for title in shorter if len(title) <= most), shortened(name, most)))
    return titles


def _kept(parts: Sequence[str], is_kept: Sequence[bool]) -> str:
    """Return the parts that are kept, between dots; one sign stands for each run of the others."""
    text = ".".join(part if keep else "…" for part, keep in zip(parts, is_kept, strict=True))
    while "….…" in text:
        text = text.replace("….…", "…")
    return text.replace(".…", "…").replace("….", "…")


def _numbered(names: Sequence[str], taken: Iterable[str], most: int) -> dict[str, str]:
    """Return the names, shortened, each with a number that makes it different from all others and from those taken."""
    titles: dict[str, str] = {}
    used = set(taken)
    for name in names:
        number = 1
        while (title := shortened(name, most - len(f" #{number}")) + f" #{number}") in used:
            number += 1
        used.add(title)
        titles[name] = title
    return titles
