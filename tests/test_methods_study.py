"""The study of methods: its rounds from reports, its differences and its tables."""

import importlib
import re
import sys

import pandas as pd
import pytest
from conftest import REPOSITORY
from gallery import has_matplotlib_of_the_pictures, shapes_and_numbers
from scipy.stats import ttest_rel

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

methods_picture = importlib.import_module("methods_picture")
methods_study = importlib.import_module("methods_study")
methods_switch = importlib.import_module("methods_switch")
methods_tables = importlib.import_module("methods_tables")

HEADER = "level,seed,round,layer,n_kept,density,test_accuracy,n_off_path,live_vertices,beta0_glued,beta0\n"


def report(accuracies, n_off_path=0):
    """A report of one round and two layers of each seed."""
    lines = []
    for seed, accuracy in enumerate(accuracies):
        lines += [f"layer,{seed},1,fc{layer},5,0.5,,0,,,{layer}\n" for layer in (1, 2)]
        lines += [f"network,{seed},1,,10,0.5,{accuracy},{n_off_path},7,3,3\n"]
        lines += [f"network,{seed},0,,20,1.0,0.99,0,9,1,2\n"]
    return HEADER + "".join(lines)


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "lenet-mnist"
    folder.mkdir()
    (folder / "prune-imp.csv").write_text(report([0.90, 0.91, 0.92], n_off_path=1))
    (folder / "prune-paths.csv").write_text(report([0.92, 0.92, 0.95]))
    return tmp_path


def test_rounds_are_those_of_the_reports_and_others_stay(work):
    first = methods_tables.rounds_of(work, pd.DataFrame())
    other = first.assign(pruning="lamp", test_accuracy=0.5)
    stale = first[first["pruning"] == "paths"].assign(test_accuracy=0.0)

    table = methods_tables.rounds_of(work, pd.concat([other, stale]))

    assert table["pruning"].drop_duplicates().tolist() == ["imp", "paths", "lamp"]
    of_paths = table[(table["pruning"] == "paths") & (table["round"] == 1)]
    assert of_paths["test_accuracy"].tolist() == [0.92, 0.92, 0.95]
    assert of_paths["beta0"].tolist() == ["1 2"] * 3
    assert methods_tables.rounds_of(work / "lenet-mnist", pd.DataFrame()).empty


def test_differences_are_paired_by_seed(work):
    rounds = methods_tables.rounds_of(work, pd.DataFrame())
    shuffled = rounds.sample(frac=1, random_state=0)

    (row,) = methods_tables.differences(shuffled, "lenet-mnist", "paths").to_dict("records")

    expected = ttest_rel([0.92, 0.92, 0.95], [0.90, 0.91, 0.92])
    interval = expected.confidence_interval(0.95)
    assert row["difference"] == pytest.approx(0.02)
    assert (row["ci_low"], row["ci_high"]) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert row["p"] == row["p_holm"] == pytest.approx(expected.pvalue)
    assert row["n_seeds"] == 3


def test_the_tables_of_three_seeds_by_hand(work):
    tables = methods_tables.tables(methods_tables.rounds_of(work, pd.DataFrame()))

    verdicts, accuracy, paths = (table.splitlines()[-1] for table in tables)
    assert verdicts == "| LeNet-300-100, MNIST | paths | 3 | 1 | 0 | 0 | -0.48 | 0 | 0 | - |"
    assert accuracy == "| 1 | 50.00% | 91.00% | +2.00 [-0.48, +4.48] |"
    assert paths == "| 1 | 50.00% | 10.0%, 3, 1 / 2 | 0.0%, 3, 1 / 2 |"


def test_the_table_of_one_shot_by_hand():
    rows = [
        {"network": "lenet-mnist", "pruning": name, "seed": seed, "density": 0.1, "test_accuracy": accuracy}
        for name, accuracies in {"imp": [0.5, 0.6, 0.7], "paths": [0.7, 0.7, 0.85]}.items()
        for seed, accuracy in enumerate(accuracies)
    ]

    (table,) = methods_tables.one_shot_tables(pd.DataFrame(rows))

    assert table.splitlines()[-1] == "| 10% | 60.0% | +15.0 [+2.6, +27.4] |"


def test_the_table_of_crepe_by_hand():
    rows = [
        {"pruning": name, "density": density, "accuracy": accuracy, "n_off_path": n_off_path}
        for name, density, accuracy, n_off_path in [("paths", 0.1, 0.25, 0), ("imp", 0.1, 0.125, 7)]
    ]

    assert methods_tables.crepe_table(pd.DataFrame(rows)).splitlines()[-1] == "| 10% | 12.5% | 25.0% | 7 |"


