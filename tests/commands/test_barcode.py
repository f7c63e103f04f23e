import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import weights

from topoimp.checkpoint import write_arrays
from topoimp.choices import NeuralPersistence, Scale, View
from topoimp.commands.barcode import barcode_report
from topoimp.errors import LayerError, OptionError, OutputError, VerificationError
from topoimp.layers.records import LayerPatterns
from topoimp.topology.barcode import Barcode

WEIGHTS = {"a": np.array([[4.0, 1.0], [2.0, 0.5]]), "embed": np.array([[8.0, 1.0], [2.0, 0.5]]), "bias": np.ones(2)}


def rows_of(report):
    return {row.get("layer") or "network": row for row in report.rows}


@given(st.lists(weights(rows=st.integers(2, 12), columns=st.integers(2, 12)), min_size=1, max_size=3))
def test_dead_rows_and_columns_are_those_of_zeros_alone(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("dead") / "model.safetensors"
    write_arrays(path, {f"w{number}": array for number, array in enumerate(arrays)}, {})

    *layers, network = barcode_report(path).rows

    dead_rows = [int((array == 0).all(axis=1).sum()) for array in arrays]
    dead_columns = [int((array == 0).all(axis=0).sum()) for array in arrays]
    assert [row["dead_rows"] for row in layers] == dead_rows
    assert [row["dead_columns"] for row in layers] == dead_columns
    assert (network["dead_rows"], network["dead_columns"]) == (sum(dead_rows), sum(dead_columns))


def test_dead_rows_and_columns_of_a_view_and_of_groups_are_those_of_its_graph(write):
    kernels = np.zeros((4, 3, 2, 2))
    kernels[0, 0, 1, 1], kernels[3, 2, 0, 0] = 1, 2
    path = write({"conv": kernels})

    by_channel = rows_of(barcode_report(path, patterns=LayerPatterns(view=View.CHANNEL)))
    by_matrix = rows_of(barcode_report(path))
    grouped = rows_of(barcode_report(path, patterns=LayerPatterns(groups=(("conv", 2),))))

    assert (by_channel["conv"]["dead_rows"], by_channel["conv"]["dead_columns"]) == (2, 1)
    assert (by_matrix["conv"]["dead_rows"], by_matrix["conv"]["dead_columns"]) == (2, 10)
    assert [(row["dead_rows"], row["dead_columns"]) for row in grouped.values()] == [(1, 11), (1, 11), (2, 22)]


def test_embeddings_are_shown_and_set_the_network_scale(write):
    rows = rows_of(barcode_report(write(WEIGHTS)))

    assert [rows[name]["scale"] for name in ("a", "embed", "network")] == [8.0, 8.0, 8.0]
    assert (rows["a"]["median_death"], rows["a"]["last_death"]) == (0.25, 0.125)


def test_the_scale_is_that_of_the_network_without_excluded_layers(write):
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
    settings = barcode_report(write(WEIGHTS), scale=scale, np_convention=convention).settings

    assert (settings["scale"], settings["np_convention"]) == settled


@pytest.mark.parametrize(
    ("scale", "convention", "own"),
    [("layer", "rieck", "network"), ("network", "balwani", "layer"), ("none", "rieck-finite", "network")],
)
def test_a_scale_that_contradicts_the_convention_is_refused(write, scale, convention, own):
    with pytest.raises(OptionError, match=f"neural persistence {convention} has the scale {own}, not {scale}"):
        barcode_report(write(WEIGHTS), scale=Scale(scale), np_convention=NeuralPersistence(convention))


def test_a_network_has_the_mean_and_the_total_of_every_neural_persistence(write):
    rows = rows_of(barcode_report(write(WEIGHTS)))
    a, embed, network = rows["a"], rows["embed"], rows["network"]

    # Persistences of `a` at its own scale: 0, 1/2, 3/4, without the essential bar; of `embed` 0, 3/4, 7/8.
    by_hand = ((1 / 4 + 9 / 16) / 2) ** 0.5 + ((9 / 16 + 49 / 64) / 2) ** 0.5
    assert network["np_balwani_total"] == pytest.approx(by_hand)
    for column in ("np_rieck", "np_rieck_finite", "np_balwani"):
        assert network[f"{column}_total"] == a[column] + embed[column] == 2 * network[column]
        assert f"{column}_total" not in a


def test_a_layer_of_zeros_makes_mean_and_total_of_balwani_undefined_with_the_reason(write):
    report = barcode_report(write({"a": WEIGHTS["a"], "dead": np.zeros((2, 2))}))

    assert rows_of(report)["dead"]["undefined"] == "np_balwani: a layer of zeros"
    assert report.network["np_balwani"] is None
    assert report.network["np_balwani_total"] is None
    assert report.network["undefined"] == "np_balwani: a layer of zeros (dead)"
    assert report.network["np_rieck"] is not None


def test_a_checkpoint_of_zeros_has_bars_but_no_scale(write):
    row = barcode_report(write({"dead": np.zeros((2, 2))})).layers[0]

    assert (row["beta0"], row["floor"], row["scale"], row["largest"], row["tau"]) == (4, 0, None, None, None)
    assert row["np_rieck"] == pytest.approx((4 / 3) ** 0.5)


def test_the_largest_numbers_do_not_overflow(write):
    report = barcode_report(write({"a": np.full((2, 3), 1.7e308)}), scale=Scale.NONE)

    assert report.layers[0]["median_death"] == 1.7e308
    assert report.to_json()


def test_what_is_not_looked_at_is_in_the_report(write):
    report = barcode_report(write(WEIGHTS), patterns=LayerPatterns(exclude=("embed",), embeddings=True))

    assert report.left_out == {"embed": "not asked for", "bias": "one axis"}


def test_total_persistence_and_entropy_count_essential_bars_with_persistence_1(write):
    rows = rows_of(barcode_report(write({"a": WEIGHTS["a"]})))

    assert rows["a"]["total_persistence"] == 0.5**2 + 0.75**2 + 1
    lengths = np.array([0.5, 0.75, 1]) / 2.25
    assert rows["a"]["persistent_entropy"] == pytest.approx(-(lengths * np.log(lengths)).sum())


def test_the_network_has_the_bars_of_all_layers(write):
    report = barcode_report(write(WEIGHTS))

    totals = [row["total_persistence"] for row in report.layers]
    assert report.network["total_persistence"] == pytest.approx(sum(totals))
    assert report.network["persistent_entropy"] > max(row["persistent_entropy"] for row in report.layers)


def test_total_persistence_follows_scale_and_degree(write):
    path = write({"a": WEIGHTS["a"]})

    assert barcode_report(path, p=1).layers[0]["total_persistence"] == 2.25
    assert barcode_report(path, scale="none", p=1).layers[0]["total_persistence"] == 4 * 2.25
    assert barcode_report(path, scale="none").layers[0]["persistent_entropy"] == pytest.approx(
        barcode_report(path).layers[0]["persistent_entropy"]
    )


def test_what_nothing_divides_may_have_no_total_or_no_entropy_and_says_so(write):
    large = barcode_report(write({"a": np.full((2, 3), 1.7e308)}), scale="none")
    zeros = barcode_report(write({"a": np.zeros((2, 2))}), scale="none")

    undivided = "no neural persistence: nothing is divided"
    assert large.layers[0]["undefined"] == f"{undivided}; total_persistence: beyond all numbers"
    assert zeros.network["undefined"] == f"{undivided}; persistent_entropy: no bar has a persistence"
    assert (zeros.network["total_persistence"], zeros.network["persistent_entropy"]) == (0.0, None)


@pytest.mark.parametrize("p", [0.9, float("inf")])
def test_a_norm_that_is_none_is_refused_before_anything_is_looked_at(p, tmp_path):
    with pytest.raises(OptionError, match=f"the norm's p is {p}"):
        barcode_report(tmp_path / "missing.safetensors", p=p)


def test_all_files_are_written_together(write, tmp_path):
    bars, vectors, curve = (tmp_path / name for name in ("b.csv", "v.npz", "c.csv"))

    report = barcode_report(write(WEIGHTS), bars=bars, vectors=vectors, curve=curve)

    assert report.outputs == {"bars": bars, "vectors": vectors, "curve": curve}
    assert len(bars.read_text().splitlines()) == 1 + 4 + 4
    assert len(curve.read_text().splitlines()) == 1 + 2 * 101
    with np.load(vectors) as arrays:
        assert (arrays["layers"].tolist(), arrays["landscapes"].shape) == (["a", "embed"], (2, 500))


@pytest.mark.parametrize(
    ("scale", "birth", "deaths"),
    [
        (Scale.NETWORK, -1, [-0.5, -0.25, -0.125, np.inf]),
        (Scale.LAYER, -1, [-1, -0.5, -0.25, np.inf]),
        (Scale.NONE, -8, [-4, -2, -1, np.inf]),
    ],
)
def test_bars_are_scaled_as_the_report_says(write, tmp_path, scale, birth, deaths):
    barcode_report(write(WEIGHTS), bars=tmp_path / "b.npz", bar_convention="gudhi", scale=scale)

    with np.load(tmp_path / "b.npz") as arrays:
        assert arrays["a/death"].tolist() == deaths
        assert arrays["a/birth"].tolist() == [birth] * 4


def test_curves_have_a_line_for_each_layer_and_level(write, tmp_path):
    barcode_report(write({**WEIGHTS, "dead": np.zeros((2, 2))}), curve=tmp_path / "c.csv", levels=[0.25, 0])

    assert (tmp_path / "c.csv").read_text().splitlines() == [
        "layer,level,strength,n_edges,beta0,beta1,beta0_iid,beta1_iid",
        "a,0.25,2.0,2,2,0,2.0,0.0",
        "a,0.0,0.0,4,1,1,1.0,1.0",
        "dead,0.25,2.0,0,4,0,4.0,0.0",
        "dead,0.0,0.0,0,4,0,4.0,0.0",
        "embed,0.25,2.0,2,2,0,2.0,0.0",
        "embed,0.0,0.0,4,1,1,1.0,1.0",
    ]


def test_levels_of_a_curve_are_strengths_where_nothing_is_divided(write, tmp_path):
    barcode_report(write({"a": WEIGHTS["a"]}), curve=tmp_path / "c.csv", scale="none")

    levels = [line.split(",")[1] for line in (tmp_path / "c.csv").read_text().splitlines()[1:]]
    assert (levels[0], levels[50], levels[-1]) == ("4.0", "2.0", "0.0")


def test_a_layer_without_a_scale_has_a_curve_without_strengths(write, tmp_path):
    barcode_report(write({"dead": np.zeros((2, 2))}), curve=tmp_path / "c.csv", levels=[1])

    assert (tmp_path / "c.csv").read_text().splitlines()[1] == "dead,1.0,,0,4,0,4.0,0.0"


def test_a_curve_without_an_expectation_leaves_it_blank(write, tmp_path, monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 3)

    barcode_report(write({"a": WEIGHTS["a"]}), curve=tmp_path / "c.csv", levels=[0])

    assert (tmp_path / "c.csv").read_text().splitlines()[1] == "a,0.0,0.0,4,1,1,,"


def test_what_is_expected_of_a_curve_depends_on_the_seed_where_it_is_simulated(write, tmp_path):
    path = write({"a": np.arange(1.0, 101).reshape(4, 25)})

    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        barcode_report(path, curve=tmp_path / f"{name}.csv", levels=[0.5], seed=seed)

    first, again, other = ((tmp_path / f"{name}.csv").read_text() for name in "abc")
    assert first == again != other


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"bars": "b.txt"}, "`bars` is b.txt; its name must end in .csv or .npz"),
        ({"vectors": "v.csv"}, "`vectors` is v.csv; its name must end in .npz"),
        ({"curve": "c.npz"}, "`curve` is c.npz; its name must end in .csv"),
        ({"levels": [-1.0]}, "a level is -1.0; levels are finite numbers, 0 or above"),
        ({"bar_convention": "up"}, "there is no bar convention 'up'"),
        ({"check_limit": -1}, "the limit of edges that are checked is -1"),
    ],
)
def test_files_that_do_not_fit_are_refused(write, files, message):
    with pytest.raises(OptionError, match=message):
        barcode_report(write(WEIGHTS), **files)


