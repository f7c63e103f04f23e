"""When the method ``paths`` takes over from ``magnitude``: at a density, or at a share of weights on no path.

Without a choice it is a share of the weights that magnitude would keep of the pruned layers. Without training between
the rounds the share is 0: paths take over from the first weight on no path. With training it is 1.5 %: a few such
weights do not harm a network that is trained again (docs/methods-study.md).
"""

from dataclasses import dataclass
from typing import TypeAlias

from topoimp.errors import OptionError

AUTO = "auto"
"""The word for a switch without a choice."""

OFF_PATH = "off-path:"
"""The word before a share of weights on no path."""


@dataclass(frozen=True)
class PathSwitch:
    """The rule for the first round that paths decide.

    Args:
        density: they decide rounds that keep at most this share of the weights; None if weights on no path decide.
        off_path: else they decide from the first round in which magnitude would keep more than this share of its
            weights on no path.
    """

    density: float | None = None
    off_path: float = 0.0

    def __str__(self) -> str:
        """Return the rule as an option gives it: a density, or ``off-path:`` and a share."""
        return f"{OFF_PATH}{self.off_path:g}" if self.density is None else f"{self.density:g}"

    @property
    def word(self) -> str:
        """The rule as a part of a folder's name."""
        return f"off-path-{self.off_path:g}" if self.density is None else f"below-{self.density:g}"


SwitchOption: TypeAlias = PathSwitch | float | str
"""A switch as users name it."""

WITHOUT_TRAINING = PathSwitch(off_path=0.0)
"""The switch of rounds without training between them."""

WITH_TRAINING = PathSwitch(off_path=0.015)
"""The switch of rounds with training between them; chosen on the pilot seeds of docs/methods-study.md."""


def path_switch(text: SwitchOption | None) -> PathSwitch | None:
    """Return the switch that an option names; None for ``auto`` and where nothing is given.

    Raises:
        OptionError: if it is neither ``auto``, nor a density in [0, 1], nor ``off-path:`` and a share in [0, 1].

    >>> path_switch("off-path:0.01")
    PathSwitch(density=None, off_path=0.01)
    """
    if text is None or text == AUTO or isinstance(text, PathSwitch):
        return text if isinstance(text, PathSwitch) else None
    is_share = isinstance(text, str) and text.startswith(OFF_PATH)
    try:
        share = float(str(text).removeprefix(OFF_PATH))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise OptionError(
            f"`paths_below` is {text}; it must be auto, a density, or off-path: and a share of weights, from 0 to 1"
        )
    return PathSwitch(off_path=share) if is_share else PathSwitch(density=share)