def test_every_pruning_runs_after_its_network_is_trained(tmp_path):
    pieces = list(methods_study.pieces_of(methods_study.NETWORKS[0], tmp_path))

    assert [piece.arguments[0] for piece in pieces] == ["train", *["prune"] * len(methods_study.REPORTED)]
    assert methods_study.PRUNINGS.keys() < methods_tables.METHODS.keys()
    assert {network.name for network in methods_study.NETWORKS} == methods_tables.NETWORKS.keys()


def test_a_larger_share_takes_over_later():
    """IMP has 1 and 3 of 100 weights on no path in the rounds 1 and 2, and none in round 3 of the second network."""
    facts = {"network": "pilot-mnist", "n_kept": 100}
    rows = [
        {
            **facts,
            "pruning": pruning,
            "seed": seed,
            "round": number,
            "test_accuracy": accuracy,
            "n_off_path": n_off_path,
        }
        for seed, off_path in enumerate([(1, 3, 4), (1, 3, 0)])
        for number, n_off_path in enumerate(off_path, 1)
        for pruning, accuracy in [("imp", 0.5), ("paths-first", 0.5 + number / 8)]
    ]

    found = {
        share: methods_switch.differences_at(pd.DataFrame(rows), "pilot-mnist", share) for share in (0, 0.02, 0.04)
    }

    assert found[0].to_numpy().tolist() == [[0.125, 0.25, 0.375]] * 2
    assert found[0.02].to_numpy().tolist() == [[0, 0.25, 0.375]] * 2  # once paths have taken over, they go on
    assert found[0.04].to_numpy().tolist() == [[0, 0, 0]] * 2


ROUNDS = pd.read_csv(methods_tables.ROUNDS)
PAGE = (REPOSITORY / "docs/methods-study.md").read_text(encoding="utf-8")


def test_the_page_has_the_tables_of_the_data():
    tables = methods_tables.all_tables()

    assert len(tables) >= 8
    assert [table for table in tables if table not in PAGE] == []
    assert methods_switch.switch_table(ROUNDS) in PAGE


def test_the_networks_of_the_data_are_those_of_the_plan():
    for network in methods_study.NETWORKS:
        rounds = ROUNDS[ROUNDS["network"] == network.name]
        for _, of_pruning in rounds.groupby("pruning"):
            assert of_pruning["pruning"].iloc[0] in network.prunings
            assert set(of_pruning["seed"]) == set(network.seeds)
            assert set(of_pruning["round"]) == set(range(network.n_rounds + 1))


def test_methods_keep_as_many_weights_as_imp():
    n_kept = ROUNDS.pivot(index=["network", "seed", "round"], columns="pruning", values="n_kept")

    others = n_kept.drop(columns=["imp", "t-imp"], errors="ignore")
    assert (others.sub(n_kept["imp"], axis=0).abs().max() <= 2).all()


@pytest.mark.parametrize("network", ["lenet-mnist", "lenet-fashion"])
def test_paths_pay_at_low_density(network):
    table = methods_tables.differences(ROUNDS, network, "paths")

    low = table[table["density_imp"] <= methods_tables.LOW_DENSITY]
    assert (table["n_seeds"] == 10).all()
    assert len(low) == 10
    assert (low["ci_low"] > 0).all()


@pytest.mark.parametrize("network", ["lenet-mnist", "lenet-fashion"])
def test_paths_cost_nothing(network):
    table = methods_tables.differences(ROUNDS, network, "paths")

    assert len(table) == 24
    assert (table["n_seeds"] == 10).all()
    assert (table["ci_low"] > -methods_tables.ALLOWED_LOSS).all()


def test_the_picture_is_that_of_the_data(tmp_path):
    if not has_matplotlib_of_the_pictures():
        pytest.skip("the picture is that of the pinned matplotlib")
    methods_picture.save(methods_picture.picture(ROUNDS), tmp_path / "gains.svg")

    shapes, numbers = shapes_and_numbers(tmp_path / "gains.svg")
    shown, expected = shapes_and_numbers(methods_picture.PICTURE)
    assert shapes == shown
    assert numbers == pytest.approx(expected, abs=0.01)


def test_the_readme_has_the_gains_of_the_last_round():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"at 0\.5 % by ([0-9.]+) points of accuracy on MNIST and ([0-9.]+) on Fashion-MNIST", readme)
    (lowest,) = re.findall(r"interval of the difference reaches below (-0\.[0-9]+) points", readme)

    tables = [methods_tables.differences(ROUNDS, network, "paths") for network in ("lenet-mnist", "lenet-fashion")]
    last = [table.iloc[-1] for table in tables]
    assert 100 * min(table["ci_low"].min() for table in tables) >= float(lowest)
    assert [tuple(f"{100 * row['difference']:.1f}" for row in last)] == shown
    assert all(row["density_imp"] < 0.0051 for row in last)