def test_existing_files_are_refused_and_nothing_is_left_behind(write, tmp_path):
    bars = tmp_path / "b.csv"
    bars.write_text("mine")

    with pytest.raises(OutputError, match=r"b\.csv: exists already; `force` replaces it"):
        barcode_report(write(WEIGHTS), bars=bars, curve=tmp_path / "c.csv")

    assert bars.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.csv", "model.safetensors"]


def test_existing_files_are_replaced_by_force(write, tmp_path):
    bars = tmp_path / "b.csv"
    bars.write_text("mine")

    barcode_report(write(WEIGHTS), bars=bars, force=True)

    assert bars.read_text().startswith("layer,row")


def test_two_files_of_one_name_are_refused(write, tmp_path):
    with pytest.raises(OutputError, match=r"b\.npz: named for two outputs; each needs a name of its own"):
        barcode_report(write(WEIGHTS), bars=tmp_path / "b.npz", vectors=tmp_path / "b.npz")


def test_the_input_is_never_an_output(write, tmp_path):
    path = write(WEIGHTS)
    (tmp_path / "link.csv").hardlink_to(path)

    with pytest.raises(OptionError, match=r"link\.csv: is the input; an output needs another name"):
        barcode_report(path, bars=tmp_path / "link.csv", force=True)


