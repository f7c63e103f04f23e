import numpy as np
import pytest

from topoimp.reports.columns import COLUMNS
from topoimp.reports.worst import BAD_ENDS, is_numeric, worst_layers


def rows(column, values):
    return [{"layer": f"l{k}", column: value} for k, value in enumerate(values)]


def names(worst):
    return [row["layer"] for row in worst.rows]


def test_every_column_with_a_bad_end_has_numbers():
    assert [column for column in BAD_ENDS if not is_numeric(column)] == []


def test_texts_and_what_names_something_are_no_numbers():
    assert not any(is_numeric(column) for column in ("layer", "dtype", "null", "seed", "round", "absent"))
    assert sum(map(is_numeric, COLUMNS)) > 50


@pytest.mark.parametrize(("column", "sign"), [("retention", 1), ("beta0", -1)])
def test_the_worst_are_those_at_the_bad_end(column, sign):
    values = np.random.default_rng(0).permutation(40).tolist()

    worst = worst_layers(rows(column, values), column)

    assert [row[column] for row in worst.rows] == sorted(values, key=lambda value: sign * value)[:10]
    assert (worst.n_alike, worst.n_known) == (0, 40)


def test_without_a_bad_end_the_extremes_of_both_are_named():
    worst = worst_layers(rows("density", range(40)), "density")

    assert names(worst) == ["l0", "l1", "l2", "l3", "l4", "l39", "l38", "l37", "l36", "l35"]
    assert worst.end is None


@pytest.mark.parametrize("n", [2, 3, 9, 10, 11])
def test_without_a_bad_end_no_layer_is_named_twice(n):
    found = names(worst_layers(rows("density", range(n)), "density"))

    assert len(found) == len(set(found)) == min(n, 10)


def test_layers_as_good_as_the_best_are_no_bad_ones():
    worst = worst_layers(rows("retention", [1, 0.5, 1, 1]), "retention")

    assert names(worst) == ["l1"]


def test_layers_as_bad_as_the_last_are_counted():
    worst = worst_layers(rows("beta0", [1, *[7] * 14]), "beta0")

    assert names(worst) == [f"l{k}" for k in range(1, 11)]
    assert worst.n_alike == 4


@pytest.mark.parametrize("values", [[], [None, None], [3, 3, 3]])
def test_where_no_layer_differs_none_is_named(values):
    worst = worst_layers(rows("beta0", values), "beta0")

    assert (worst.rows, worst.n_alike) == ([], 0)
    assert worst.n_known == sum(value is not None for value in values)


def test_flags_count_as_numbers():
    worst = worst_layers(rows("barcode_kept", [True, False, None, True]), "barcode_kept")

    assert (names(worst), worst.n_known) == (["l1"], 3)
