import numpy as np
import pytest
from conftest import stream_of

from topoimp.comparison import compare_layers
from topoimp.errors import LayerError
from topoimp.preservation import together


def compared(one, other):
    return compare_layers(stream_of(one), stream_of(other).layers)


def test_by_hand(write):
    reference = write({"a": np.array([[3.0, 1.0], [2.0, 0.5]])}, "reference")
    other = write({"a": np.array([[3.0, 0.0], [0.0, 0.5]])}, "other")

    (layer,) = compared(reference, other)

    assert layer.left.columns() == {
        "n_weights": 4,
        "n_edges": 4,
        "n_kept": 2,
        "density": 0.5,
        "sparsity": 0.5,
        "compression_ratio": 2.0,
        "floor": 3,
        "beta0": 2,
        "beta0_reference": 1,
        "beta1": 0,
        "beta0_kept": False,
        "barcode_kept": False,
        "retention": 1 / 3,
    }


def test_connected_is_not_the_same_as_unchanged(write):
    reference = write({"a": np.array([[3.0, 1.0], [2.0, 0.5]])}, "reference")
    other = write({"a": np.array([[3.0, 0.0], [2.0, 0.5]])}, "other")

    (layer,) = compared(reference, other)

    assert (layer.left.beta0_kept, layer.left.barcode_kept) == (True, False)


def test_with_ties_a_barcode_can_be_kept_without_the_order_forest(write):
    reference = write({"a": np.ones((2, 2))}, "reference")
    other = write({"a": np.array([[0.0, 1.0], [1.0, 1.0]])}, "other")

    (layer,) = compared(reference, other)

    assert (layer.left.barcode_kept, layer.left.n_forest_kept) == (True, 2)


def test_the_same_values_in_another_type_are_the_same(write):
    values = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float16)
    reference, other = write({"a": values}, "reference"), write({"a": values.astype(np.float64)}, "other")

    (layer,) = compared(reference, other)

    assert layer.left.barcode_kept


def test_the_order_of_tensors_in_the_files_does_not_matter(write):
    a, b = np.random.default_rng(0).normal(size=(2, 5, 4))
    reference, other = write({"a": a, "b": b}, "reference"), write({"b": b, "a": a}, "other")

    assert [(layer.info.name, layer.left.barcode_kept) for layer in compared(reference, other)] == [
        ("a", True),
        ("b", True),
    ]


def test_several_layers_keep_a_thing_only_if_each_of_them_does(write):
    a = np.random.default_rng(0).normal(size=(5, 4))
    reference, other = write({"a": a, "b": a}, "reference"), write({"a": a, "b": a * 0}, "other")

    total = together([layer.left for layer in compared(reference, other)])

    assert (total.n_kept, total.beta0, total.beta0_reference) == (20, 10, 2)
    assert (total.beta0_kept, total.barcode_kept) == (False, False)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": np.ones((2, 2))}, r"other: lacks layer 'b' of .*reference \(1 of 2 in all\); both need the same layers"),
        (
            {"a": np.ones((2, 2)), "b": np.ones((2, 3)), "c": np.ones((2, 2))},
            r"reference: lacks layer 'c' of .*other \(1 of 3 in all\)",
        ),
        (
            {"a": np.ones((2, 2)), "b": np.ones((3, 2))},
            r"other: layer 'b' has the shape \[3, 2\]; .*reference has \[2, 3\]",
        ),
    ],
)
def test_layers_that_differ_are_refused(write, other, message):
    reference = write({"a": np.ones((2, 2)), "b": np.ones((2, 3))}, "reference")

    with pytest.raises(LayerError, match=message):
        compared(reference, write(other, "other"))
