import numpy as np
import pytest

from topoimp.barcode import barcode_of, neural_persistence
from topoimp.choices import NeuralPersistence
from topoimp.commands.barcode import barcode_report
from topoimp.commands.compare import comparison_report
from topoimp.layers import as_layer


def test_a_checkpoint_compared_with_itself_is_unchanged(lenet):
    report = comparison_report(lenet, lenet)

    assert report.network["density"] == 1.0
    assert report.network["retention"] == 1.0
    assert report.network["barcode_kept"] is True
    assert report.network["np_rieck"] == report.network["np_rieck_reference"]


def test_its_neural_persistences_are_those_of_barcode(lenet):
    report, barcodes = comparison_report(lenet, lenet), barcode_report(lenet)

    for name in ("np_rieck", "np_rieck_finite", "np_balwani"):
        assert [row[name] for row in report.rows] == [row[name] for row in barcodes.rows]


def test_both_are_measured_at_the_scale_of_the_reference(write):
    weight = np.array([[4.0, 1.0], [2.0, 0.5]])
    report = comparison_report(write({"a": weight}, "reference"), write({"a": 2 * weight}, "other"))

    expected = neural_persistence(barcode_of(as_layer(2 * weight)), NeuralPersistence.RIECK, scale=4.0)
    assert report.network["np_rieck"] == pytest.approx(expected)


def test_a_reference_of_zeros_has_no_scale_for_the_other(write):
    report = comparison_report(write({"a": np.zeros((2, 2))}, "reference"), write({"a": np.ones((2, 2))}, "other"))

    row = report.layers[0]
    assert (row["np_rieck"], row["np_balwani"], row["retention"], row["barcode_kept"]) == (None, None, None, False)


def test_a_scale_far_below_the_other_has_no_value_but_a_reason(write):
    report = comparison_report(
        write({"a": np.full((2, 2), 1e-300)}, "reference"), write({"a": np.full((2, 2), 1e300)}, "other")
    )

    assert report.layers[0]["np_rieck"] is None
    assert report.layers[0]["undefined"].startswith("no np_rieck, np_rieck_finite, np_balwani: ")
    assert report.to_json()


def test_nothing_left_has_no_compression_ratio(write):
    report = comparison_report(write({"a": np.ones((2, 2))}, "reference"), write({"a": np.zeros((2, 2))}, "other"))

    assert (report.network["compression_ratio"], report.network["density"], report.network["beta0"]) == (None, 0.0, 4)


def test_embeddings_are_left_out_and_named(write):
    path = write({"a": np.ones((2, 2)), "embed": np.ones((2, 2))})

    assert comparison_report(path, path).left_out == {"embed": "an embedding or a head"}