def test_nothing_is_written_into_a_checkpoint_that_is_a_folder(write, tmp_path):
    (tmp_path / "model").mkdir()
    write(WEIGHTS, name="model/model.safetensors")

    with pytest.raises(OptionError, match=r"b.csv: lies inside the input .*model; an output needs another place"):
        barcode_report(tmp_path / "model", bars=tmp_path / "model/b.csv")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_output_needs_a_name(write, name):
    with pytest.raises(OptionError, match=r"its name must end in \.csv or \.npz"):
        barcode_report(write(WEIGHTS), bars=name)


def test_links_are_no_outputs(write, tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "elsewhere.csv")

    with pytest.raises(OutputError, match=r"link\.csv: is a link; name what it leads to"):
        barcode_report(write(WEIGHTS), bars=tmp_path / "link.csv", force=True)


def test_an_output_needs_a_folder_that_is_there(write, tmp_path):
    with pytest.raises(OutputError, match=r"b.csv: cannot be written: No such file or directory"):
        barcode_report(write(WEIGHTS), bars=tmp_path / "nowhere/b.csv")


def test_gudhi_agrees_layer_by_layer(write):
    report = barcode_report(write(WEIGHTS), check=True)

    assert [row["gudhi_agrees"] for row in report.rows] == [True, True, True]
    assert report.settings["check_limit"] == 4_000_000


