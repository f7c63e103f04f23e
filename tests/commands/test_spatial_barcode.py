import csv

import numpy as np
import pytest
from oracles import gudhi_bars, unrolled_strengths

from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.train import train_run
from topoimp.errors import OptionError, VerificationError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.spatial import InputSize
from topoimp.topology.filter_barcodes import FilterBarcodes

SIZE = InputSize((6, 5), 2, 1)
SPATIAL = LayerPatterns(embeddings=True, view="spatial", input_sizes=(("conv*", SIZE),))


@pytest.fixture(scope="module")
def weights():
    rng = np.random.default_rng(1)
    conv = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    conv[1, :, 0, 0] = 0  # an offset without edges
    conv[2] = np.round(conv[2])  # ties
    return {"conv": conv, "fc": rng.normal(size=(5, 7)).astype(np.float32)}


def rows_of(report):
    return {row.get("layer") or "network": row for row in report.rows}


def matrices_of(weight):
    """The dense matrix of each filter."""
    kernels = [sum(np.abs(channel.astype(np.float64)) for channel in filter_) for filter_ in weight]
    return [unrolled_strengths(kernel, SIZE.sides, SIZE.stride, SIZE.padding) for kernel in kernels]


def persistences_of(matrix, scale):
    """Of the finite bars, and 1 for each essential bar, by GUDHI."""
    ends, n_essential, _ = gudhi_bars(matrix, scale)
    return np.concatenate([1 + ends, np.ones(n_essential)])


def balwani(matrix):
    """Neural persistence of a graph at its own scale, as Balwani & Krzyston define it: one essential bar left out."""
    lengths = persistences_of(matrix, matrix.max())
    return float(np.sqrt((lengths**2).sum() - 1) / np.sqrt(len(lengths) - 2))


def rieck(matrix, scale):
    lengths = persistences_of(matrix, scale)
    return float(np.sqrt((lengths**2).sum()) / np.sqrt(len(lengths) - 1))


def test_neural_persistence_of_a_convolution_is_the_sum_over_its_filters_beside_their_mean(write, weights):
    rows = rows_of(barcode_report(write(weights), patterns=SPATIAL))

    matrices = matrices_of(weights["conv"])
    largest = max(matrix.max() for matrix in [*matrices, np.abs(weights["fc"])])
    expected = {
        "np_balwani": [balwani(matrix) for matrix in matrices],
        "np_rieck": [rieck(matrix, largest) for matrix in matrices],
    }
    for column, values in expected.items():
        assert rows["conv"][column] == pytest.approx(np.mean(values), rel=1e-12)
        assert rows["conv"][f"{column}_total"] == pytest.approx(np.sum(values), rel=1e-12)
        assert rows["network"][f"{column}_total"] == rows["conv"][f"{column}_total"] + rows["fc"][column]
        assert rows["network"][column] == pytest.approx((rows["conv"][column] + rows["fc"][column]) / 2)


def test_counts_are_of_all_filters_and_the_bars_are_gudhis(write, weights):
    row = rows_of(barcode_report(write(weights), patterns=SPATIAL))["conv"]

    matrices = matrices_of(weights["conv"])
    bars = [gudhi_bars(matrix, 1.0) for matrix in matrices]
    deaths = -np.concatenate([ends for ends, _, _ in bars])
    assert (row["rows"], row["columns"], row["n_filters"], row["input_size"]) == (*matrices[0].shape, 4, "6x5:2:1")
    assert row["n_edges"] == sum(np.count_nonzero(matrix) for matrix in matrices)
    assert row["beta0"] == sum(n_essential for _, n_essential, _ in bars)
    assert (row["floor"], row["beta1"]) == (len(deaths), row["n_edges"] - len(deaths))
    assert (row["tau"], row["largest"], row["scale"]) == (deaths.min(), deaths.max(), deaths.max())
    assert row["median_death"] == pytest.approx(np.median(deaths / deaths.max()))
    assert row["last_death"] == deaths.min() / deaths.max()
    assert (row["n_weights"], row["density"]) == (108, None)


