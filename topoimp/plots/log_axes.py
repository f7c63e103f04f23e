"""Logarithmic axes whose ticks are plain text: 1, 100, 10⁴; formulas are off, as names of layers may look like them."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

_LARGEST_IN_FULL = 1000

MOST_TICKS = 6
"""Ticks of a colour bar."""


def logarithmic(ax: Axes, side: Literal["x", "y"], *, linear_below: float | None = None) -> None:
    """Make an axis logarithmic, with ticks in plain text; below a number, if it is given, it is linear, down to 0."""
    if linear_below is None:
        getattr(ax, f"set_{side}scale")("log")
    else:
        getattr(ax, f"set_{side}scale")("symlog", linthresh=linear_below, linscale=1)
    axis = ax.xaxis if side == "x" else ax.yaxis
    if linear_below is None:
        axis.set_major_locator(LogLocator(numticks=4 if side == "x" else 5))
    axis.set_major_formatter(FuncFormatter(lambda number, _place: power_text(number)))
    axis.set_minor_formatter(NullFormatter())


def power_text(number: float) -> str:
    """Return a tick's text: a power of ten from 10⁴ on and below 0.001, other numbers in full.

    >>> power_text(1000), power_text(1e6), power_text(0.01), power_text(0)
    ('1,000', '10⁶', '0.01', '0')
    """
    if number == 0 or 1 / _LARGEST_IN_FULL <= abs(number) <= _LARGEST_IN_FULL:
        return f"{number:,g}"
    mantissa, exponent = f"{number:e}".split("e")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return power if float(mantissa) == 1 else f"{float(mantissa):g}·{power}"


def log_ticks(low: float, high: float) -> dict[float, str]:
    """Return the texts of the ticks of a logarithmic colour bar: 1, 2, 5, 10 and so on, or powers of ten.

    >>> log_ticks(0.5, 4)
    {0.5: '0.5', 1.0: '1', 2.0: '2'}
    """
    exponents = range(int(np.floor(np.log10(low))), int(np.floor(np.log10(high))) + 1)
    all_ticks = [digit * 10.0**exponent for exponent in exponents for digit in (1, 2, 5)]
    fine = [tick for tick in all_ticks if low <= tick <= high]
    powers = [10.0**exponent for exponent in exponents if low <= 10.0**exponent <= high]
    chosen = fine if len(fine) <= MOST_TICKS else powers
    return {tick: power_text(tick) for tick in chosen}