def test_layers_that_are_too_large_are_not_checked(write):
    report = barcode_report(write({"a": WEIGHTS["a"], "b": np.ones((2, 3))}), check=True, check_limit=4)

    assert [row["gudhi_agrees"] for row in report.rows] == [True, None, None]


def test_a_check_of_nothing_is_an_error(write):
    message = r"no layer was compared with GUDHI; the smallest has 4 edges, and `check_limit` is 3"

    with pytest.raises(LayerError, match=message):
        barcode_report(write(WEIGHTS), check=True, check_limit=3)


def test_channels_and_groups_are_checked_as_the_graphs_that_they_are(write):
    kernels = {"conv": np.random.default_rng(0).normal(size=(6, 4, 3, 3))}
    patterns = LayerPatterns(groups=(("conv", 2),), view=View.CHANNEL)

    report = barcode_report(write(kernels), patterns=patterns, check=True, check_limit=12)

    assert [(row["layer"], row["gudhi_agrees"]) for row in report.layers] == [("conv[0]", True), ("conv[1]", True)]


def test_without_a_check_there_is_no_column_about_it(write):
    assert "gudhi_agrees" not in barcode_report(write(WEIGHTS)).rows[0]


def test_if_gudhi_differs_nothing_is_written(write, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "topoimp.topology.gudhi_check.barcode_by_gudhi", lambda _: Barcode(np.array([4.0, 2.0, 2.0]), 1)
    )

    with pytest.raises(VerificationError, match=r"'a' has a bar 2 that dies at strength 1.0, and at 2.0 by GUDHI"):
        barcode_report(write({"a": WEIGHTS["a"]}), check=True, bars=tmp_path / "b.csv")

    assert not (tmp_path / "b.csv").exists()