def test_total_persistence_is_that_of_all_bars_at_the_scale_of_the_row(write, weights):
    by_network = rows_of(barcode_report(write(weights), patterns=SPATIAL))
    by_filter = rows_of(barcode_report(write(weights), patterns=SPATIAL, scale="layer"))

    matrices = matrices_of(weights["conv"])
    largest = max(matrix.max() for matrix in matrices)
    for rows, scales in ((by_network, [largest] * 4), (by_filter, [matrix.max() for matrix in matrices])):
        lengths = np.concatenate([persistences_of(m, scale) for m, scale in zip(matrices, scales, strict=True)])
        assert rows["conv"]["total_persistence"] == pytest.approx((lengths**2).sum(), rel=1e-12)
        shares = lengths[lengths > 0] / lengths.sum()
        assert rows["conv"]["persistent_entropy"] == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-12)
    assert (by_filter["conv"]["scale"], by_filter["fc"]["scale"]) == (None, by_filter["fc"]["largest"])


@pytest.mark.parametrize("scale", ["layer", "none"])
def test_a_dense_layer_is_as_in_the_view_matrix(write, weights, scale):
    path = write({"fc": weights["fc"]})

    spatial = barcode_report(path, patterns=LayerPatterns(view="spatial"), scale=scale)
    matrix = barcode_report(path, scale=scale)

    (row, network), (other_row, other_network) = spatial.rows, matrix.rows
    for each in (other_row, other_network):  # rows and columns of a convolution's graph are pixels
        del each["dead_rows"], each["dead_columns"], each["largest_component"]
    assert row == {**other_row, "view": "spatial", "input_size": None, "n_filters": None, **_no_totals(scale)}
    assert network == {key: value for key, value in other_network.items() if key != "density"}


def _no_totals(scale):
    return {} if scale == "none" else dict.fromkeys(("np_rieck_total", "np_rieck_finite_total", "np_balwani_total"))


def test_a_filter_of_zeros_is_named_where_nothing_is_defined(write, weights):
    conv = weights["conv"].copy()
    conv[3] = 0

    rows = rows_of(barcode_report(write({"conv": conv}), patterns=SPATIAL))

    assert rows["conv"]["undefined"] == "np_balwani of filter 3: a layer of zeros"
    assert (rows["conv"]["np_balwani"], rows["conv"]["np_balwani_total"]) == (None, None)
    assert rows["network"]["np_balwani_total"] is None
    assert rows["conv"]["np_rieck"] > 0
    assert rows["network"]["undefined"] == "np_balwani of filter 3: a layer of zeros (conv)"


def test_a_convolution_of_zeros_has_no_death(write):
    rows = rows_of(barcode_report(write({"conv": np.zeros((2, 1, 3, 3), np.float32)}), patterns=SPATIAL))

    graph = rows["conv"]
    assert (graph["n_edges"], graph["floor"], graph["tau"], graph["median_death"]) == (0, 0, None, None)
    assert graph["beta0"] == 2 * (graph["rows"] + graph["columns"])


def test_groups_are_convolutions_of_their_own(write, weights):
    patterns = LayerPatterns(view="spatial", input_sizes=SPATIAL.input_sizes, groups=(("conv", 2),))
    whole, split = (
        barcode_report(write({"conv": weights["conv"]}), patterns=each, scale="layer") for each in (SPATIAL, patterns)
    )

    assert [row["layer"] for row in split.layers] == ["conv[0]", "conv[1]"]
    assert split.network["np_balwani_total"] == pytest.approx(whole.network["np_balwani_total"])


