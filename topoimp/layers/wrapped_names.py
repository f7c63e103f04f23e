"""Names that wrappers of a module change: ``module.`` of ``DataParallel`` and ``_orig_mod.`` of ``torch.compile``.

The same network is saved under plain names or under these, so two checkpoints correspond by their bare names.
"""

from collections.abc import Iterable

COMPILED = "_orig_mod"
"""Name under which ``torch.compile`` holds the module that it wraps."""

WRAPPERS = (COMPILED, "module")


def bare_name(name: str) -> str:
    """Return a name without the parts that wrappers add, wherever they stand.

    >>> bare_name("module.encoder._orig_mod.fc.weight")
    'encoder.fc.weight'
    """
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def matched_names(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Return, by each of some names, the one of the others that means the same tensor; names without one are left out.

    Equal names match first. Of the rest, those match whose bare name is the only one of its kind on both sides.

    >>> matched_names(["fc1.weight", "fc2.weight"], ["module.fc1.weight", "fc2.weight"])
    {'fc2.weight': 'fc2.weight', 'fc1.weight': 'module.fc1.weight'}
    """
    ours, theirs = dict.fromkeys(names), dict.fromkeys(others)
    found = {name: name for name in ours if name in theirs}

    rest = _by_bare_name(name for name in ours if name not in found)
    other_rest = _by_bare_name(name for name in theirs if name not in found)
    for bare, candidates in rest.items():
        if len(candidates) == len(other_rest.get(bare, [])) == 1:
            found[candidates[0]] = other_rest[bare][0]
    return found


def _by_bare_name(names: Iterable[str]) -> dict[str, list[str]]:
    by_bare_name: dict[str, list[str]] = {}
    for name in names:
        by_bare_name.setdefault(bare_name(name), []).append(name)
    return by_bare_name