@pytest.fixture
def files_by(write, tmp_path):
    """Write all files with so many threads, and give their bytes."""
    path = write({name: np.random.default_rng(k).normal(size=(40, 50)) for k, name in enumerate("abc")})

    def write_files(threads):
        bars, vectors, curve = (tmp_path / name for name in ("b.npz", "v.npz", "c.csv"))
        barcode_report(path, bars=bars, vectors=vectors, curve=curve, threads=threads, force=True)
        return bars.read_bytes(), vectors.read_bytes(), curve.read_bytes()

    return write_files


def test_files_are_the_same_whatever_the_number_of_threads(files_by):
    assert files_by(threads=1) == files_by(threads=3)


def test_steps_count_both_looks_at_a_layer(write, tmp_path):
    steps = []

    barcode_report(write(WEIGHTS), curve=tmp_path / "c.csv", on_step=lambda done, total: steps.append((done, total)))

    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_files_were_made_by_is_in_the_settings(write, tmp_path):
    names = {"bars": tmp_path / "b.csv", "vectors": tmp_path / "v.npz", "curve": tmp_path / "c.csv"}

    settings = barcode_report(write(WEIGHTS), **names, levels=[0.5, 0.123456789]).settings

    assert (settings["bar_convention"], settings["n_landscapes"], settings["levels"]) == (
        "superlevel",
        5,
        ["0.5", "0.123456789"],
    )


def test_the_largest_component_of_layers_and_network(write):
    halves = np.zeros((4, 6))
    halves[:3, :2] = halves[3:, 2:5] = 1
    report = barcode_report(write({"halves": halves, "dead": np.zeros((2, 2)), "whole": np.ones((2, 2))}))

    assert {name: row["largest_component"] for name, row in rows_of(report).items()} == {
        "halves": 5,
        "dead": 1,
        "whole": 4,
        "network": 5,
    }


def test_the_components_of_all_layers_are_a_file(write, tmp_path):
    path = write({"a": np.diag([1.0, 2.0]), "b": np.ones((2, 3))})

    report = barcode_report(path, components=tmp_path / "c.csv")

    assert report.outputs == {"components": tmp_path / "c.csv"}
    assert (tmp_path / "c.csv").read_text().splitlines()[1:] == ["a,0,2,1,1,0,0", "a,1,2,1,1,1,1", "b,0,5,2,3,0,0"]


def test_the_file_of_components_is_csv():
    with pytest.raises(OptionError, match=r"`components` is c\.npz; its name must end in \.csv"):
        barcode_report("absent", components="c.npz")
