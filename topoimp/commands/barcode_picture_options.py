"""The options of the figures of ``barcode``, which only some of them have."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from topoimp.chance.curves import check_null
from topoimp.chance.null import NULLS_OF_EDGES, Null, parse_null
from topoimp.choices import BarConvention
from topoimp.errors import OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.reports.rows import Settings

BESIDE_CHANCE = ("diagram", "betti-curves")
"""The figures that show a null model."""


@dataclass(frozen=True)
class PictureOptions:
    """Options of single figures; checked when they are made.

    Args:
        null: a null model that is simulated, beside deaths and Betti curves; None for none.
        seed: seed of all simulations.
        bar_convention: form of the bars in a diagram.

    Raises:
        OptionError: if there is no such null model, or it is not simulated.
    """

    null: str | None = None
    seed: int = 0
    bar_convention: BarConvention = BarConvention.SUPERLEVEL

    def __post_init__(self) -> None:
        if self.model is not None:
            check_null(self.model)

    @cached_property
    def model(self) -> Null | None:
        """The null model."""
        return None if self.null is None else parse_null(self.null)

    def check(self, drawn: Collection[str], patterns: LayerPatterns) -> None:
        """Raise an ``OptionError`` if no drawn figure shows the null model, or the view has no weights for it."""
        if self.model is None:
            return
        if not any(figure in drawn for figure in BESIDE_CHANCE):
            raise OptionError(f"`null` needs `plot` with the `figure` {' or '.join(BESIDE_CHANCE)}")
        if self.model.model not in NULLS_OF_EDGES:
            patterns.check_matrix_view(f"the null {self.model} is of weights, and needs")

    def settings(self, drawn: Collection[str]) -> Settings:
        """Return the settings of the drawn figures."""
        settings: Settings = {}
        if "diagram" in drawn:
            settings["bar_convention"] = self.bar_convention
        if any(figure in drawn for figure in BESIDE_CHANCE):
            settings |= {"null": None if self.model is None else str(self.model), "seed": self.seed}
        return settings
