"""The study of methods: its rounds from reports, its differences and its tables."""

import importlib
import sys

import pandas as pd
import pytest
from conftest import REPOSITORY
from scipy.stats import ttest_rel

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

methods_study = importlib.import_module("methods_study")
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
    assert verdicts == "| LeNet-300-100, MNIST | paths | 3 | 1 | 0 | 0 | -0.48 | 0 | 0 | +nan |"
    assert accuracy == "| 1 | 50.00% | 91.00% | +2.00 [-0.48, +4.48] |"
    assert paths == "| 1 | 50.00% | 10.0%, 3, 1 / 2 | 0.0%, 3, 1 / 2 |"


def test_every_pruning_runs_after_its_network_is_trained(tmp_path):
    pieces = list(methods_study.pieces_of(methods_study.NETWORKS[0], tmp_path))

    assert [piece.arguments[0] for piece in pieces] == ["train", *["prune"] * len(methods_study.PRUNINGS)]
    assert methods_study.PRUNINGS.keys() == methods_tables.METHODS.keys()
    assert {network.name for network in methods_study.NETWORKS} == methods_tables.NETWORKS.keys()
