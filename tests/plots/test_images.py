"""A few pictures, pixel by pixel, beside those in tests/plots/baseline.

``pytest tests/plots/test_images.py --mpl-generate-path tests/plots/baseline`` makes them anew: look at each.
"""

import numpy as np
import pytest

from topoimp import Unit, as_layer, bars_of, spanning_forest
from topoimp.plots import barcode, small_multiples

TOLERANCE = 3
"""Root mean square of the differences, of 255, that another release of the fonts may make."""

image = pytest.mark.mpl_image_compare(baseline_dir="baseline", tolerance=TOLERANCE, savefig_kwargs={"dpi": 100})


@image
def test_barcodes():
    rng = np.random.default_rng(1)
    weights = {"dense": rng.normal(size=(30, 20)), "sparse": rng.normal(size=(30, 20)) * (rng.random((30, 20)) < 0.08)}

    def draw(name, ax):
        forest = spanning_forest(as_layer(weights[name]))
        barcode(bars_of(forest, unit=Unit(1.0, forest.strongest)), ax=ax)

    return small_multiples(list(weights), draw)
