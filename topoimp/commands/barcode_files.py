"""The files that ``barcode`` writes on request: every bar, vectors, Betti curves, components."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import isnan
from pathlib import Path
from types import MappingProxyType

from topoimp.chance.betti import ExpectedBettiNumbers, expected_betti_curve
from topoimp.checkpoint import AnyPath, Staging
from topoimp.choices import BarConvention, check_seed
from topoimp.commands.barcode_rows import Barcodes
from topoimp.commands.spatial_barcode_rows import SpatialBarcodes
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.reports.rows import Settings
from topoimp.topology.bars import Bars, bars_of, write_bars_csv, write_bars_npz
from topoimp.topology.betti import DEFAULT_LEVELS, BettiNumbers, betti_curve, check_levels
from topoimp.topology.components import components_of, write_components_csv
from topoimp.topology.vectors import VectorSettings, vectors_of, write_vectors

CURVE_COLUMNS = ("layer", "level", "strength", "n_edges", "beta0", "beta1", "beta0_iid", "beta1_iid")

_SUFFIXES = MappingProxyType(
    {"bars": (".csv", ".npz"), "vectors": (".npz",), "curve": (".csv",), "components": (".csv",)}
)


@dataclass(frozen=True)
class BarcodeFiles:
    """The requested files and their settings, which are arguments of ``barcode_report``; checked when it is made."""

    bars: AnyPath | None = None
    bar_convention: BarConvention = BarConvention.SUPERLEVEL
    vectors: AnyPath | None = None
    vector_settings: VectorSettings = field(default_factory=VectorSettings)
    curve: AnyPath | None = None
    levels: Sequence[float] | None = None
    seed: int = 0
    components: AnyPath | None = None

    def __post_init__(self) -> None:
        for role, path in self.by_role().items():
            if path.suffix not in _SUFFIXES[role]:
                raise OptionError(f"`{role}` is {path}; its name must end in {' or '.join(_SUFFIXES[role])}")
        check_levels(self.levels or ())
        check_seed(self.seed)

    def by_role(self) -> dict[str, Path]:
        """Return the requested paths, by argument name."""
        roles = {"bars": self.bars, "vectors": self.vectors, "curve": self.curve, "components": self.components}
        return {role: Path(path) for role, path in roles.items() if path is not None}

    def settings(self) -> Settings:
        """Return the settings of the requested files."""
        settings: Settings = {}
        if self.bars is not None:
            settings["bar_convention"] = self.bar_convention
        if self.vectors is not None:
            settings |= asdict(self.vector_settings)
        if self.curve is not None:
            settings["seed"] = self.seed
            if self.levels is not None:
                settings["levels"] = [repr(float(level)) for level in self.levels]
        return settings

    def write(self, staging: Staging, stream: LayerStream, barcodes: Barcodes | SpatialBarcodes) -> None:
        """Write the requested files under temporary names; bars one graph at a time, as memory is short for all.

        The view ``spatial`` has no curve.
        """
        paths = self.by_role()
        units = barcodes.units
        scale = barcodes.scale
        if "bars" in paths:
            target = staging.partial(paths["bars"])
            bars = _bars(barcodes, self.bar_convention)
            if paths["bars"].suffix == ".npz":
                write_bars_npz(target, bars, units=units, scale=scale, bar_convention=self.bar_convention)
            else:
                write_bars_csv(target, bars)

        if "vectors" in paths:
            settings = self.vector_settings
            birth = next(iter(units.values())).birth
            vectors = [
                (name, vectors_of(bars.intervals(), birth=units[name].birth, settings=settings))
                for name, bars in _bars(barcodes, BarConvention.GUDHI)
            ]
            write_vectors(staging.partial(paths["vectors"]), vectors, scale=scale, birth=birth, settings=settings)

        if "curve" in paths and isinstance(barcodes, Barcodes):
            self._write_curves(staging.partial(paths["curve"]), stream, barcodes)

        if "components" in paths:
            of_graphs = ((name, components_of(forest)) for name, forest in barcodes.graphs())
            write_components_csv(staging.partial(paths["components"]), of_graphs)

    def _write_curves(self, path: Path, stream: LayerStream, barcodes: Barcodes) -> None:
        """Write each layer's Betti numbers at all levels, beside those expected of strengths without structure."""

        def look(layer: Layer, threads: int) -> tuple[BettiNumbers, ExpectedBettiNumbers | None]:
            forest, unit = barcodes.forests[layer.name], barcodes.units[layer.name]
            levels = [unit.birth * share for share in DEFAULT_LEVELS] if self.levels is None else self.levels
            curve = betti_curve(layer, forest, levels, unit=unit, threads=threads)
            return curve, expected_betti_curve(layer, forest, curve.n_edges, seed=self.seed)

        curves = stream.each(look)  # another pass over the layers
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(CURVE_COLUMNS)
            for name, (curve, iid) in curves.items():
                columns = (curve.levels, curve.strengths, curve.n_edges, curve.beta0, curve.beta1)
                unknown = [None] * len(curve.levels)
                by_chance = (unknown, unknown) if iid is None else (iid.beta0.tolist(), iid.beta1.tolist())
                for level, strength, *numbers in zip(*(each.tolist() for each in columns), *by_chance, strict=True):
                    table.writerow([name, level, None if isnan(strength) else strength, *numbers])


def _bars(barcodes: Barcodes | SpatialBarcodes, bar_convention: BarConvention) -> Iterator[tuple[str, Bars]]:
    for name, forest in barcodes.graphs():
        yield name, bars_of(forest, unit=barcodes.units[name], bar_convention=bar_convention)
