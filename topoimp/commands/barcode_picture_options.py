"""The options of the figures of ``barcode``, which only some of them have."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from topoimp.architectures import ImageShape
from topoimp.chance.curves import checked_null
from topoimp.chance.null import NULLS_OF_EDGES, Null
from topoimp.checkpoint import AnyPath
from topoimp.choices import BarConvention
from topoimp.errors import OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.reports.rows import Settings
from topoimp.rounds.run_images import image_of_run

BESIDE_CHANCE = ("diagram", "betti-curves")
"""The figures that show a null model."""

INPUT_IMAGE = "input-image"
"""The figure of a layer that reads images."""


@dataclass(frozen=True)
class PictureOptions:
    """Options of single figures; checked when they are made.

    Args:
        null: a null model that is simulated, beside deaths and Betti curves; None for none.
        seed: seed of all simulations.
        bar_convention: form of the bars in a diagram.
        image: height and width, or height, width and channels, of the images that a dense first layer reads; None if
            unknown.

    Raises:
        OptionError: if there is no such null model, it is not simulated, or the image has no such size.
    """

    null: str | None = None
    seed: int = 0
    bar_convention: BarConvention = BarConvention.SUPERLEVEL
    image: Sequence[int] | None = None

    def __post_init__(self) -> None:
        checked_null(self.null)
        if self.image is not None and (len(self.image) not in (2, 3) or min(self.image) < 1):
            raise OptionError(f"`image` is {_text(self.image)}; it must be HxW or HxWxC, as in 28x28 or 32x32x3")

    @cached_property
    def model(self) -> Null | None:
        """The null model."""
        return checked_null(self.null)

    def check(self, drawn: Collection[str], patterns: LayerPatterns) -> None:
        """Raise an ``OptionError`` if no drawn figure has null or image, or the view has no weights for the null."""
        if self.image is not None and INPUT_IMAGE not in drawn:
            raise OptionError(f"`image` needs `report`, or `plot` with the `figure` {INPUT_IMAGE}")
        if self.model is None:
            return
        if not any(figure in drawn for figure in BESIDE_CHANCE):
            raise OptionError(f"`null` needs `report`, or `plot` with the `figure` {' or '.join(BESIDE_CHANCE)}")
        if self.model.model not in NULLS_OF_EDGES:
            patterns.check_matrix_view(f"the null {self.model} is of weights, and needs")

    def with_image_of_run(self, drawn: Collection[str], path: AnyPath) -> "PictureOptions":
        """Return the options with the image of a run folder's checkpoint, if one is needed and not given."""
        found = image_of_run(path) if INPUT_IMAGE in drawn and self.image is None else None
        if found is None:
            return self
        channels, height, width = found
        return replace(self, image=(height, width, channels) if channels > 1 else (height, width))

    def settings(self, drawn: Collection[str]) -> Settings:
        """Return the settings of the drawn figures."""
        settings: Settings = {}
        if "diagram" in drawn:
            settings["bar_convention"] = self.bar_convention
        if any(figure in drawn for figure in BESIDE_CHANCE):
            settings |= {"null": None if self.model is None else str(self.model), "seed": self.seed}
        if INPUT_IMAGE in drawn and self.image is not None:
            settings["image"] = _text(self.image)
        return settings

    @property
    def image_shape(self) -> ImageShape | None:
        """Channels, height and width of the image."""
        if self.image is None:
            return None
        height, width, *channels = self.image
        return (*channels, 1)[0], height, width


def _text(sides: Sequence[int]) -> str:
    return "x".join(map(str, sides))
