"""The bars of a layer one by one, each with the weight that ends it, and files of them.

A finite bar's generator is the forest's edge that ends it: of equal strengths the first by flat index, as everywhere.
Finite bars come in the order of their generators, strongest first, then essential bars, which have none. There are two
conventions. ``superlevel``: from the level of birth down to strength / scale; an essential bar ends at 0, where absent
edges are counted. ``gudhi``: as GUDHI has them of an increasing filtration, (-birth, -strength / scale); an essential
bar never dies. Bars of length zero are there in both.
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
"""Lines that are written together."""


@dataclass(frozen=True)
class Bars:
    """All bars of a layer; each array has the shape (n_vertices,).

    Args:
        row: of the generator; -1 for an essential bar, as for ``column`` and ``index``.
        column: of the generator.
        index: its flat index.
        strength: its |w|; NaN for an essential bar.
        birth: level of birth, the same for all.
        death: level of death.
        essential: whether the bar is essential.
    """

    row: IndexArray
    column: IndexArray
    index: IndexArray
    strength: FloatArray
    birth: FloatArray
    death: FloatArray
    essential: BoolArray

    def intervals(self) -> FloatArray:
        """Give the finite bars as GUDHI takes a diagram: (birth, death), shape (n, 2)."""
        is_finite = ~self.essential
        return np.stack([self.birth[is_finite], self.death[is_finite]], axis=1)


def bars_of(forest: Forest, *, unit: Unit, convention: BarConvention | str = BarConvention.SUPERLEVEL) -> Bars:
    """Give the bars of a layer.

    Args:
        forest: of the layer.
        unit: what strengths are measured in.
        convention: how bars are written.

    Raises:
        OptionError: if there is no such convention.

    >>> from topoimp.topology.forest import spanning_forest
    >>> from topoimp.layers.layer import as_layer
    >>> bars_of(spanning_forest(as_layer(np.array([[4.0, 1.0], [0.0, 2.0]]))), unit=Unit(1.0, 4.0)).death
    array([1.  , 0.5 , 0.25, 0.  ])
    """
    is_gudhi = chosen(BarConvention, convention) is BarConvention.GUDHI
    none = np.full(forest.n_components, -1)
    nothing = np.full(forest.n_components, np.nan)
    deaths, sign = unit.levels(forest.strengths), -1.0 if is_gudhi else 1.0
    return Bars(
        row=np.concatenate([forest.indices // forest.n_columns, none]),
        column=np.concatenate([forest.indices % forest.n_columns, none]),
        index=np.concatenate([forest.indices, none]),
        strength=np.concatenate([forest.strengths, nothing]),
        birth=np.full(forest.n_vertices, sign * unit.birth),
        death=np.concatenate([sign * deaths, np.full(forest.n_components, np.inf if is_gudhi else 0.0)]),
        essential=np.arange(forest.n_vertices) >= len(forest.indices),
    )


def write_bars_csv(path: Path, layers: Iterable[tuple[str, Bars]]) -> None:
    """Write bars as CSV: layer, row, column, index, strength, birth, death, essential; a line each, full precision.

    What an essential bar has not is blank; a death that never comes is ``inf``.

    Raises:
        OSError: if it cannot be written.
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
    convention: BarConvention,
) -> None:
    """Write bars as .npz: for each layer the arrays of ``Bars``, under names as in ``fc1.weight/death``.

    There are also ``convention`` and ``scale``, the words, and for each layer ``NAME/scale``: what its strengths were
    divided by, NaN without edges.

    Raises:
        OutputError: if a layer's name cannot be one in such a file.
        OSError: if it cannot be written.
    """

    def arrays() -> Iterator[tuple[str, np.ndarray]]:
        yield "convention", np.array(str(convention))
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