def test_floors_of_one_filter_are_those_of_bound(write, weights):
    conv = np.where(weights["conv"] == 0, 1, weights["conv"])
    path = write({"conv": conv})

    (bars,) = barcode_report(path, patterns=SPATIAL).layers
    (bound,) = bound_report(path, patterns=SPATIAL).layers

    assert [bars[key] for key in ("n_edges", "beta0", "floor")] == [
        4 * bound[key] for key in ("n_edges", "beta0", "floor")
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spatial") / "run"
    train_run("conv-2", output=folder, epochs=0)
    return folder


def test_a_run_folder_knows_the_images_of_its_convolutions(run):
    report = barcode_report(run / "seed-0/model.safetensors", patterns=LayerPatterns(view="spatial"))

    assert [row["input_size"] for row in report.layers] == ["8x8:1:1", "8x8:1:1", None, None, None]
    assert report.settings["input_sizes"] == ["conv1.weight=8x8:1:1", "conv2.weight=8x8:1:1"]


def test_images_that_are_given_come_before_those_of_the_run(run):
    patterns = LayerPatterns(view="spatial", input_sizes=(("conv2*", InputSize((4, 4))),))

    report = barcode_report(run / "seed-0/init.safetensors", patterns=patterns)

    assert [row["input_size"] for row in report.layers[:2]] == ["8x8:1:1", "4x4:1:same"]


def test_a_selection_of_a_run_needs_no_image_of_other_layers(run):
    path = run / "seed-0/model.safetensors"

    for report in (barcode_report, bound_report):
        rows = report(path, patterns=LayerPatterns(include=("conv2*",), view="spatial")).layers
        assert [row["layer"] for row in rows] == ["conv2.weight"]


def test_bound_knows_the_images_of_a_run_too(run):
    report = bound_report(run / "seed-0/model.safetensors", patterns=LayerPatterns(view="spatial"))

    assert report.layers[0]["critical_compression"] == 9 * 64 / (100 + 64 - 1)


def test_the_curve_is_of_weights(write, weights, tmp_path):
    with pytest.raises(OptionError, match="the view is spatial; `curve` is of weights, and needs the view matrix"):
        barcode_report(write(weights), patterns=SPATIAL, curve=tmp_path / "c.csv")


def test_gudhi_finds_the_bars_of_every_filter(write, weights):
    report = barcode_report(write(weights), patterns=SPATIAL, check=True)

    assert [row["gudhi_agrees"] for row in report.rows] == [True, True, True]


def test_a_bar_that_gudhi_does_not_find_is_named_with_its_filter(write, weights, monkeypatch):
    each = FilterBarcodes.each

    def damaged(found):
        barcodes = list(each(found))
        barcodes[2].deaths[-1] /= 2
        return iter(barcodes)

    monkeypatch.setattr(FilterBarcodes, "each", damaged)
    with pytest.raises(VerificationError, match=r"'conv/2' has a bar \d+ that dies at strength .*, and at .* by GUDHI"):
        barcode_report(write(weights), patterns=SPATIAL, check=True)


def test_layers_above_the_limit_are_not_checked(write, weights):
    report = barcode_report(write(weights), patterns=SPATIAL, check=True, check_limit=35)

    assert [row["gudhi_agrees"] for row in report.layers] == [None, True]


@pytest.mark.parametrize("scale", ["network", "layer", "none"])
def test_bars_are_written_filter_by_filter_with_their_edges(write, weights, tmp_path, scale):
    report = barcode_report(write(weights), patterns=SPATIAL, scale=scale, bars=tmp_path / "bars.csv")

    with (tmp_path / "bars.csv").open() as file:
        lines = list(csv.DictReader(file))
    for number, matrix in enumerate(matrices_of(weights["conv"])):
        own = [line for line in lines if line["layer"] == f"conv/{number}"]
        assert len(own) == sum(matrix.shape)
        for line in own:
            if line["essential"] == "false":
                strength = matrix[int(line["row"]), int(line["column"])]
                assert float(line["strength"]) == strength
                divisor = {"network": report.network["largest"], "layer": matrix.max(), "none": 1.0}[scale]
                assert float(line["death"]) == strength / divisor
    assert sum(line["layer"] == "fc" for line in lines) == 12


def test_bars_and_vectors_of_filters_have_their_names_in_npz(write, weights, tmp_path):
    barcode_report(write(weights), patterns=SPATIAL, bars=tmp_path / "b.npz", vectors=tmp_path / "v.npz", scale="layer")

    with np.load(tmp_path / "b.npz") as bars, np.load(tmp_path / "v.npz") as vectors:
        assert [float(bars[f"conv/{k}/scale"]) for k in range(4)] == [m.max() for m in matrices_of(weights["conv"])]
        assert [str(name) for name in vectors["layers"]] == [*(f"conv/{k}" for k in range(4)), "fc"]


def test_a_convolution_outside_a_run_needs_an_image(write, weights):
    with pytest.raises(
        OptionError, match="conv, of shape 4x3x3x3, has no image to be unrolled over; `input_sizes` gives"
    ):
        barcode_report(write(weights), patterns=LayerPatterns(view="spatial"))
