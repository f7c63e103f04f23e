import numpy as np
import pytest

from topoimp.commands.bound import architecture_bound_report, bound_report
from topoimp.errors import OptionError


def test_a_trained_network_by_its_definitions(lenet):
    report = bound_report(lenet)

    assert [row["floor"] for row in report.layers] == [1083, 399, 109]
    assert report.network["critical_compression"] == pytest.approx(266_200 / 1_591)
    assert report.network["rounds_to_floor"] == 9
    assert report.network["safe_count"] == sum(row["safe_count"] for row in report.layers)
    assert report.network["safe_rounds"] == min(row["safe_rounds"] for row in report.layers)
    assert report.network["tau"] == min(row["tau"] for row in report.layers)
    assert report.network["binding_layer"] == "fc1.weight"


def test_by_hand(write):
    report = bound_report(write({"a": np.array([[4.0, 1.0], [2.0, 0.5]]), "b": np.array([[8.0, 3.0], [6.0, 0.0]])}))

    a, b = report.layers
    assert (a["floor"], a["tau"], a["safe_count"], a["safe_sparsity"], a["binding_vertex"]) == (
        3,
        1.0,
        3,
        0.25,
        "column 1",
    )
    assert (b["floor"], b["tau"], b["safe_count"], b["safe_sparsity"], b["n_edges"]) == (3, 3.0, 3, 0.25, 3)
    assert (report.network["safe_count_global"], report.network["binding_layer"]) == (6, "a")
    assert report.network["safe_sparsity_global"] == 0.25


def test_layers_of_zeros_bound_nothing(write):
    report = bound_report(write({"a": np.zeros((2, 3))}))

    assert report.layers[0]["undefined"] == "a layer of zeros"
    assert report.layers[0]["critical_density"] is None
    assert report.network["undefined"] == "all layers are zero"
    assert "binding_layer" not in report.network


@pytest.mark.parametrize(
    ("model", "floor"),
    [("lenet-300-100", 1_591), ("mlp:784-300-100-10", 1_591), ("lenet-5", 2_401), ("conv-2", 18_144)],
)
def test_an_architecture_alone_has_its_floors(model, floor):
    report = architecture_bound_report(model)

    assert report.network["floor"] == floor
    assert "safe_count" not in report.network


def test_a_single_row_or_column_is_no_layer_of_an_architecture_either():
    report = architecture_bound_report("mlp:784-300-1-10")

    assert [row["layer"] for row in report.layers] == ["fc1.weight"]
    with pytest.raises(OptionError, match=r"mlp:784-1-10 has no layer of two rows and two columns or more"):
        architecture_bound_report("mlp:784-1-10")


def test_an_architecture_has_the_floors_of_its_trained_network(lenet):
    columns = ("layer", "rows", "columns", "n_edges", "floor", "critical_compression", "rounds_to_floor")

    trained, alone = bound_report(lenet, rate=0.3), architecture_bound_report("lenet-300-100", rate=0.3)

    assert [[row[c] for c in columns] for row in alone.layers] == [[row[c] for c in columns] for row in trained.layers]
