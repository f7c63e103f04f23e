import json
from contextlib import contextmanager
from threading import Thread

import pytest
import tomli_w

from topoimp.checkpoint import LockState
from topoimp.errors import CheckpointError
from topoimp.rounds import table
from topoimp.rounds.over_seeds import summary_of
from topoimp.rounds.table import read_tables, write_tables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "list indices must be integers"),
        ('{"layers": [], "network": 3}', "a row is no object"),
        ('{"layers": []}', "'network'"),
        ('{"layers": [], "network": {"mood": 1}}', "a row has a column 'mood', which no report has"),
        ('{"layers": [], "network": {"seed": 0, "round": 0}}', "a row's level is None"),
        ('{"layers": [], "network": {"level": "network", "round": 0}}', "a row's seed is None"),
        ('{"layers": [], "network": {"level": "network", "seed": 0, "round": "0"}}', "a row's round is '0'"),
        ('{"layers": [{"level": "layer", "seed": 0, "round": 0, "beta0": {}}], "network": 3}', "a row's beta0 is {}"),
        ("[" * 200_000, "maximum recursion depth exceeded"),
    ],
)
def test_metrics_that_are_none_are_said(tmp_path, text, message):
    folder = tmp_path / "seed-0/magnitude/round-00"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(text)

    with pytest.raises(CheckpointError, match=rf"metrics.json: does not hold the metrics of a round: {message}"):
        read_tables(tmp_path)


def write_round(run, folder, seed, number=0, method="magnitude", **settings):
    place = run / folder / f"round-{number:02}"
    place.mkdir(parents=True)
    which = {"method": method, "epsilon": None, "scope": "layer", "level": "network", "test_accuracy": 0.5}
    content = {"layers": [], "network": {**which, "seed": seed, "round": number}}
    (place / "metrics.json").write_text(json.dumps(content))
    (place.parent / "pruning.toml").write_text(tomli_w.dumps({"method": method, **settings}))


def test_rounds_come_in_their_natural_order(tmp_path):
    write_round(tmp_path, "seed-10/magnitude", 10)
    write_round(tmp_path, "seed-2/magnitude", 2)
    write_round(tmp_path, "seed-2/magnitude", 2, 1)

    assert [(each["seed"], each["round"]) for each in read_tables(tmp_path).rounds] == [(2, 0), (2, 1), (10, 0)]


@pytest.mark.parametrize(
    "folder", ["seed-00/magnitude", "seed-0-old/magnitude", "seed-1/magnitude", "seed-0/magnitude-old", "seed-0/random"]
)
def test_a_folder_with_another_name_than_its_rows_say_is_left_out(tmp_path, folder):
    write_round(tmp_path, folder, 0)

    assert read_tables(tmp_path).rounds == []


def test_what_is_no_pruning_is_not_looked_into(tmp_path):
    (tmp_path / "seed-0/notes/round-00").mkdir(parents=True)
    (tmp_path / "seed-0/notes/round-00/metrics.json").write_text("{")

    assert read_tables(tmp_path).rounds == []


def test_rows_carry_the_rate_that_they_were_pruned_at(tmp_path):
    write_round(tmp_path, "seed-0/magnitude", 0, rate=0.2)
    write_round(tmp_path, "seed-1/magnitude", 1, sparsity=0.75, rounds=2)
    write_round(tmp_path, "seed-2/magnitude", 2)

    assert [each["rate"] for each in read_tables(tmp_path).rounds] == [0.2, 0.5, None]
    assert [each["n_seeds"] for each in summary_of(read_tables(tmp_path).rounds)] == [1, 1, 1]


