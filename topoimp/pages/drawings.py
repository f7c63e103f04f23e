"""Figures as SVG within a page: small, in the page's colours, and described for those who cannot see them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from matplotlib.figure import Figure

from topoimp.plots.canvas import svg_text

CSS_PIXELS = 96 / 72
"""Pixels of a browser in a point."""


@dataclass(frozen=True)
class Drawing:
    """A figure for a page.

    Args:
        name: the figure's name.
        meaning: what it shows, in one line.
        figure: the figure.
    """

    name: str
    meaning: str
    figure: Figure

    @property
    def description(self) -> str:
        """What the figure shows, and the titles of its panels: the text for those who cannot see it."""
        titles = [title for ax in self.figure.axes if (title := ax.get_title())]
        return f"Figure {self.name}: {self.meaning}" + (f"; panels {', '.join(titles)}" if titles else "")


def inline_svg(drawing: Drawing, prefix: str) -> str:
    """Return a figure as an ``svg`` element of HTML.

    Black becomes the colour of the page's text, and the background is left out, so that a dark page has a dark figure.
    Styles become attributes, which a page's security policy does not forbid. Identifiers begin with ``prefix``, and
    only those that are referred to remain.
    """
    root = ElementTree.fromstring(svg_text(drawing.figure))  # noqa: S314  # ours
    _remove(root, "metadata", "style")
    names = {name: f"{prefix}{number}" for number, name in enumerate(_referred_to(root))}
    for element in root.iter():
        _simplify(element, names)

    width, height = (float(root.attrib[side].removesuffix("pt")) * CSS_PIXELS for side in ("width", "height"))
    look = {"fill": "currentColor", "stroke-linejoin": "round", "stroke-linecap": "butt"}  # as matplotlib's style sheet
    root.attrib = {
        "role": "img",
        "aria-label": drawing.description,
        "viewBox": root.attrib["viewBox"],
        "width": f"{width:g}",
        "height": f"{height:g}",
        **look,
    }
    return ElementTree.tostring(root, encoding="unicode")


def _remove(root: Element, *tags: str) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in tags:
                parent.remove(child)


def _referred_to(root: Element) -> Iterator[str]:
    """Yield the identifiers that an element refers to, each once."""
    seen: set[str] = set()
    for element in root.iter():
        for name, value in element.attrib.items():
            found = [value[1:]] if _local(name) == "href" and value.startswith("#") else _URL.findall(value)
            for each in found:
                if each not in seen:
                    seen.add(each)
                    yield each


_URL = re.compile(r"url\(#([^)]+)\)")
_DECIMALS = re.compile(r"-?\d+\.\d+")
_ROUNDED = ("d", "x", "y", "width", "height", "points")
"""Attributes in points, or in the units of a letter, which are smaller."""


def _simplify(element: Element, names: dict[str, str]) -> None:
    """Turn styles into attributes, name identifiers anew, round coordinates, and leave out white space."""
    element.tag = _local(element.tag)
    element.text = (element.text or "").strip() or None
    element.tail = None
    attributes = {_local(name): value for name, value in element.attrib.items()}
    for declaration in filter(None, map(str.strip, attributes.pop("style", "").split(";"))):
        name, _, value = declaration.partition(":")
        attributes[name.strip()] = value.strip()

    identifier = attributes.pop("id", None)
    if identifier in names:
        attributes["id"] = names[identifier]
    for name, value in attributes.items():
        if name == "href" and value.startswith("#"):
            attributes[name] = f"#{names[value[1:]]}"
        elif name in ("fill", "stroke") and value == "#000000":
            attributes[name] = "currentColor"
        elif name in _ROUNDED:
            attributes[name] = _DECIMALS.sub(lambda number: f"{float(number[0]):.2f}", " ".join(value.split()))
        elif "url(#" in value:
            attributes[name] = _URL.sub(lambda place: f"url(#{names[place[1]]})", value)
    element.attrib = attributes


def _local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2]
