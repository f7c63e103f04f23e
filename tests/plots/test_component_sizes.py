import numpy as np
import pytest

from topoimp import as_layer, spanning_forest
from topoimp.plots import component_sizes
from topoimp.topology.components import components_of


def drawn(weights):
    ax = component_sizes(components_of(spanning_forest(as_layer(np.array(weights, np.float32)))))
    ax.figure.canvas.draw()
    return ax, {area.get_label(): area.get_data() for area in ax.patches}


def test_components_lie_in_order_of_size_with_dead_rows_and_columns_last():
    weights = np.zeros((8, 9))
    weights[0, :3] = 1  # 4 vertices
    weights[1, 3] = weights[2, 4] = weights[3, 5] = 1  # 2 vertices each
    ax, areas = drawn(weights)

    assert areas["2 vertices or more"].values.tolist() == [4, 2]
    assert areas["2 vertices or more"].edges.tolist() == [1, 2, 5]
    assert areas["dead rows"].edges.tolist() == [5, 9]
    assert areas["dead columns"].edges.tolist() == [9, 12]
    assert areas["dead rows"].values.tolist() == areas["dead columns"].values.tolist() == [1]
    assert ax.get_xlim() == (1, 12)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("components, by size", "vertices")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_a_connected_layer_is_one_block():
    _, areas = drawn([[1, 2], [3, 4]])

    assert {label: (area.edges.tolist(), area.values.tolist()) for label, area in areas.items()} == {
        "2 vertices or more": ([1, 2], [4])
    }


@pytest.mark.parametrize("weights", [[[0, 0], [0, 0]], [[3, 3], [3, 3]], [[1, 0, 2]], [[5]], [[0]], [[1], [2]]])
def test_a_zero_constant_disconnected_or_thin_layer_is_drawn(weights):
    ax, areas = drawn(weights)

    assert ax.get_xlim()[1] == max(max(area.edges[-1] for area in areas.values()), 2)
