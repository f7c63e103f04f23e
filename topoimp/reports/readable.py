"""Values and names as people read them, in the tables of the terminal, of notebooks and of pages."""

from topoimp.reports.cells import Cell, Kind


def readable(value: Cell, kind: Kind) -> str:
    r"""Return a value as text: counts with separators, shares in percent, other numbers to four digits.

    An undefined value is a dash. Control characters of a name are escaped.

    >>> readable(1234567, Kind.COUNT), readable(0.99999, Kind.SHARE), readable(None, Kind.NUMBER)
    ('1,234,567', '>99.99%', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return plain(value)
    if kind is Kind.INDEX:
        return str(value)
    if kind is Kind.SHARE:
        return _percent(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:#.4g}".rstrip(".")  # a mean of counts is no count


def _percent(share: float) -> str:
    """Return a share in percent; only 1 reads 100 %, and only 0 reads 0 %."""
    text = f"{100 * share:.2f}"
    if text == "100.00" and share < 1:
        text = ">99.99"
    if text == "0.00" and share > 0:
        text = f"{100 * share:.1g}"
    return f"{text}%"


def plain(text: str) -> str:
    r"""Return text in which control characters are escaped, so that it cannot move the cursor or set colours.

    >>> print(plain("a\x1b[31mred"))
    a\x1b[31mred
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
