"""Rounds are compared with their own round 0, or each with the one before, and never by chance with another seed's."""

import csv
import shutil
from collections import Counter

import pytest

from topoimp.commands.compare import comparison_report
from topoimp.commands.compare_over_seeds import comparison_over_seeds
from topoimp.commands.prune_run import prune_run
from topoimp.errors import CheckpointError, OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.options import PruningOptions
from topoimp.topology import forest
from topoimp.topology.strong_edges import collect


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A run folder with rounds of magnitude pruning, and of others of one seed each; tests only read it."""
    run = shutil.copytree(trained, tmp_path_factory.mktemp("pruned") / "run")
    prune_run(run, PruningOptions(rounds=3, method="magnitude"), jobs=1)
    prune_run(run, PruningOptions(rounds=2, rate=0.5), seeds=[0])
    prune_run(run, PruningOptions(rounds=2, method="magnitude", scope="global"), seeds=[1])
    return run


PRUNINGS = ["seed-0/magnitude", "seed-0/topological", "seed-1/magnitude", "seed-1/magnitude-global"]


def rows_of(report, pruning):
    """The rows of one pruning in a report, without the column that only rounds with an own reference have."""
    rows = [row for row in report.rows if f"/{pruning}/round-" in row["other"]]
    return [{name: cell for name, cell in row.items() if name != "pruning"} for row in rows]


def without_family(rows):
    """Rows without the p-values that are corrected for all rows of their report."""
    return [{name: value for name, value in row.items() if name != "p_holm"} for row in rows]


@pytest.mark.parametrize("pruning", PRUNINGS)
@pytest.mark.parametrize("null", [None, "shuffle:3"])
def test_each_round_is_compared_with_its_own_round_0(run, pruning, null):
    report = comparison_report(run, null=null)

    expected = comparison_report(run / pruning / "round-00/model.safetensors", run / pruning, null=null)
    assert without_family(rows_of(report, pruning)) == without_family(expected.rows)
    assert {row["pruning"] for row in report.rows} == {"magnitude", "magnitude-global", "topological"}
    assert (report.inputs, report.settings["reference"]) == ({"run": run}, "round-0")


@pytest.mark.parametrize("pruning", PRUNINGS)
def test_each_round_is_compared_with_the_one_before(run, pruning):
    report = comparison_report(run, reference="previous", null="shuffle:3")

    expected = [
        row
        for number in (1, 2, 3)
        if (run / pruning / f"round-0{number}").is_dir()
        for row in comparison_report(
            run / pruning / f"round-0{number - 1}/model.safetensors", run / pruning, rounds=[number], null="shuffle:3"
        ).rows
    ]
    assert without_family(rows_of(report, pruning)) == without_family(expected)
    assert report.settings["reference"] == "previous"


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


SHARES = ("retention", "retention_guaranteed", "retention_iid", "retention_random", "excess")


@pytest.mark.parametrize(("reference", "prefix"), [("round-0", ""), ("previous", "round_")])
def test_rounds_csv_has_the_retentions_and_the_numbers_by_chance_of_each_comparison(run, reference, prefix):
    rows = comparison_report(run, reference=reference).rows

    names = ("seed", "pruning", "round", "layer")
    found = {tuple(str(row.get(name, "")) for name in names): [row[share] for share in SHARES] for row in rows}
    expected = {
        (row["seed"], name_of(row), row["round"], row["layer"]): [float(row[prefix + share]) for share in SHARES]
        for row in table(run / "rounds.csv")
        if row[f"{prefix}retention"]
    }
    assert found == expected
    assert len(found) == 3 * (10 if prefix else 14)  # two layers and the network of each round


def name_of(row):
    """The folder of the pruning of a row in rounds.csv, at epsilon 0."""
    return row["method"] + ("-global" if row["scope"] == "global" else "")


def test_each_forest_is_found_once_in_a_pass(run, monkeypatch):
    found = Counter()

    def collect_counted(layer, threads):
        found[layer.codes.tobytes()] += 1
        return collect(layer, threads)

    monkeypatch.setattr(forest, "collect", collect_counted)
    for reference in ("round-0", "previous"):
        comparison_report(run / "seed-0/magnitude", reference=reference)

    assert list(found.values()) == [2] * (2 * 4)  # two comparisons; two layers of four rounds


def test_selected_rounds_seeds_and_methods_are_compared(run):
    def places(**selection):
        return [(row["seed"], row["pruning"], row["round"]) for row in comparison_report(run, **selection).rounds]

    last = [(0, "magnitude", 3), (0, "topological", 2), (1, "magnitude", 3), (1, "magnitude-global", 2)]
    assert places(rounds=["last"]) == last
    assert places(rounds=[2, 1], seeds=[0], method="topological") == [(0, "topological", 1), (0, "topological", 2)]
    assert places(seeds=[1], rounds=["last", 0], reference="round-0") == [
        (1, "magnitude", 0),
        (1, "magnitude", 3),
        (1, "magnitude-global", 0),
        (1, "magnitude-global", 2),
    ]
    assert places(rounds=["last"], reference="previous") == last
    assert places(rounds=[0, 1, 3], reference="previous", method="magnitude", seeds=[0]) == [
        (0, "magnitude", 1),
        (0, "magnitude", 3),
    ]


def test_the_settings_say_what_was_selected(run):
    settings = comparison_report(run, rounds=[1, "last"], seeds=[0], method="magnitude").settings

    assert (settings["rounds"], settings["seeds"], settings["method"]) == (["1", "last"], ["0"], "magnitude")
    assert comparison_report(run).settings["rounds"] is None


@pytest.mark.parametrize(
    ("selection", "error", "message"),
    [
        ({"rounds": [4]}, CheckpointError, "run: has no finished round 4"),
        ({"seeds": [0, 7]}, CheckpointError, "run: has no round of seed 7"),
        ({"method": "random"}, CheckpointError, "run: has no round of method random"),
        ({"method": "best"}, CheckpointError, "run: has no round of method best"),
        ({"rounds": ["first"]}, OptionError, "`rounds` names 'first'; it must be numbers from 0 on, or last"),
        ({"rounds": [-1]}, OptionError, "`rounds` names -1; it must be numbers from 0 on, or last"),
        ({"rounds": []}, OptionError, "`rounds` is empty; it must name at least one"),
        ({"seeds": []}, OptionError, "`seeds` is empty; it must name at least one"),
        ({"rounds": [0], "reference": "previous"}, OptionError, "only round 0 is selected, and no round is before it"),
        ({"reference": "first"}, OptionError, "there is no round reference 'first'; known are round-0, previous"),
        ({"across_seeds": True}, OptionError, "`across_seeds` is given, but each round has a reference of its own"),
    ],
)
def test_a_selection_that_means_nothing_is_refused(run, selection, error, message):
    with pytest.raises(error, match=message):
        comparison_report(run, **selection)


@pytest.mark.parametrize("given", [{"rounds": [1]}, {"seeds": [0]}, {"method": "random"}, {"across_seeds": True}])
def test_a_selection_among_no_rounds_is_refused(lenet, given):
    with pytest.raises(OptionError, match=f"`{next(iter(given))}` is about rounds of pruning, and none is compared"):
        comparison_report(lenet, lenet, **given)


def test_a_checkpoint_has_no_reference_of_its_own(run, lenet):
    with pytest.raises(OptionError, match="safetensors: holds no rounds of pruning; only rounds have references of"):
        comparison_report(lenet, run, reference="previous")
    with pytest.raises(OptionError, match=r"run: is a folder of rounds, and no reference for .*mnist.safetensors; a "):
        comparison_report(run, lenet)
    with pytest.raises(OptionError, match="there is nothing to compare; at least one folder of rounds is needed"):
        comparison_report(reference="previous")


@pytest.mark.parametrize("name", ["init", "rewind", "model", "magnitude/round-01/model"])
def test_the_rounds_of_another_seed_are_refused(run, name):
    reference = run / f"seed-0/{name}.safetensors"

    assert {row["seed"] for row in comparison_report(reference, run, seeds=[0]).rows} == {0}
    with pytest.raises(
        CheckpointError,
        match=r"seed-0/.*: is not the network of seed 1 that .*seed-1/magnitude starts from; without a reference each "
        "round is compared with its own round 0, and `across_seeds` compares it with this one all the same",
    ):
        comparison_report(reference, run)
    assert {row["seed"] for row in comparison_report(reference, run, across_seeds=True).rows} == {0, 1}


def test_a_copy_of_a_network_is_known_by_its_weights(run, tmp_path):
    copy = shutil.copy(run / "seed-1/model.safetensors", tmp_path / "copy.safetensors")

    report = comparison_report(copy, run / "seed-1")

    assert report.rounds[0]["retention"] == 1.0
    assert report.settings["across_seeds"] is False
    with pytest.raises(CheckpointError, match="is not the network of seed 0 that "):
        comparison_report(copy, run / "seed-0")


def test_a_round_that_was_removed_is_missed_as_a_reference(run, tmp_path):
    pruning = shutil.copytree(run / "seed-0/magnitude", tmp_path / "seed-0/magnitude")
    model = shutil.copytree(run / "seed-0", tmp_path / "copy") / "model.safetensors"
    shutil.rmtree(pruning / "round-01")

    assert [row["round"] for row in comparison_report(pruning).rounds] == [0, 2, 3]
    assert [row["round"] for row in comparison_report(pruning, reference="previous", rounds=[3]).rounds] == [3]
    with pytest.raises(CheckpointError, match="magnitude: has no finished round 1, the reference of round 2"):
        comparison_report(pruning, reference="previous")
    shutil.rmtree(pruning / "round-00")
    with pytest.raises(CheckpointError, match="magnitude: has no finished round 0, the reference of round 2"):
        comparison_report(pruning)
    with pytest.raises(CheckpointError, match="has no finished round 0, which tells its network; `across_seeds` "):
        comparison_report(model, pruning)
    assert [row["round"] for row in comparison_report(model, pruning, across_seeds=True).rounds] == [2, 3]


def test_several_folders_are_compared_one_after_the_other(run):
    folders = [run / pruning for pruning in PRUNINGS]

    report = comparison_report(*folders)

    assert report.rows == comparison_report(run).rows
    assert report.inputs == {f"run-{number + 1}": folder for number, folder in enumerate(folders)}


def test_progress_counts_the_layers_of_all_passes(run):
    steps = []

    comparison_report(run, on_step=lambda done, total: steps.append((done, total)), threads=1)

    assert steps == [(number, 8) for number in range(1, 9)]


def test_layers_are_selected_as_elsewhere(run):
    report = comparison_report(run, reference="previous", patterns=LayerPatterns(include=("fc1*",)), threads=1)

    assert {row["layer"] for row in report.layers} == {"fc1.weight"}
    assert list(report.left_out) == ["fc1.bias", "fc2.bias", "fc2.weight"]


def cells(rows, **which):
    """The rows that have these cells."""
    return [row for row in rows if all(row.get(name) == cell for name, cell in which.items())]


@pytest.mark.parametrize("reference", ["round-0", "previous"])
def test_over_the_seeds_a_comparison_has_the_statistics_of_the_tables(run, reference):
    report = comparison_over_seeds(comparison_report(run, reference=reference))

    prefix = {"round-0": "", "previous": "round_"}[reference]
    for share in SHARES:
        written = cells(table(run / "summary.csv"), method="magnitude", scope="layer", quantity=prefix + share)
        found = cells(report.rows, pruning="magnitude", quantity=share)
        names = ("round", "level", "n_seeds", "mean", "mean_low", "mean_high", "minimum", "maximum")
        assert [[str(row[name]) for name in names] for row in found] == [
            [row[name] for name in names] for row in written
        ]
    assert report.settings["over_seeds"] is True


def test_over_the_seeds_prunings_with_the_same_targets_are_compared(run):
    report = comparison_over_seeds(comparison_report(run, null="columns:3", rounds=["last"]))

    assert {(row["pruning"], row["baseline"]) for row in report.rows if "baseline" in row} == set()  # 3 and 2 rounds
    report = comparison_over_seeds(comparison_report(run, null="columns:3", rounds=[2]))
    (found,) = cells(report.rows, baseline="magnitude", level="network", quantity="retention_null")
    alone = {row["pruning"]: row for row in comparison_report(run, null="columns:3", rounds=[2], seeds=[1]).rounds}
    assert (found["pruning"], found["n_seeds"], found["mean_low"]) == ("magnitude-global", 1, None)
    assert found["mean"] == alone["magnitude-global"]["retention_null"] - alone["magnitude"]["retention_null"]


def test_two_run_folders_are_not_one(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")

    report = comparison_over_seeds(comparison_report(run, copy, rounds=[1], method="topological"))

    assert [row["n_seeds"] for row in cells(report.rows, level="network", quantity="retention")] == [1, 1]


def test_prunings_of_other_settings_are_not_one(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    settings = copy / "seed-1/magnitude/pruning.toml"
    settings.write_text(settings.read_text() + "other = 1\n")

    report = comparison_over_seeds(comparison_report(copy, rounds=[1]))

    found = cells(report.rows, pruning="magnitude", level="network", quantity="retention")
    assert [row["n_seeds"] for row in found] == [1, 1]


def test_a_comparison_of_checkpoints_has_no_seeds(lenet):
    with pytest.raises(OptionError, match="`over_seeds` is about rounds of pruning, and none is compared"):
        comparison_over_seeds(comparison_report(lenet, lenet))


def test_each_null_model_has_means_of_its_own(run):
    compared = comparison_report(run, null=["columns:3", "rows:3"], rounds=[3], reference="previous")

    found = cells(comparison_over_seeds(compared).rows, level="network", quantity="excess", pruning="magnitude")

    assert [row["n_seeds"] for row in found] == [2, 2]
    for row in found:
        excesses = [each["excess"] for each in cells(compared.rounds, null=row["null"], pruning="magnitude")]
        assert row["mean"] == pytest.approx(sum(excesses) / 2)
    assert {row["null"] for row in found} == {row["null"] for row in compared.rows}


@pytest.mark.parametrize("pruning", PRUNINGS)
def test_p_values_of_a_pruning_do_not_depend_on_other_seeds_and_prunings(run, pruning):
    everything = comparison_report(run, reference="previous", null="columns:39")

    alone = comparison_report(run / pruning, reference="previous", null="columns:39")

    assert rows_of(everything, pruning) == rows_of(alone, pruning)
    p_values = [row["p_value"] for row in alone.layers if row["p_value"] is not None]
    corrected = [row["p_holm"] for row in alone.layers if row["p_value"] is not None]
    assert min(corrected, default=1.0) == min(1.0, *(len(p_values) * p for p in p_values))
