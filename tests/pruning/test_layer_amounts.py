"""Sparsities of single layers: by pattern, and from a table, as ``bound`` prints it."""

import csv

import numpy as np
import pytest
from conftest import stream_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import weights

from topoimp.checkpoint import write_arrays
from topoimp.commands.bound import bound_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run
from topoimp.errors import OptionError, OutputError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.layer_amounts import layer_sparsities
from topoimp.pruning.options import PruningOptions


def targets(path, **options):
    """The targets of all rounds by layer."""
    stream = stream_of(path)
    schedule = PruningOptions(**options).scheme(stream.layers.infos).schedule
    n_edges = {info.name: int(np.count_nonzero(stream.layers.read(info).edges())) for info in stream.layers.infos}
    return {info.name: schedule.targets_of(info, n_edges[info.name]) for info in stream.layers.infos}


@pytest.fixture
def two(write):
    """Two layers: of 100 weights, and of 16 weights with 4 zeros."""
    other = np.arange(1.0, 17).reshape(4, 4)
    other[0] = 0
    return write({"a": np.arange(1.0, 101).reshape(10, 10), "b": other})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"layer_sparsity": {"a": 0.75}}, {"a": [25], "b": [12]}),
        ({"layer_sparsity": {"b": 0.5}}, {"a": [100], "b": [8]}),
        ({"layer_sparsity": {"b": 0.0}}, {"a": [100], "b": [12]}),
        ({"layer_sparsity": {"b": 1.0}, "rounds": 2}, {"a": [100, 100], "b": [0, 0]}),
        ({"layer_sparsity": {"a": 0.75}, "rounds": 2}, {"a": [50, 25], "b": [12, 12]}),
        ({"layer_sparsity": {"a": 0.75}, "rounds": 2, "schedule": "linear"}, {"a": [63, 25], "b": [12, 12]}),
        ({"layer_sparsity": {"a": 0.75}, "rounds": 2, "rate": 0.5}, {"a": [50, 25], "b": [6, 3]}),
        ({"layer_sparsity": {"a": 0.75}, "rounds": 1, "sparsity": 0.5}, {"a": [25], "b": [8]}),
        ({"layer_sparsity": {"a": 0.75, "*": 0.5}}, {"a": [25], "b": [8]}),
    ],
)
def test_targets_by_hand(two, options, expected):
    assert targets(two, **options) == expected


def test_in_the_scope_global_the_others_share_a_target(two):
    report = prune_checkpoint(
        two, PruningOptions(sparsity=0.5, rounds=1, layer_sparsity={"a": 0.75}, scope="global")
    ).report

    assert [(row.get("layer"), row["target"], row["n_kept"]) for row in report.rows] == [
        ("a", 25, 25),
        ("b", None, 8),
        (None, 33, 33),
    ]
    assert report.settings["layer_sparsity"] == ["a=0.75"]


@given(st.lists(weights(rows=st.integers(2, 8), columns=st.integers(2, 8)), min_size=1, max_size=3))
def test_safe_sparsities_that_are_fed_back_keep_every_barcode_and_no_weight_more(tmp_path_factory, arrays):
    folder = tmp_path_factory.mktemp("safe")
    path, table = folder / "model.safetensors", folder / "safe.csv"
    write_arrays(path, {f"layer{k}": array for k, array in enumerate(arrays)}, {})
    bound = bound_report(path)
    table.write_text(bound.to_csv())

    options = PruningOptions(method="magnitude", layer_sparsity=table)
    rows = prune_checkpoint(path, options).report.layers if bound.network["n_edges"] else []

    safe = {row["layer"]: row["safe_count"] for row in bound.layers}
    assert all(row["barcode_kept"] and row["n_kept"] == row["target"] == safe[row["layer"]] for row in rows)


def test_the_table_of_bound_of_a_real_network_is_taken_and_one_weight_fewer_loses_a_bar(lenet, tmp_path):
    table = tmp_path / "safe.csv"
    table.write_text(bound_report(lenet).to_csv())
    found = layer_sparsities(table)

    kept = prune_checkpoint(lenet, PruningOptions(method="magnitude", layer_sparsity=str(table))).report
    fewer = {
        name: sparsity + 1 / size for (name, sparsity), size in zip(found.items(), (235200, 30000, 1000), strict=True)
    }
    lost = prune_checkpoint(lenet, PruningOptions(method="magnitude", layer_sparsity=fewer), force=True).report

    assert [row["n_kept"] for row in kept.layers] == [53131, 4546, 329]
    assert [row["barcode_kept"] for row in kept.layers] == [True] * 3
    assert [row["n_kept"] for row in lost.layers] == [53130, 4545, 328]
    assert [row["barcode_kept"] for row in lost.layers] == [False] * 3


