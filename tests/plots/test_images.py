"""A few pictures, pixel by pixel, beside those in tests/plots/baseline.

``pytest tests/plots/test_images.py --mpl-generate-path tests/plots/baseline`` makes them anew: look at each.
"""

import numpy as np
import pytest

from topoimp import BoundOptions, Unit, as_layer, bars_of, bound_report, spanning_forest
from topoimp.chance.curves import betti_beside_chance, death_histogram
from topoimp.layers.edge_counts import edge_counts
from topoimp.plots import (
    barcode,
    betti_curve,
    component_sizes,
    diagram,
    lottery_ticket,
    mask,
    retention,
    small_multiples,
)
from topoimp.topology.components import components_of

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


@image
def test_the_figures_of_a_layer():
    rng = np.random.default_rng(2)
    layer = as_layer(rng.normal(size=(40, 30)) * (rng.random((40, 30)) < 0.2))
    forest = spanning_forest(layer)
    curves = betti_beside_chance(layer, forest, null="edges:20")
    draws = {
        "betti": lambda ax: betti_curve(curves, ax=ax),
        "diagram": lambda ax: diagram(
            bars_of(forest, unit=Unit(1.0, forest.strongest)),
            death_histogram(layer, forest, unit=Unit(1.0, forest.strongest)),
            ax=ax,
        ),
        "components": lambda ax: component_sizes(components_of(forest), ax=ax),
        "mask": lambda ax: mask(edge_counts(layer, 20, 20), forest, ax=ax),
    }
    return small_multiples(list(draws), lambda name, ax: draws[name](ax))


@image
def test_lottery_tickets():
    means = {
        "density": [1, 0.5, 0.25, 0.1],
        "test_accuracy": [0.95, 0.96, 0.9, 0.7],
        "beta0": [3, 3, 12, 90],
        "retention": [1, 0.9, 0.6, 0.3],
        "retention_iid": [1, 1, 0.95, 0.7],
    }
    summary = [
        {"level": "network", "method": method, "round": number, "quantity": quantity, "n_seeds": 3}
        | {"mean": factor * mean, "minimum": 0.9 * factor * mean, "maximum": 1.1 * factor * mean}
        for method, factor in (("topological", 1.0), ("magnitude", 0.8))
        for quantity, row in means.items()
        for number, mean in enumerate(row)
    ]
    return lottery_ticket(summary)


@image
def test_retentions(write):
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(size=(60, 40)).astype("float32") for name in ("trained", "zero")}
    weights["trained"][:20] *= 8
    weights["zero"][:] = 0
    options = BoundOptions(densities=[1, 0.5, 0.2, 0.1, 0.05, "critical"], null="edges:40")
    report = bound_report(write(weights), options, threads=1)
    layers = {row["layer"]: row for row in report.layers}

    def draw(name, ax):
        retention(layers[name], [row for row in report.densities if row["layer"] == name], ax=ax)

    return small_multiples(list(layers), draw)
