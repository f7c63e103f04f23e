import numpy as np
import pytest

from topoimp.reports.block_grid import MOST_BLOCKS, NO_NUMBER, block_grid


def rows(**of_layers):
    return [{"layer": name.replace("__", "."), "tau": value} for name, value in of_layers.items()]


def test_a_layer_stands_in_the_row_of_its_role_and_the_column_of_its_block():
    grid = block_grid(rows(h__3__a__w=1.0, h__5__a__w=2.0, h__5__b__w=3.0, h__3__b__w=4.0, head__w=5.0), "tau")

    assert grid.roles == ["h.*.a.w", "h.*.b.w", "head.w"]
    assert grid.blocks == [(3,), (5,), (NO_NUMBER,)]
    nan = np.nan
    assert np.array_equal(grid.values, [[1, 2, nan], [4, 3, nan], [nan, nan, 5]], equal_nan=True)
    assert grid.places["None", "h.5.b.w"] == (1, 1, 1)


def test_a_layer_with_fewer_numbers_fills_all_blocks_that_begin_with_its_own():
    of_experts = {f"h__{k}__mlp__{e}__up__w": 10 * k + e for k in range(2) for e in range(3)}
    grid = block_grid(rows(h__0__attn__q__w=7, h__1__attn__q__w=8, **of_experts), "tau")

    assert grid.blocks == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert grid.values.tolist() == [[7, 7, 7, 8, 8, 8], [0, 1, 2, 10, 11, 12]]


def test_of_too_many_blocks_the_last_numbers_go_and_the_worst_layer_of_a_cell_is_shown():
    names = [f"h.{k}.mlp.{e}.up.w" for k in range(2) for e in range(MOST_BLOCKS)]
    values = [(17 * place) % len(names) for place in range(len(names))]
    of_low = [{"layer": name, "tau": value, "beta0": value} for name, value in zip(names, values, strict=True)]

    grids = {column: block_grid(of_low, column) for column in ("tau", "beta0")}

    assert grids["tau"].blocks == [(0,), (1,)]
    assert grids["tau"].most_in_a_cell == MOST_BLOCKS
    halves = values[:MOST_BLOCKS], values[MOST_BLOCKS:]
    assert grids["tau"].values.tolist() == [[min(half) for half in halves]]
    assert grids["beta0"].values.tolist() == [[max(half) for half in halves]]


def test_each_of_several_others_has_blocks_of_its_own():
    of_two = [{**row, "other": other} for other in ("x", "y") for row in rows(h__0__w=1, h__1__w=2)]

    grid = block_grid(of_two, "tau")

    assert (grid.others, grid.blocks) == (["x", "y"], [(0, 0), (0, 1), (1, 0), (1, 1)])
    assert grid.values.tolist() == [[1, 2, 1, 2]]


@pytest.mark.parametrize("cell", [None, "text"])
def test_without_numbers_the_cells_are_blank(cell):
    grid = block_grid(rows(h__0__w=cell, h__1__w=cell), "tau")

    assert np.isnan(grid.values).all()
    assert grid.values.shape == (1, 2)


def test_no_layer_has_no_cell():
    grid = block_grid([], "tau")

    assert (grid.roles, grid.blocks, grid.values.shape) == ([], [], (0, 0))
