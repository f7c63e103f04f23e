"""Summaries of every layer during training: topology.csv."""

import csv

import numpy as np
import pytest
from conftest import SHARED
from oracles import slow_components, slow_forest, slow_order
from safetensors.numpy import load_file

from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.train import train_run
from topoimp.commands.watching import NEURAL_PERSISTENCES, WATCHABLE, watched_columns, watched_rows
from topoimp.errors import OptionError, OutputError, TrainingError
from topoimp.reports.cells import Kind
from topoimp.reports.columns import COLUMNS
from topoimp.reports.report import rows_of_file

FILES = ("init.safetensors", "rewind.safetensors", "model.safetensors", "metrics.csv")


def train(output, **options):
    return train_run("mlp:64-12-9-10", **{"output": output, "epochs": 2, "threads": 1, "rewind_at": 5, **options})


def steps_in(seed_folder):
    with (seed_folder / "topology.csv").open(newline="") as file:
        return list(dict.fromkeys((int(row["step"]), int(row["epoch"])) for row in csv.DictReader(file)))


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A seed folder of a training of which every column is watched at each epoch."""
    return train(tmp_path_factory.mktemp("watched") / "run", watch=WATCHABLE).seed_folders[0]


def test_watching_changes_no_bit(watched, tmp_path):
    (alone,) = train(tmp_path / "run").seed_folders

    assert [(watched / name).read_bytes() for name in FILES] == [(alone / name).read_bytes() for name in FILES]
    assert (watched.parent / "recipe.toml").read_bytes() == (alone.parent / "recipe.toml").read_bytes()
    assert not (alone / "topology.csv").exists()


@pytest.mark.parametrize(("name", "step"), [("init", 0), ("model", 90)])
def test_what_is_recorded_is_what_barcode_and_bound_report_of_the_weights(watched, name, step):
    rows = [row for row in rows_of_file(watched / "topology.csv") if row["step"] == step]

    report = barcode_report(watched / f"{name}.safetensors")
    overlaps = [row["overlap"] for row in bound_report(watched / f"{name}.safetensors").rows]
    columns = [column for column in WATCHABLE if column != "overlap"]
    assert [row.get("layer") for row in rows] == ["fc1.weight", "fc2.weight", "fc3.weight", None]
    assert [[row.get(column) for column in columns] for row in rows] == [
        [row.get(column) for column in columns] for row in report.rows
    ]
    assert [row["overlap"] for row in rows] == overlaps
    assert {row["seed"] for row in rows} == {0}


def test_the_last_step_is_that_of_the_plainest_computation(watched):
    last = {row.get("layer"): row for row in rows_of_file(watched / "topology.csv") if row["step"] == 90}

    weights = {name: array for name, array in load_file(watched / "model.safetensors").items() if array.ndim == 2}
    n_overlapping = {}
    for name, weight in weights.items():
        forest = slow_forest(weight)
        n_overlapping[name] = len(set(forest) & set(slow_order(weight)[: len(forest)]))
        assert last[name]["overlap"] == n_overlapping[name] / len(forest)
        assert last[name]["beta0"] == slow_components(weight != 0) == 1
    floors = sum(sum(weight.shape) - 1 for weight in weights.values())
    assert last[None]["overlap"] == sum(n_overlapping.values()) / floors


def test_every_number_of_barcode_can_be_watched_and_nothing_else_but_the_overlap(lenet):
    of_barcode = {column for row in barcode_report(lenet).rows for column in row}
    numbers = {column for column in of_barcode if COLUMNS[column].kind not in (Kind.TEXT, Kind.FLAG)}

    assert set(WATCHABLE) == numbers - {"rows", "columns"} | {"overlap"}
    assert len(set(WATCHABLE)) == len(WATCHABLE)


def test_np_names_the_neural_persistences_and_their_totals():
    assert watched_columns(["np"]) == NEURAL_PERSISTENCES
    assert set(NEURAL_PERSISTENCES) == {column for column in WATCHABLE if column.startswith("np_")}
    assert watched_columns(["np_rieck", "beta0", "np", "beta0"])[:3] == ("np_rieck", "beta0", "np_rieck_finite")


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        (None, [(0, 0), (45, 1), (90, 2)]),
        (90, [(0, 0), (90, 2)]),
        (91, [(0, 0), (90, 2)]),
        (40, [(0, 0), (40, 0), (80, 1), (90, 2)]),
        (30, [(0, 0), (30, 0), (60, 1), (90, 2)]),
    ],
)
def test_step_0_and_the_last_are_always_recorded(tmp_path, every, steps):
    (folder,) = train(tmp_path / "run", watch=["beta0"], watch_every=every).seed_folders

    assert steps_in(folder) == steps


def test_without_training_step_0_is_the_last(tmp_path):
    (folder,) = train(tmp_path / "run", watch=["beta0"], epochs=0, rewind_at=0).seed_folders

    assert steps_in(folder) == [(0, 0)]


def test_seeds_at_the_same_time_are_recorded_as_one_after_the_other(tmp_path):
    together = train(tmp_path / "1", seeds=[0, 3], jobs=2, watch=["np", "overlap"]).seed_folders
    in_turn = train(tmp_path / "2", seeds=[0, 3], jobs=1, watch=["np", "overlap"]).seed_folders

    texts = [(folder / "topology.csv").read_bytes() for folder in together]
    assert texts == [(folder / "topology.csv").read_bytes() for folder in in_turn]
    assert texts[0] != texts[1]


def test_layers_of_zeros_and_tensors_that_are_no_layers_are_recorded_or_left_out():
    weights = {
        "conv.weight": np.arange(24, dtype=np.float32).reshape(3, 2, 2, 2),
        "dead.weight": np.zeros((3, 4), np.float32),
        "norm.num_batches_tracked": np.array(7),
        "norm.weight": np.ones(3, np.float32),
        "row.weight": np.ones((1, 4), np.float32),
    }

    rows = watched_rows(weights, ["beta0", "n_edges", "overlap", "np_balwani", "np_balwani_total"], threads=1)

    assert [(row["layer"], row["beta0"], row["n_edges"], row["overlap"]) for row in rows] == [
        ("conv.weight", 1, 23, 0.9),  # of the ten largest, one closes a cycle
        ("dead.weight", 7, 0, None),
        (None, 8, 23, 0.9),
    ]
    assert (rows[1]["np_balwani"], rows[2]["np_balwani_total"]) == (None, None)


def test_a_divergence_between_two_epochs_is_one(tmp_path):
    with pytest.raises(TrainingError, match=r"training diverged in epoch 1; a learning rate below 1e\+30 is needed"):
        train(tmp_path / "run", learning_rate=1e30, watch=["beta0"], watch_every=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"watch": ["np_paper"]}, "`watch` names 'np_paper'; known are np, n_weights, n_edges, density, beta0"),
        ({"watch": ["layer"]}, "`watch` names 'layer'; known are np"),
        ({"watch": ["beta0", ""]}, "`watch` names ''; known are np"),
        ({"watch": ["beta0"], "watch_every": 0}, "`watch_every` is 0; it must be at least 1 step"),
        ({"watch_every": 5}, "`watch_every` is 5; it needs `watch`, the columns to record"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_training(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        train(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_trained_seeds_that_lack_the_record_are_refused(tmp_path):
    train(tmp_path / "run", seed=0)
    train(tmp_path / "run", seed=1, watch=["beta0"])

    with pytest.raises(OutputError, match=r"seed-0/model.safetensors: was trained without `watch`; `force` trains it"):
        train(tmp_path / "run", seeds=[0, 1, 2], watch=["beta0"])
    with pytest.raises(OutputError, match=r"seed-1/topology.csv: has no column overlap; `force` trains the network a"):
        train(tmp_path / "run", seeds=[1, 2], watch=["beta0", "overlap"])
    with pytest.raises(OutputError, match=r"seed-1/topology.csv: has other steps than `watch_every` asks for"):
        train(tmp_path / "run", seeds=[1, 2], watch=["beta0"], watch_every=10)
    assert not (tmp_path / "run/seed-2").exists()

    assert train(tmp_path / "run", seeds=[1, 2], watch=["beta0"]).n_new == 1
    assert train(tmp_path / "run", seeds=[0, 1, 2]).n_new == 0


def test_another_training_takes_the_record_of_the_one_before_with_it(tmp_path):
    (folder,) = train(tmp_path / "run", watch=["beta0"]).seed_folders

    train(tmp_path / "run", force=True)

    assert not (folder / "topology.csv").exists()


def test_the_network_of_the_paper_is_watched_on_images_of_mnist_size(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 28, 28), dtype=np.uint8), np.arange(60) % 10
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    data = {"data": "mnist", "data_dir": SHARED / "datasets"} if (SHARED / "datasets/mnist").is_dir() else {}

    training = train_run(
        "mlp:784-100-100-100-100-100-10",
        **{"data": str(tmp_path / "own.npz"), **data},
        output=tmp_path / "run",
        epochs=1,
        batch_size=6000,
        watch=["np", "overlap", "beta0"],
    )

    rows = rows_of_file(training.seed_folders[0] / "topology.csv")
    assert [row["level"] for row in rows] == 2 * [*["layer"] * 6, "network"]
    assert all(0 < row["overlap"] < 1 and row["beta0"] >= 1 for row in rows)
    network = rows[-1]
    assert network["np_balwani_total"] == pytest.approx(sum(row["np_balwani"] for row in rows[-7:-1]))
