import numpy as np
import pytest

from topoimp.catalogue import LayerPatterns
from topoimp.choices import NeuralPersistence, Scale
from topoimp.commands.barcode import barcode_report, tensor_list
from topoimp.errors import CheckpointError, OptionError

WEIGHTS = {"a": np.array([[4.0, 1.0], [2.0, 0.5]]), "embed": np.array([[8.0, 1.0], [2.0, 0.5]]), "bias": np.ones(2)}


def rows_of(report):
    return {row.get("layer") or "network": row for row in report.rows}


def test_embeddings_are_shown_and_set_the_network_scale(write):
    rows = rows_of(barcode_report(write(WEIGHTS)))

    assert [rows[name]["scale"] for name in ("a", "embed", "network")] == [8.0, 8.0, 8.0]
    assert (rows["a"]["median_death"], rows["a"]["last_death"]) == (0.25, 0.125)


def test_the_scale_is_that_of_the_layers_looked_at(write):
    rows = rows_of(barcode_report(write(WEIGHTS), patterns=LayerPatterns(exclude=("embed",), embeddings=True)))

    assert rows["a"]["scale"] == 4.0


def test_the_layer_scale_is_each_layers_own(write):
    rows = rows_of(barcode_report(write(WEIGHTS), scale=Scale.LAYER))

    assert (rows["a"]["scale"], rows["embed"]["scale"], rows["network"]["scale"]) == (4.0, 8.0, None)
    assert rows["a"]["last_death"] == 0.25


def test_without_a_scale_nothing_is_divided_or_normalised(write):
    rows = rows_of(barcode_report(write(WEIGHTS), scale=Scale.NONE))

    assert rows["a"]["last_death"] == 1.0
    assert "np_rieck" not in rows["a"]
    assert rows["a"]["undefined"] == "no neural persistence: nothing is divided"


def test_values_are_the_same_whatever_the_scale_shown(write):
    by_network, by_layer = (
        rows_of(barcode_report(write(WEIGHTS), scale=scale)) for scale in (Scale.NETWORK, Scale.LAYER)
    )

    assert by_network["a"]["np_rieck"] == by_layer["a"]["np_rieck"]
    assert by_network["a"]["np_balwani"] == by_layer["a"]["np_balwani"]


@pytest.mark.parametrize(
    ("scale", "convention", "settled"),
    [
        (None, None, ("network", "rieck")),
        (Scale.LAYER, None, ("layer", "balwani")),
        (None, NeuralPersistence.BALWANI, ("layer", "balwani")),
        (None, NeuralPersistence.RIECK_FINITE, ("network", "rieck-finite")),
        (Scale.NETWORK, NeuralPersistence.RIECK, ("network", "rieck")),
    ],
)
def test_scale_and_convention_follow_from_each_other(write, scale, convention, settled):
    settings = barcode_report(write(WEIGHTS), scale=scale, convention=convention).settings

    assert (settings["scale"], settings["np"]) == settled


@pytest.mark.parametrize(
    ("scale", "convention", "own"),
    [("layer", "rieck", "network"), ("network", "balwani", "layer"), ("none", "rieck-finite", "network")],
)
def test_a_scale_that_contradicts_the_convention_is_refused(write, scale, convention, own):
    with pytest.raises(OptionError, match=f"neural persistence {convention} has the scale {own}, not {scale}"):
        barcode_report(write(WEIGHTS), scale=Scale(scale), convention=NeuralPersistence(convention))


def test_a_layer_of_zeros_makes_the_mean_of_balwani_undefined_with_the_reason(write):
    report = barcode_report(write({"a": WEIGHTS["a"], "dead": np.zeros((2, 2))}))

    assert rows_of(report)["dead"]["undefined"] == "np_balwani: a layer of zeros"
    assert report.network["np_balwani"] is None
    assert report.network["undefined"] == "np_balwani: a layer of zeros (dead)"
    assert report.network["np_rieck"] is not None


def test_a_checkpoint_of_zeros_has_bars_but_no_scale(write):
    row = barcode_report(write({"dead": np.zeros((2, 2))})).layers[0]

    assert (row["beta0"], row["floor"], row["scale"], row["largest"], row["tau"]) == (4, 0, None, None, None)
    assert row["np_rieck"] == pytest.approx((4 / 3) ** 0.5)


def test_the_list_says_why_a_tensor_is_no_layer(write):
    rows = {row["layer"]: row for row in tensor_list(write(WEIGHTS), patterns=LayerPatterns(exclude=("embed",))).rows}

    assert {name: (row["selected"], row["reason"]) for name, row in rows.items()} == {
        "a": (True, None),
        "embed": (False, "not asked for"),
        "bias": (False, "one axis"),
    }
    assert (rows["a"]["shape"], rows["a"]["rows"], rows["bias"]["rows"]) == ("2x2", 2, None)


def test_a_checkpoint_without_layers_can_be_listed(write):
    assert [row["reason"] for row in tensor_list(write({"bias": np.ones(2)})).rows] == ["one axis"]


def test_a_checkpoint_without_tensors_is_refused(write):
    with pytest.raises(CheckpointError, match=r"model.safetensors: holds no tensors"):
        tensor_list(write({}))


def test_the_largest_numbers_do_not_overflow(write):
    report = barcode_report(write({"a": np.full((2, 3), 1.7e308)}), scale=Scale.NONE)

    assert report.layers[0]["median_death"] == 1.7e308
    assert report.to_json()


def test_what_is_not_looked_at_is_in_the_report(write):
    report = barcode_report(write(WEIGHTS), patterns=LayerPatterns(exclude=("embed",), embeddings=True))

    assert report.left_out == {"embed": "not asked for", "bias": "one axis"}
