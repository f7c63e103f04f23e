"""The zeroth-order barcode of a layer, and its summaries.

The superlevel filtration of |w| starts with all vertices; edges enter strongest first. Every edge of the maximum
spanning forest joins two components and ends one bar; each component leaves one essential bar. A bar that dies
at strength d has persistence 1 - d / scale, an essential bar 1 (its death counts as 0). A stored zero is an absent
edge. Bars of length zero (the strongest edge) are kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.choices import NeuralPersistence, Scale, chosen
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.topology.forest import ForestCounts, spanning_forest


@dataclass(frozen=True)
class Barcode:
    """All bars of a layer, all born at the same level.

    ``deaths`` are the strengths at which finite bars end, descending, shape (n,), not divided by a scale;
    ``n_essential`` bars never die, one per component.
    """

    deaths: FloatArray
    n_essential: int

    @property
    def n_vertices(self) -> int:
        """Number of bars: one per vertex."""
        return len(self.deaths) + self.n_essential

    @property
    def strongest(self) -> float | None:
        """Largest strength of the layer, at which its strongest edge ends a bar; None without edges."""
        return float(self.deaths[0]) if len(self.deaths) else None

    def equals(self, other: "Barcode") -> bool:
        """Whether both have the same bars, exactly; equal strengths are interchangeable."""
        return self.n_essential == other.n_essential and np.array_equal(self.deaths, other.deaths)

    def persistences(self, scale: float) -> FloatArray:
        """Return every bar's persistence: finite bars 1 - death / scale, ascending, then 1 for each essential bar.

        The scale is above 0. At that of another checkpoint, with smaller weights, persistences can be negative.
        """
        with np.errstate(over="ignore"):  # at the far smaller scale of another checkpoint; callers check
            return Unit(1.0, scale).persistences(self)


def largest_strength(forests: Iterable[ForestCounts]) -> float | None:
    """Return the largest strength in several layers; None without edges."""
    return max((forest.strongest for forest in forests if forest.strongest is not None), default=None)


@dataclass(frozen=True)
class Unit:
    """Unit of the levels of a layer: a level is a strength divided by ``divisor``, the scale; None without edges.

    Every bar is born at the level ``birth``.
    """

    birth: float
    divisor: float | None

    def levels(self, strengths: FloatArray) -> FloatArray:
        """Return the levels at which edges of these strengths enter."""
        return strengths if self.divisor is None else strengths / self.divisor

    def persistences(self, barcode: Barcode) -> FloatArray:
        """Return every bar's persistence: finite bars birth - death, ascending, then birth for each essential bar."""
        return np.concatenate([self.birth - self.levels(barcode.deaths), np.full(barcode.n_essential, self.birth)])


def unit_of(scale: Scale, *, network_largest: float | None, layer_largest: float | None) -> Unit:
    """Return the unit of one layer at a scale, from the largest strength of the network and that of the layer.

    Bars are born at 1. At the scale ``none`` strengths stay as they are, and bars are born at the network's largest
    strength, or at 0 without edges.
    """
    if scale is Scale.NONE:
        return Unit(network_largest or 0.0, 1.0)
    return Unit(1.0, network_largest if scale is Scale.NETWORK else layer_largest)


def scale_of_convention(np_convention: NeuralPersistence) -> Scale:
    """Return the scale of a convention of neural persistence."""
    return Scale.LAYER if np_convention is NeuralPersistence.BALWANI else Scale.NETWORK


def barcode_of(layer: Layer, *, threads: int = 1) -> Barcode:
    """Return the barcode of a layer, computed by ``threads`` threads.

    >>> from topoimp.layers.layer import as_layer
    >>> barcode_of(as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))).deaths
    array([3., 2., 1.])
    """
    return barcode_of_forest(spanning_forest(layer, threads=threads))


def barcode_of_forest(forest: ForestCounts) -> Barcode:
    """Return the barcode whose generators are the edges of a maximum spanning forest, given or summed up."""
    return Barcode(forest.strengths, forest.n_components)


def neural_persistence(
    barcode: Barcode, np_convention: NeuralPersistence | str, *, scale: float | None, p: float = 2.0
) -> float | None:
    """Return the p-norm of the persistences of a layer, normalised for its size.

    ``rieck`` counts every essential bar and divides by (V - 1)^(1/p), V vertices: at most (V / (V - 1))^(1/p).
    ``rieck-finite`` leaves out one essential bar: in [0, 1]. ``balwani`` does too, and divides by (V - 2)^(1/p), as the
    bar of the strongest edge has length 0; for several components this is our extension.

    The scale is the largest strength of the network (rieck; ``topoimp.topology.own_scale``) or of the layer (balwani);
    None without edges. With the
    scale of another checkpoint, a bar that dies above it counts with |1 - death / scale|.

    Returns:
        None if undefined: ``balwani`` for V = 2 or a layer of zeros, all conventions for edges without a scale.

    Raises:
        OptionError: if p is below 1 or infinite, or the convention is unknown.

    Source: Rieck et al., "Neural Persistence", ICLR 2019, definition 2, theorem 1; Balwani & Krzyston, PMLR 196, 2022.

    >>> neural_persistence(Barcode(np.array([1.0, 0.5]), n_essential=1), NeuralPersistence.RIECK, scale=1.0, p=1)
    0.75
    """
    np_convention = chosen(NeuralPersistence, np_convention)
    check_norm(p)
    has_no_scale = scale is None and len(barcode.deaths) > 0
    if has_no_scale or (np_convention is NeuralPersistence.BALWANI and reason_undefined(barcode)):
        return None
    persistences = barcode.persistences(scale or 1.0)
    if np_convention is not NeuralPersistence.RIECK:
        persistences = persistences[:-1]
    vertices_not_counted = 2 if np_convention is NeuralPersistence.BALWANI else 1
    value = _norm(np.abs(persistences), p) / (barcode.n_vertices - vertices_not_counted) ** (1 / p)
    return value if isfinite(value) else None


def _norm(lengths: FloatArray, p: float) -> float:
    """Return the p-norm; dividing by the largest length first keeps high powers from 0 and infinity."""
    largest = float(lengths.max(initial=0.0))
    return largest * float(np.sum((lengths / largest) ** p) ** (1 / p)) if 0 < largest < inf else largest


def check_norm(p: float) -> None:
    """Raise an ``OptionError`` if p is below 1 or infinite."""
    if not 1 <= p < inf:
        raise OptionError(f"the norm's p is {p}; it must be at least 1, and finite")


def reason_undefined(barcode: Barcode) -> str | None:
    """Return the reason why ``balwani`` is undefined for a layer; None if it is defined."""
    if len(barcode.deaths) == 0:
        return "a layer of zeros"
    if barcode.n_vertices == 2:
        return "a single weight"
    return None
