"""The evaluation of rounds with training: stored with each round, taken up where rounds go on, and in the tables."""

import csv
import json
import sys
from pathlib import Path

import pytest

from topoimp.commands.prune_run import prune_run, prune_with_trainer
from topoimp.errors import CheckpointError, EvaluationError, OptionError
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer

SCRIPT = Path(__file__).parent.parent / "evaluations.py"
COPYING = "sh -c 'cp -r $0 $2' {init} {mask} {out} {seed}"
"""A trainer that changes nothing, so that the nonzero weights are those that the mask keeps."""


def shell(code, **options):
    return Evaluation(("sh", "-c", code, "sh", "{checkpoint}"), **options)


@pytest.fixture
def counting(tmp_path):
    """An evaluation that lists its calls in the file ``calls``."""
    return Evaluation((sys.executable, str(SCRIPT), "{checkpoint}", str(tmp_path / "calls")))


@pytest.fixture
def calls(tmp_path):
    """The rounds that were evaluated since the last look, by the folders of the models."""

    def found():
        path = tmp_path / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        assert {Path(line).name for line in lines} <= {"model.safetensors", "model"}
        return [Path(line).parent.name.partition(".partial")[0] for line in lines]

    return found


@pytest.fixture
def prune(lenet):
    def in_rounds(rounds, evaluate=None, seeds=(0,), **options):
        return prune_with_trainer(
            lenet, PruningOptions(rounds=rounds), rewind="none", trainer=parse_trainer(COPYING), seeds=seeds,
            output=lenet.with_name("rounds"), jobs=1, evaluate=evaluate, **options,
        )  # fmt: skip

    return in_rounds


@pytest.fixture
def folder(lenet):
    return lenet.with_name("rounds") / "seed-0/topological-rewind-none"


def kept(pruning):
    return [(row.get("eval_kept_reference"), row.get("eval_kept")) for row in pruning.report.rounds]


KEPT = [(266_610, 266_610), (266_610, 213_370), (266_610, 170_778)]


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_round_is_evaluated_once_and_stored(prune, folder, counting, calls):
    pruning = prune(2, counting)

    assert calls() == ["round-00", "round-01", "round-02"]
    assert kept(pruning) == KEPT
    assert pruning.report.settings["evaluate"] == counting.text
    stored = json.loads((folder / "round-02/metrics.json").read_text())
    assert (stored["network"]["eval_kept"], stored["settings"]["evaluate"]) == (170_778, counting.text)
    assert not [name for row in stored["layers"] for name in row if name.startswith("eval_")]
    assert sorted(path.name for path in (folder / "round-02").iterdir()) == [
        "mask.safetensors", "metrics.json", "model.safetensors",
    ]  # fmt: skip


def test_rounds_that_go_on_have_the_numbers_of_those_before(prune, counting, calls):
    prune(1, counting)
    calls()

    pruning = prune(2, counting)

    assert calls() == ["round-02"]
    assert kept(pruning) == KEPT
    assert kept(prune(2, counting)) == KEPT
    assert calls() == []


def test_rounds_that_were_finished_without_it_are_evaluated(prune, folder, counting, calls):
    prune(1)
    model = (folder / "round-01/model.safetensors").stat().st_mtime_ns

    pruning = prune(2, counting)

    assert calls() == ["round-00", "round-01", "round-02"]
    assert kept(pruning) == KEPT
    assert (folder / "round-01/model.safetensors").stat().st_mtime_ns == model


def test_another_command_takes_the_place_of_the_first(prune, counting):
    prune(1, shell("echo other=1"))

    pruning = prune(1, counting)

    assert kept(pruning) == KEPT[:2]
    assert {name for row in pruning.report.rounds for name in row if name.startswith("eval_")} == {
        "eval_kept", "eval_kept_reference", "eval_total", "eval_total_reference",
    }  # fmt: skip


def test_without_a_command_the_later_rounds_have_no_numbers(prune, counting):
    prune(1, counting)

    assert kept(prune(2)) == [*KEPT[:2], (None, None)]


def test_the_tables_have_the_numbers_of_all_seeds(prune, lenet, counting):
    pruning = prune(1, counting, seeds=[3, 5])

    run = lenet.with_name("rounds")
    rounds = [row for row in table(run / "rounds.csv") if row["level"] == "network"]
    assert [(row["seed"], row["round"], row["eval_kept"]) for row in rounds] == [
        ("3", "0", "266610"), ("3", "1", "213370"), ("5", "0", "266610"), ("5", "1", "213370"),
    ]  # fmt: skip
    summary = [row for row in table(run / "summary.csv") if row["quantity"] == "eval_kept"]
    assert [(row["round"], row["n_seeds"], row["mean"]) for row in summary] == [
        ("0", "2", "266610.0"), ("1", "2", "213370.0"),
    ]  # fmt: skip
    assert kept(pruning) == KEPT[:2] * 2


