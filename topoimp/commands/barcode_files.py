"""The files that ``barcode`` writes on request: every bar, vectors, Betti curves."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isnan
from pathlib import Path

from topoimp.chance.betti import ExpectedBettiNumbers, expected_betti_curve
from topoimp.choices import BarConvention, Scale, check_seed
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.reports.columns import Cell
from topoimp.topology.barcode import Unit
from topoimp.topology.bars import Bars, bars_of, write_bars_csv, write_bars_npz
from topoimp.topology.betti import DEFAULT_LEVELS, BettiNumbers, betti_curve, check_levels
from topoimp.topology.forest import Forest
from topoimp.topology.vectors import VectorSettings, vectors_of, write_vectors

CURVE_COLUMNS = ("layer", "level", "strength", "n_edges", "beta0", "beta1", "beta0_iid", "beta1_iid")


@dataclass(frozen=True)
class BarcodeFiles:
    """What is to be written about barcodes, and how.

    Args:
        bars: every bar of every layer, .csv or .npz.
        convention: how bars are written there.
        vectors: landscapes, silhouettes and images, .npz.
        vector_settings: how these are made.
        curve: Betti curves, .csv.
        levels: at which; ``DEFAULT_LEVELS``, as shares of the level of birth, if None.
        seed: of the simulations, where what is to be expected of a curve needs them; at least 0.

    Raises:
        OptionError: if a name does not end as its content asks for, or a level is none.
    """

    bars: Path | None = None
    convention: BarConvention = BarConvention.SUPERLEVEL
    vectors: Path | None = None
    vector_settings: VectorSettings = field(default_factory=VectorSettings)
    curve: Path | None = None
    levels: Sequence[float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check names and levels before anything is looked at."""
        for what, path, suffixes in (
            ("file of bars", self.bars, (".csv", ".npz")),
            ("file of vectors", self.vectors, (".npz",)),
            ("file of Betti curves", self.curve, (".csv",)),
        ):
            if path is not None and path.suffix not in suffixes:
                raise OptionError(f"the {what} is named {path}; its name ends in {' or '.join(suffixes)}")
        check_levels(self.levels or ())
        check_seed(self.seed)

    def by_role(self) -> dict[str, Path]:
        """Give the paths that were asked for, with what they are."""
        roles = {"bars": self.bars, "vectors": self.vectors, "curve": self.curve}
        return {role: path for role, path in roles.items() if path is not None}

    def settings(self) -> dict[str, Cell | Sequence[str]]:
        """Give what a report says of how they were made."""
        settings: dict[str, Cell | Sequence[str]] = {}
        if self.bars is not None:
            settings["bar_convention"] = self.convention
        if self.vectors is not None:
            settings |= asdict(self.vector_settings)
        if self.curve is not None:
            settings["seed"] = self.seed
            if self.levels is not None:
                settings["levels"] = [repr(float(level)) for level in self.levels]
        return settings

    def write_bars(self, path: Path, forests: Mapping[str, Forest], units: Mapping[str, Unit], scale: Scale) -> None:
        """Write every bar: one layer at a time, so that memory does not grow with their number.

        Args:
            path: where to; the name that was asked for says what.
            forests: by layer name.
            units: by layer name.
            scale: what the units are.
        """
        layers = self._bars(forests, units, self.convention)
        if self.bars is not None and self.bars.suffix == ".npz":
            write_bars_npz(path, layers, units=units, scale=scale, convention=self.convention)
        else:
            write_bars_csv(path, layers)

    def write_vectors(self, path: Path, forests: Mapping[str, Forest], units: Mapping[str, Unit], scale: Scale) -> None:
        """Write the vectors of every layer; the arguments are those of ``write_bars``."""
        layers = [
            (name, vectors_of(bars.intervals(), birth=units[name].birth, settings=self.vector_settings))
            for name, bars in self._bars(forests, units, BarConvention.GUDHI)
        ]
        birth = next(iter(units.values())).birth
        write_vectors(path, layers, scale=scale, birth=birth, settings=self.vector_settings)

    def write_curves(
        self, path: Path, stream: LayerStream, forests: Mapping[str, Forest], units: Mapping[str, Unit]
    ) -> None:
        """Write the Betti numbers of every layer at every level, beside those to expect of strengths without structure.

        The layers are looked at once more.
        """

        def look(layer: Layer, threads: int) -> tuple[BettiNumbers, ExpectedBettiNumbers | None]:
            unit = units[layer.name]
            levels = [unit.birth * share for share in DEFAULT_LEVELS] if self.levels is None else self.levels
            curve = betti_curve(layer, forests[layer.name], levels, unit=unit, threads=threads)
            return curve, expected_betti_curve(layer, forests[layer.name], curve.n_edges, seed=self.seed)

        curves = stream.each(look)
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(CURVE_COLUMNS)
            for name, (curve, iid) in curves.items():
                columns = (curve.levels, curve.strengths, curve.n_edges, curve.beta0, curve.beta1)
                unknown = [None] * len(curve.levels)
                by_chance = (unknown, unknown) if iid is None else (iid.beta0.tolist(), iid.beta1.tolist())
                for level, strength, *numbers in zip(*(each.tolist() for each in columns), *by_chance, strict=True):
                    table.writerow([name, level, None if isnan(strength) else strength, *numbers])

    @staticmethod
    def _bars(
        forests: Mapping[str, Forest], units: Mapping[str, Unit], convention: BarConvention
    ) -> Iterator[tuple[str, Bars]]:
        for name, forest in forests.items():
            yield name, bars_of(forest, unit=units[name], convention=convention)