def test_rows_carry_schedule_and_rewinding_and_folders_are_named_after_them(tmp_path):
    write_round(tmp_path, "seed-0/magnitude", 0, rate=0.2)
    write_round(tmp_path, "seed-1/magnitude", 1, rate=0.2, rewind="none")  # as earlier versions named it
    write_round(tmp_path, "seed-2/magnitude-rewind-none", 2, rate=0.2, rewind="none")
    write_round(tmp_path, "seed-3/magnitude-linear", 3, sparsity=0.6, rounds=4, schedule="linear", rewind="step:0")
    write_round(tmp_path, "seed-4/magnitude-linear", 4, rate=0.2)
    write_round(tmp_path, "seed-5/magnitude", 5, rate=0.2, schedule="linear")
    write_round(tmp_path, "seed-6/magnitude-rewind-init", 6, rate=0.2, rewind="none")
    write_round(tmp_path, "seed-7/magnitude", 7, rate=0.2, schedule="cubic")

    tables = read_tables(tmp_path)

    assert [(each["seed"], each["schedule"], each["rewind"], each["rate"]) for each in tables.rounds] == [
        (0, "geometric", None, 0.2),
        (1, "geometric", "none", 0.2),
        (2, "geometric", "none", 0.2),
        (3, "linear", "step:0", 0.15),
    ]
    assert [(each["schedule"], each["rewind"], each["n_seeds"]) for each in tables.summary] == [
        ("geometric", None, 1),
        ("geometric", "none", 2),
        ("linear", "step:0", 1),
    ]


def test_prunings_with_other_settings_are_summed_up_apart(tmp_path):
    write_round(tmp_path, "seed-0/magnitude", 0, rate=0.2, rewind="step:0", checkpoint_sha256="a")
    write_round(tmp_path, "seed-1/magnitude", 1, rate=0.2, rewind="none", checkpoint_sha256="a")
    write_round(tmp_path, "seed-2/magnitude", 2, rate=0.2, rewind="step:0", checkpoint_sha256="b")

    assert [each["n_seeds"] for each in read_tables(tmp_path).summary] == [2, 1]


def test_prunings_of_the_same_seeds_and_targets_are_paired(tmp_path):
    for seed in (0, 1):
        for number in (0, 1):
            write_round(tmp_path, f"seed-{seed}/magnitude", seed, number, rate=0.2, rewind="step:0")
            write_round(tmp_path, f"seed-{seed}/random", seed, number, method="random", rate=0.2, rewind="none")
    write_round(tmp_path, "seed-0/topological", 0, 0, method="topological", rate=0.5)
    write_round(tmp_path, "seed-0/topological", 0, 1, method="topological", rate=0.5)

    (row,) = read_tables(tmp_path).paired

    names = ("pruning", "baseline", "round", "level", "quantity", "rate", "n_seeds", "mean", "mean_low")
    assert [row[name] for name in names] == ["random", "magnitude", 1, "network", "test_accuracy", 0.2, 2, 0.0, 0.0]
    assert read_tables(tmp_path).by_name()["paired"] == [row]


def seeds_in(run):
    return (run / "rounds.csv").read_text().count("\n") - 1


def finishing_another_seed(run, monkeypatch, write_its_tables):
    """After the first reading of rounds, let another run finish a round and write the tables."""
    numbers = iter(range(1, 100))

    def read_then_finish(folder):
        tables = read_tables(folder)
        if next(numbers) == 1:
            write_round(run, "seed-1/magnitude", 1)
            write_its_tables()
        return tables

    monkeypatch.setattr(table, "read_tables", read_then_finish)


def test_a_round_that_another_run_finishes_meanwhile_is_in_the_tables(tmp_path, monkeypatch):
    write_round(tmp_path, "seed-0/magnitude", 0)
    other = Thread(target=write_tables, args=(tmp_path,))
    finishing_another_seed(tmp_path, monkeypatch, other.start)

    write_tables(tmp_path)
    other.join()

    assert seeds_in(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("seed")) == [
        ".tables.lock",
        "rounds.csv",
        "summary.csv",
    ]


def test_where_locks_are_not_shared_the_last_run_to_rename_reads_again(tmp_path, monkeypatch):
    @contextmanager
    def unlocked(_path, **_options):
        yield LockState.UNSUPPORTED

    monkeypatch.setattr(table, "locked", unlocked)
    write_round(tmp_path, "seed-0/magnitude", 0)
    finishing_another_seed(tmp_path, monkeypatch, lambda: write_tables(tmp_path))

    write_tables(tmp_path)

    assert seeds_in(tmp_path) == 2


def test_tables_that_are_as_they_should_be_are_not_written_again(tmp_path):
    write_round(tmp_path, "seed-0/magnitude", 0)
    write_tables(tmp_path)
    written = (tmp_path / "rounds.csv").stat()

    write_tables(tmp_path)

    assert (tmp_path / "rounds.csv").stat().st_ino == written.st_ino
