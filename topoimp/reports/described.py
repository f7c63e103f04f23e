"""Columns of each kind, described by their meaning."""

from collections.abc import Callable

from topoimp.reports.cells import Column, Kind


def _of(kind: Kind) -> Callable[[str], Column]:
    return lambda meaning: Column(meaning, kind)


text, flag, index, count, share, number = map(_of, Kind)
