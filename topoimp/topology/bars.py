"""The bars of a layer one by one, each with its generator (the forest edge that ends it), and files of them.

Finite bars come in the order of their generators, strongest first, then essential bars, which have none. Bars of length
zero are included. The convention ``superlevel`` counts from the level of birth down to strength / scale, and ends an
essential bar at 0, the strength of absent edges. ``gudhi`` is GUDHI's increasing filtration, (-birth, -strength /
scale), where an essential bar never dies.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path

import numpy as np

from topoimp.arrays import BoolArray, FloatArray, IndexArray
from topoimp.choices import BarConvention, Scale, chosen
from topoimp.topology.barcode import Unit
from topoimp.topology.forest import Forest
from topoimp.topology.npz_file import write_npz

_TOGETHER = 1 << 14
"""Lines written at a time."""


@dataclass(frozen=True)
class Bars:
    """All bars of a layer; each array has the shape (n_vertices,).

    ``row``, ``column``, flat ``index`` and ``strength`` (|w|) are those of the generator: -1, and NaN, for an essential
    bar. All bars are born at the same level.
    """

    row: IndexArray
    column: IndexArray
    index: IndexArray
    strength: FloatArray
    birth: FloatArray
    death: FloatArray
    essential: BoolArray

    def intervals(self) -> FloatArray:
        """Return the finite bars as GUDHI's diagram: (birth, death), shape (n, 2)."""
        is_finite = ~self.essential
        return np.stack([self.birth[is_finite], self.death[is_finite]], axis=1)


def bars_of(forest: Forest, *, unit: Unit, bar_convention: BarConvention | str = BarConvention.SUPERLEVEL) -> Bars:
    """Return the bars of a layer, at the levels of ``unit``.

    >>> from topoimp.topology.forest import spanning_forest
    >>> from topoimp.layers.layer import as_layer
    >>> bars_of(spanning_forest(as_layer(np.array([[4.0, 1.0], [0.0, 2.0]]))), unit=Unit(1.0, 4.0)).death
    array([1.  , 0.5 , 0.25, 0.  ])
    """
    is_gudhi = chosen(BarConvention, bar_convention) is BarConvention.GUDHI
    sign = -1.0 if is_gudhi else 1.0
    deaths = unit.levels(forest.strengths)
    no_index = np.full(forest.n_components, -1)
    no_strength = np.full(forest.n_components, np.nan)

    return Bars(
        row=np.concatenate([forest.indices // forest.n_columns, no_index]),
        column=np.concatenate([forest.indices % forest.n_columns, no_index]),
        index=np.concatenate([forest.indices, no_index]),
        strength=np.concatenate([forest.strengths, no_strength]),
        birth=np.full(forest.n_vertices, sign * unit.birth),
        death=np.concatenate([sign * deaths, np.full(forest.n_components, np.inf if is_gudhi else 0.0)]),
        essential=np.arange(forest.n_vertices) >= len(forest.indices),
    )


def write_bars_csv(path: Path, layers: Iterable[tuple[str, Bars]]) -> None:
    """Write bars as CSV: layer, row, column, index, strength, birth, death, essential; a line each, full precision.

    Fields that an essential bar lacks are blank; an infinite death is ``inf``.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["layer", *(field.name for field in fields(Bars))])
        for name, bars in layers:
            for start in range(0, len(bars.index), _TOGETHER):
                table.writerows(_lines(name, bars, start))


def write_bars_npz(
    path: Path,
    layers: Iterable[tuple[str, Bars]],
    *,
    units: Mapping[str, Unit],
    scale: Scale,
    bar_convention: BarConvention,
) -> None:
    """Write bars as .npz: for each layer the arrays of ``Bars``, under names as in ``fc1.weight/death``.

    The file also holds the words ``convention`` and ``scale``, and for each layer the divisor of its strengths,
    ``NAME/scale``: NaN without edges. A name with NUL is an ``OutputError``.
    """

    def arrays() -> Iterator[tuple[str, np.ndarray]]:
        yield "convention", np.array(str(bar_convention))
        yield "scale", np.array(str(scale))
        for name, bars in layers:
            divisor = units[name].divisor
            yield f"{name}/scale", np.array(np.nan if divisor is None else divisor)
            for field in fields(Bars):
                yield f"{name}/{field.name}", getattr(bars, field.name)

    write_npz(path, arrays())


def _lines(name: str, bars: Bars, start: int) -> Iterator[list[str | int | float | None]]:
    columns = [getattr(bars, field.name)[start : start + _TOGETHER].tolist() for field in fields(Bars)]
    for row, column, index, strength, birth, death, essential in zip(*columns, strict=True):
        if essential:
            yield [name, None, None, None, None, birth, death if isfinite(death) else "inf", "true"]
        else:
            yield [name, row, column, index, strength, birth, death, "false"]
