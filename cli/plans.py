"""What ``topoimp prune --dry-run`` shows: the rounds, when floors bind and barcodes change, and what they take."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from topoimp.catalogue import natural
from topoimp.report import Report

from .options import Format
from .output import note, note_left_out, show

if TYPE_CHECKING:
    from topoimp.commands.plan import PruningPlan


def show_plan(
    plan: "PruningPlan",
    format: Format,  # noqa: A002  # the option's word
    show_tables: Callable[[Report], None],
    *,
    quiet: bool,
) -> None:
    """Print the rounds as the pruning would, and say the rest."""
    show(plan.report, format, show_tables)
    note_left_out(plan.report, quiet=quiet)
    for line in _by_round("held at the floor from round", plan.first_bound):
        note(line, quiet=quiet)
    for line in _by_round("the barcode is another from round", plan.first_changed):
        note(line, quiet=quiet)
    if not plan.first_changed:
        note("all barcodes are kept in all rounds", quiet=quiet)
    note("no training between rounds: they equal one shot at the last target", quiet=quiet)
    if plan.recipe:
        note(f"the recipe of these weights is {plan.recipe}", quiet=quiet)
    for path in plan.existing:
        note(f"exists already, --force would replace it: {path}", quiet=quiet)
    sizes = f"about {_size(plan.bytes_to_write)} to write, {_size(plan.peak_memory)} of memory"
    note(f"dry run: nothing was written; {sizes}", quiet=quiet)


def _by_round(what: str, first: Mapping[str, int]) -> list[str]:
    """Give a line for each round, with its layers."""
    names: dict[int, list[str]] = {}
    for name in sorted(first, key=natural):
        names.setdefault(first[name], []).append(name)
    return [f"{what} {number} on: {_some(names[number])}" for number in sorted(names)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


_MOST = 5


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
