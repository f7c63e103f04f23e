"""The numbers that bounds depend on beside the layers, and the picture that can be drawn with them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from topoimp.chance.null import Null, parse_nulls
from topoimp.checkpoint import AnyPath
from topoimp.choices import PictureSize, View, check_seed
from topoimp.commands.bound_pictures import FIGURES, RETENTION, BoundResults
from topoimp.commands.densities import USUAL_DENSITIES, parse_densities
from topoimp.commands.pages import Page, PictureFiles
from topoimp.commands.pictures import Picture
from topoimp.errors import OptionError
from topoimp.pruning.schedule import DEFAULT_RATE, exact_rate
from topoimp.reports.rows import Settings, setting_of_nulls


@dataclass(frozen=True, kw_only=True)
class BoundOptions:
    """Numbers that bounds depend on beside the layers.

    Args:
        rate: share of the remaining weights that one round removes, above 0 and below 1.
        densities: in [0, 1], or ``critical`` for the layer's critical density and ``4*critical`` for a multiple of it;
            at each, a row per layer compares its kept forest edges with chance.
        null: a null model of a layer, as in ``degrees:200``, or several; each has a row at each density.
        output_columns: patterns of the layers whose outputs are their columns, as in the Conv1D of GPT-2, for the
            bounds in the scope ``row``.
        seed: seed of the simulations of null models, and of those that densities need where no closed form holds, at
            least 0.

    Raises:
        OptionError: if a number is out of range, or a null model has no density.
    """

    rate: float = DEFAULT_RATE
    densities: Sequence[float | str] = ()
    null: Null | str | Sequence[Null | str] | None = None
    output_columns: Sequence[str] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        exact_rate(self.rate)
        parse_densities(self.densities)
        if self.nulls and not self.densities:
            raise OptionError("`null` is about densities, and none is given")
        check_seed(self.seed)

    @property
    def nulls(self) -> tuple[Null, ...]:
        """The null models."""
        return parse_nulls(self.null)

    def settings(self) -> Settings:
        """Return the settings of the report."""
        settings: Settings = {"rate": self.rate}
        if self.densities:
            settings |= {"densities": [density.text for density in parse_densities(self.densities)], "seed": self.seed}
        if self.nulls:
            settings["null"] = setting_of_nulls(self.nulls)
        if self.output_columns:
            settings["output_columns"] = list(self.output_columns)
        return settings


USUAL_BOUNDS = BoundOptions()


def options_with_pictures(
    options: BoundOptions,
    view: View,
    plot: AnyPath | None,
    figure: str | None,
    size: PictureSize | str | None,
    report: AnyPath | None,
) -> tuple[BoundOptions, PictureFiles[BoundResults], Sequence[str]]:
    """Return the options, the requested picture and page, and sentences about them.

    If a requested figure needs densities and none are given, the options have the usual ones, which a sentence says.
    Bounds in other views than ``matrix`` have no densities.

    Raises:
        OptionError: if the picture cannot be drawn.
    """
    files = PictureFiles(Picture(FIGURES, plot, figure, size), Page(FIGURES, report))
    notes = []
    if RETENTION in files.drawn and view is View.MATRIX and not options.densities:
        options = replace(options, densities=USUAL_DENSITIES)
        notes = [f"densities of the figure {RETENTION}, as none are given: {', '.join(map(str, USUAL_DENSITIES))}"]
    files.picture.check(BoundResults((), has_densities=bool(options.densities)))
    return options, files, notes
