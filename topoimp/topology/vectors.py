"""Barcodes as vectors of fixed length, by GUDHI's representations: landscapes, silhouettes, persistence images.

They see the finite bars alone, in GUDHI's convention: born at -birth (-1), dying at -strength / scale. Bars of length
zero add nothing; a layer without other bars has vectors of zeros. As all bars are born at once, the vectors hold
nothing that the deaths do not, and images are a single column: they are there for methods that take vectors.

The k-th landscape at a level is the k-th largest of all bars' tents there. Of two bars that are born at once the tent
of the longer is nowhere below that of the shorter: the k-th landscape is the tent of the k-th longest bar.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.choices import Scale
from topoimp.errors import OptionError
from topoimp.topology.npz_file import write_npz

_TOGETHER = 4096
"""Bars that GUDHI gets at a time: it holds a few numbers for each of them and each sample."""


@dataclass(frozen=True)
class VectorSettings:
    """The settings of vectors.

    Args:
        n_landscapes: at least 1.
        resolution: samples of a landscape or silhouette, and pixels of an image, at least 2.
        bandwidth: standard deviation of the bell that each bar adds to an image, above 0, in units of the birth.

    Raises:
        OptionError: if one is outside its range.
    """

    n_landscapes: int = 5
    resolution: int = 100
    bandwidth: float = 0.05

    def __post_init__(self) -> None:
        if self.n_landscapes < 1:
            raise OptionError(f"the number of landscapes is {self.n_landscapes}; it must be at least 1")
        if self.resolution < 2:
            raise OptionError(f"the resolution is {self.resolution}; it must be at least 2")
        if not 0 < self.bandwidth < np.inf:
            raise OptionError(f"the bandwidth is {self.bandwidth}; it must be a finite number above 0")


@dataclass(frozen=True)
class Vectors:
    """A barcode as vectors.

    Args:
        landscape: the first landscape's samples, then the second's, ...; shape (n_landscapes * resolution,).
        silhouette: the mean of all tents, weighted by persistence; shape (resolution,).
        image: the sum of all bells, weighted by persistence, at persistences from 0 to birth; shape (resolution,).
    """

    landscape: FloatArray
    silhouette: FloatArray
    image: FloatArray


def vectors_of(intervals: FloatArray, *, birth: float = 1.0, settings: VectorSettings | None = None) -> Vectors:
    """Return the vectors of a barcode.

    Args:
        intervals: its finite bars (-birth, death), shape (n, 2), any order; deaths from -birth to 0.
        birth: at least 0; landscapes and silhouettes are sampled at evenly spaced levels from -birth to 0, included.
        settings: the defaults if None.

    Raises:
        OptionError: if a number is too large for its square, as strengths that nothing divides can be.

    Source: Bubenik, "Statistical topological data analysis using persistence landscapes", 2015; Chazal, Fasy, Lecci,
    Rinaldo, Wasserman, "Stochastic convergence of persistence landscapes and silhouettes", 2014; Adams et al.,
    "Persistence images", 2017. GUDHI's landscapes and silhouettes are sqrt(2) times the tents' heights.
    """
    settings = settings or VectorSettings()
    bars = intervals[np.argsort(-intervals[:, 1], kind="stable")]  # the longest first
    bars = bars[bars[:, 1] > bars[:, 0]]
    with np.errstate(all="ignore"):
        vectors = _vectors_by_gudhi(bars, birth, settings)
    if not all(np.isfinite(part).all() for part in (vectors.landscape, vectors.silhouette, vectors.image)):
        raise OptionError(f"bars are born at {birth:g}, and vectors of them are beyond all numbers; divide by a scale")
    return vectors


def write_vectors(
    path: Path, layers: Sequence[tuple[str, Vectors]], *, scale: Scale, birth: float, settings: VectorSettings
) -> None:
    """Write the vectors of layers as .npz, ready to be learned from: a row for each layer.

    ``layers`` (their names), ``landscapes``, ``silhouettes``, ``images``; ``levels``, at which landscapes and
    silhouettes are sampled, and ``persistences``, at which images are; and the settings: ``n_landscapes``,
    ``resolution``, ``bandwidth``, ``scale``, ``birth``, ``convention``.
    """
    arrays = {
        "layers": np.array([name for name, _ in layers]),
        "landscapes": np.stack([vectors.landscape for _, vectors in layers]),
        "silhouettes": np.stack([vectors.silhouette for _, vectors in layers]),
        "images": np.stack([vectors.image for _, vectors in layers]),
        "levels": np.linspace(-birth, 0, settings.resolution),
        "persistences": np.linspace(0, birth, settings.resolution),
        **{name: np.array(setting) for name, setting in asdict(settings).items()},
        "scale": np.array(str(scale)),
        "birth": np.array(birth),
        "convention": np.array("gudhi"),
    }
    write_npz(path, arrays.items())


def _vectors_by_gudhi(bars: FloatArray, birth: float, settings: VectorSettings) -> Vectors:
    """Return the vectors of bars that are longer than zero, the longest first."""
    silhouette = np.zeros(settings.resolution)
    image = np.zeros(settings.resolution)
    weight = 0.0
    if len(bars) == 0:
        return Vectors(np.zeros(settings.n_landscapes * settings.resolution), silhouette, image)
    from gudhi.representations import Landscape, PersistenceImage, Silhouette  # slow to import

    landscapes = Landscape(settings.n_landscapes, settings.resolution, [-birth, 0.0], keep_endpoints=True)
    tents = Silhouette(lambda bar: bar[1] - bar[0], settings.resolution, [-birth, 0.0], keep_endpoints=True)
    bells = PersistenceImage(
        bandwidth=settings.bandwidth * birth,
        weight=lambda point: point[1],  # of (birth, persistence)
        resolution=[1, settings.resolution],
        im_range=[-birth, -birth, 0.0, birth],
    )

    # Silhouettes are means and images sums, so both are added up over some bars at a time: memory does not grow.
    for start in range(0, len(bars), _TOGETHER):
        some = bars[start : start + _TOGETHER]
        weight_of_some = float(np.sum(some[:, 1] - some[:, 0]))
        silhouette += weight_of_some * _represented(tents, some)
        image += _represented(bells, some)
        weight += weight_of_some
    landscape = _represented(landscapes, bars[: settings.n_landscapes])
    return Vectors(landscape, silhouette / weight if weight else silhouette, image)


def _represented(representation: Any, bars: FloatArray) -> FloatArray:  # Any: GUDHI has no types
    return np.asarray(representation.fit([bars]).transform([bars])[0])