def test_two_prunings_are_compared_by_it(lenet, counting):
    for method in ("magnitude", "random"):
        prune_with_trainer(
            lenet, PruningOptions(rounds=1, method=method), rewind="none", trainer=parse_trainer(COPYING), jobs=1,
            output=lenet.with_name("rounds"), evaluate=counting,
        )  # fmt: skip

    (row,) = [row for row in table(lenet.with_name("rounds") / "paired.csv") if row["quantity"] == "eval_kept"]
    assert (row["baseline"], row["pruning"], row["mean"]) == ("magnitude-rewind-none", "random-rewind-none", "0.0")


def test_the_networks_of_a_run_folder_are_evaluated(run, counting, calls):
    pruning = prune_run(run, PruningOptions(rounds=1), jobs=1, evaluate=counting)

    assert calls() == ["round-00", "round-01"] * 2
    nonzero = [row["eval_kept"] for row in pruning.report.rounds]
    assert [row["n_kept"] for row in pruning.report.rounds] == [1480, 1184] * 2
    assert [before - after for before, after in zip(nonzero[::2], nonzero[1::2], strict=True)] == [296, 296]


def test_of_a_model_folder_each_round_is_a_folder(lenet, counting, calls, tmp_path):
    (tmp_path / "bert").mkdir()
    lenet.rename(tmp_path / "bert/model.safetensors")

    pruning = prune_with_trainer(
        tmp_path / "bert", PruningOptions(rounds=1), rewind="none", trainer=parse_trainer(COPYING), evaluate=counting
    )

    assert calls() == ["round-00", "round-01"]
    assert kept(pruning)[-1] == (266_610, 213_370)


def test_a_failure_in_a_round_leaves_the_rounds_before(prune, folder):
    code = 'case "$1" in */round-02*) echo no memory >&2; exit 9;; esac; echo a=1'

    with pytest.raises(EvaluationError) as caught:
        prune(2, shell(code))

    failed = "the evaluation of round 2 of seed 0 ended with status 9"
    assert str(caught.value) == f"{failed}; its stderr ends with 'no memory'"
    assert sorted(path.name for path in folder.glob("round-*")) == [
        "round-00", "round-01", "round-01.log", "round-02.log",
    ]  # fmt: skip
    assert prune(2, shell("echo a=1")).n_new == 1


def test_a_failure_on_the_reference_leaves_no_round(prune, folder):
    with pytest.raises(EvaluationError, match=r"^the evaluation of round 0 of seed 0 printed no numbers; "):
        prune(1, shell(":"))

    assert [path.name for path in folder.iterdir()] == ["pruning.toml"]


def test_a_failure_on_a_finished_round_changes_nothing(prune, folder):
    prune(1)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    with pytest.raises(EvaluationError, match=r"^the evaluation of round 0 of seed 0 ended with status 1; "):
        prune(2, shell("exit 1"))

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_other_names_in_a_later_round_are_one_sentence(prune):
    code = 'case "$1" in */round-01*) echo b=1;; *) echo a=1;; esac'

    with pytest.raises(EvaluationError) as caught:
        prune(1, shell(code))

    printed = "the evaluation printed a for round 0 of seed 0, and b for round 1 of seed 0"
    assert str(caught.value) == f"{printed}; it must print the same names for both"


def test_a_command_that_changes_the_model_is_caught(prune, folder):
    code = 'echo a=1; case "$1" in */round-01*) echo >> "$1";; esac'

    with pytest.raises(EvaluationError, match=r"^the evaluation changed round 1 of seed 0; it may only read it$"):
        prune(1, shell(code))

    assert not (folder / "round-01").exists()


def test_files_that_a_command_leaves_beside_the_model_are_removed(prune, folder):
    prune(1, shell('echo a=1; touch "$(dirname "$1")/cache"'))

    names = {path.name for path in folder.glob("round-0?/*")}
    assert names == {"mask.safetensors", "metrics.json", "model.safetensors"}


def test_a_gate_on_a_name_that_was_not_printed_is_refused_before_the_rounds_and_after_them(prune, folder):
    command = ("sh", "-c", "echo a=1", "sh", "{checkpoint}")
    needs = Evaluation(command, needed=frozenset(["b"]))
    message = "^a gate looks at eval_b, and the evaluation of round 0 of seed 0 printed a$"

    with pytest.raises(OptionError, match=message):
        prune(1, needs)
    assert not (folder / "round-00").exists()
    prune(1, Evaluation(command))
    with pytest.raises(OptionError, match=message):
        prune(1, needs)


def test_metrics_without_settings_are_refused(prune, folder, counting):
    prune(1)
    metrics = folder / "round-00/metrics.json"
    content = json.loads(metrics.read_text())
    del content["settings"]
    metrics.write_text(json.dumps(content))

    with pytest.raises(
        CheckpointError, match=r"metrics.json: does not hold the metrics of a round: it has no settings$"
    ):
        prune(1, counting)