def test_rounds_of_a_run_folder_land_on_sparsities_and_go_on_with_the_same_alone(run):
    options = {"method": "magnitude", "layer_sparsity": {"fc1*": 0.75}}

    report = prune_run(run, PruningOptions(rounds=2, **options), seeds=[0]).report

    last = {row["layer"]: row["n_kept"] / row["n_weights"] for row in report.layers if row["round"] == 2}
    assert last == {"fc1.weight": 0.25, "fc2.weight": 1.0}
    assert prune_run(run, PruningOptions(rounds=2, **options), seeds=[0]).n_new == 0
    with pytest.raises(OutputError, match="layer_sparsity"):
        prune_run(run, PruningOptions(rounds=2, method="magnitude", layer_sparsity={"fc1*": 0.5}), seeds=[0])


def saved(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_table_of_ones_own_has_layers_and_sparsities(tmp_path):
    rows = [("layer", "safe_sparsity", "sparsity"), ("a", 0.9, 0.5), ("b", 0.9, ""), ("c*", 0.9, 0)]

    assert layer_sparsities(saved(tmp_path / "own.csv", rows)) == {"a": 0.5, "c*": 0.0}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("layer", "rate"), ("a", 0.5)],
            "own.csv: has layer, rate; needed is a CSV file with the columns",
        ),
        ([], "own.csv: has no rows; needed is"),
        ([("name", "sparsity"), ("a", 0.5)], "own.csv: has name, sparsity; needed is"),
        ([("layer", "sparsity"), ("a", "half")], "the sparsity of a is half; it must be at least 0 and at most 1"),
        ([("layer", "sparsity"), ("a", 1.5)], "the sparsity of a is 1.5; it must be at least 0 and at most 1"),
        ([("layer", "sparsity"), ("a", "nan")], "the sparsity of a is nan; it must be at least 0 and at most 1"),
        (
            [("layer", "sparsity"), ("a", 0.5), ("a", 0.5)],
            "`layer_sparsity` names a twice; each layer has",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, rows, message):
    with pytest.raises(OptionError, match=message):
        layer_sparsities(saved(tmp_path / "own.csv", rows))


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "image.png").write_bytes(bytes(range(256)))

    for name in ("missing.csv", "image.png"):
        with pytest.raises(OptionError, match=f"{name}: cannot be read as a table; needed is a CSV file"):
            PruningOptions(layer_sparsity=tmp_path / name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer_sparsity": {"a": -0.1}}, "the sparsity of a is -0.1; it must be at least 0 and at most 1"),
        ({"layer_sparsity": {"c": 0.5}}, "pattern 'c' matches no layer that is pruned; the last of them are a, b"),
        ({"layer_sparsity": {"a": 0.5}, "layer_rates": {"b": 0.5}}, "single layers have rates or sparsities; give"),
        ({"layer_sparsity": {"a": 0.5}, "preset": "paper"}, "the preset paper has one rate for all layers"),
        ({"layer_sparsity": {"a": 0.5}, "scope": "erk"}, "in the scope erk shapes decide; sparsities of layers need"),
    ],
)
def test_options_that_do_not_fit_are_refused(two, options, message):
    infos = stream_of(two).layers.infos
    with pytest.raises(OptionError, match=message):
        PruningOptions(**options).scheme(infos)


def test_a_group_of_a_tensor_is_named_as_bound_names_it(write):
    path = write({"experts": np.arange(1.0, 33).reshape(8, 4)})
    patterns = LayerPatterns(groups=[("experts", 2)])
    names = [row["layer"] for row in bound_report(path, patterns=patterns).layers]

    report = prune_checkpoint(
        path, PruningOptions(layer_sparsity={names[0]: 0.5}, method="magnitude", patterns=patterns)
    )

    assert [row["n_kept"] for row in report.report.layers] == [8, 16]
