"""``--eval`` on the command line: its table, its gates, its errors, and its end at a signal."""

import csv
import io
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import PATIENCE, has_ended, wait_for

from topoimp.checkpoint import write_arrays

COUNTING = f"{sys.executable} {Path(__file__).parent.parent / 'evaluations.py'} {{checkpoint}}"
ONE = "sh -c 'echo a=1' {checkpoint}"
OF_RESULT = """sh -c 'case "$1" in *.pruned*) {};; *) echo a=0.25;; esac' sh {{checkpoint}}"""


@pytest.fixture
def model(write):
    return write({"fc.weight": np.arange(1, 601, dtype=np.float32).reshape(30, 20)}, "my model.safetensors")


def table_of(out):
    """The lines of the table of the evaluation, as words."""
    lines = out.partition("evaluation: ")[2].splitlines()
    return [line.split() for line in lines[1 : lines.index("")] if not line.startswith(("─", "-"))]


def test_prune_shows_input_result_and_change(topoimp, model):
    outcome = topoimp("prune", model, "--rounds", 1, "--method", "magnitude", "--eval", COUNTING)

    assert outcome.status == 0, outcome.err
    assert f"\nevaluation: {COUNTING}\n" in outcome.out
    assert table_of(outcome.out) == [
        ["number", "reference", "result", "change"],
        ["kept", "600", "480", "-120"],
        ["total", "1.803e+05", "1.730e+05", "-7260"],
    ]


def test_prune_shows_the_rounds_that_are_written(topoimp, model):
    words = ("--rounds", 3, "--emit-rounds", 2, "--method", "magnitude", "-q")

    outcome = topoimp("prune", model, *words, "--eval", COUNTING)

    assert [line[:4] for line in table_of(outcome.out)] == [
        ["round", "number", "reference", "result"],
        ["2", "kept", "600", "384"], ["2", "total", "1.803e+05", "1.569e+05"],
        ["3", "kept", "600", "307"], ["3", "total", "1.803e+05", "1.372e+05"],
    ]  # fmt: skip


def test_a_mask_and_its_repair(topoimp, model, write):
    mask = write({"fc.weight": np.eye(30, 20, dtype=np.float32)}, "mask.safetensors")

    by_mask = topoimp("prune", model, "--apply-mask", mask, "--evaluate", COUNTING)
    repaired = topoimp("prune", model, "--repair", mask, "--force", "--eval", COUNTING, "--fail-if", "eval_kept!=49")

    assert table_of(by_mask.out)[1] == ["kept", "600", "20", "-580"]
    assert (repaired.status, table_of(repaired.out)[1]) == (0, ["kept", "600", "49", "-551"])


TRAINER = ("--rewind", "none", "--trainer", """sh -c 'cp "$0" "$2"' {init} {mask} {out} {seed}""")


def test_rounds_with_training_are_shown_on_average_and_resumed(topoimp, model):
    words = ("prune", model, *TRAINER, "--seeds", "2", "--jobs", 1, "--eval", COUNTING, "-q")
    topoimp(*words, "--rounds", 1)

    outcome = topoimp(*words, "--rounds", 2, "--fail-if", "eval_kept>383")

    assert [line[:5] for line in table_of(outcome.out) if line[1] == "kept"] == [
        ["1", "kept", "600", "480", "-120"], ["2", "kept", "600", "384", "-216"],
    ]  # fmt: skip
    assert outcome.status == 3
    assert outcome.err.splitlines() == [
        f"error: gate 'eval_kept>383': the network of seed {seed} has eval_kept 384" for seed in (0, 1)
    ]


def test_compare_shows_the_change_of_each_other(topoimp, model):
    topoimp("prune", model, "--rounds", 1)
    pruned = model.with_name("my model.pruned.safetensors")

    one = topoimp("compare", model, pruned, "--eval", COUNTING, "--null", "shuffle:2", "--null", "rows:2")
    two = topoimp("compare", model, pruned, model, "--eval", ONE, "-q")

    assert table_of(one.out)[:2] == [["number", "reference", "result", "change"], ["kept", "600", "480", "-120"]]
    assert [line[-4:] for line in table_of(two.out)[1:]] == [["a", "1", "1", "+0"]] * 2
    assert [line[:2] for line in table_of(two.out)[1:]] == [str(pruned).split(), str(model).split()]


def test_bound_shows_the_numbers_of_its_checkpoints(topoimp, model, lenet):
    one = topoimp("bound", model, "--eval", COUNTING)
    two = topoimp("bound", lenet, model, "--eval", COUNTING, "-q")
    spatial = topoimp("bound", model, "--view", "spatial", "--eval", COUNTING)

    assert table_of(one.out) == [["number", "value"], ["kept", "600"], ["total", "1.803e+05"]]
    assert table_of(spatial.out) == table_of(one.out)
    assert [line[-2:] for line in table_of(two.out)[1::2]] == [["kept", "266,610"], ["kept", "600"]]


def test_bound_goes_on_where_the_evaluation_of_one_checkpoint_fails(topoimp, model, lenet):
    command = """sh -c 'case "$1" in *lenet*) exit 2;; esac; echo a=1' sh {checkpoint}"""

    outcome = topoimp("bound", lenet, model, "--eval", command, "--format", "json", "-q")

    assert outcome.status == 1
    assert outcome.err == f"error: the evaluation of {lenet} ended with status 2; its stderr is empty\n"
    assert json.loads(outcome.out)["network"]["eval_a"] == 1


def test_csv_and_json_have_the_columns(topoimp, model):
    printed = topoimp("prune", model, "--rounds", 1, "--eval", COUNTING, "--format", "csv", "-q").out
    content = json.loads(topoimp("bound", model, "--eval", COUNTING, "--format", "json", "-q").out)

    layer, network = csv.DictReader(io.StringIO(printed))
    assert (network["eval_kept"], network["eval_kept_reference"], layer["eval_kept"]) == ("480", "600", "")
    assert (content["network"]["eval_total"], content["settings"]["evaluate"]) == (180300.0, COUNTING)


def test_gates_look_at_the_result_and_at_the_reference(topoimp, model):
    words = ("--eval", OF_RESULT.format("echo a=0.125"), "-q")

    outcome = topoimp("prune", model, "--rounds", 1, *words, "--fail-if", "eval_a<0.2", "--fail-if",
                      "network:eval_a_reference<0.5", "--fail-if", "eval_a>0.2")  # fmt: skip

    assert outcome.status == 3
    assert outcome.err.splitlines() == [
        "error: gate 'eval_a<0.2': the network has eval_a 0.125",
        "error: gate 'network:eval_a_reference<0.5': the network has eval_a_reference 0.25",
    ]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (
            ("--eval", ONE, "--fail-if", "eval_top1<0.9"),
            2,
            "a gate looks at eval_top1, and the evaluation of my model.safetensors printed a",
        ),
        (
            ("--eval", ONE, "--fail-if", "layer:eval_a<0.9"),
            2,
            "the gate is 'layer:eval_a<0.9'; no layer row of this report has a column 'eval_a'; "
            "the rows of the network have eval_a",
        ),
        (("--fail-if", "eval_a<1"), 2, "the gate is 'eval_a<1'; the column 'eval_a' needs --eval"),
        (("--eval-timeout", "5"), 2, "--eval-timeout needs --eval"),
        (("--eval", ONE, "--eval-timeout", "0"), 2, "--eval-timeout is 0.0; it must be above 0 seconds"),
        (("--eval", "test"), 2, "--eval is 'test'; it must have {checkpoint} where the command takes it"),
        (
            ("--eval", OF_RESULT.format("echo b=1")),
            1,
            "the evaluation printed a for my model.safetensors, and b for my model.pruned.safetensors; it must print "
            "the same names for both",
        ),
        (
            ("--eval", OF_RESULT.format("echo no memory >&2; exit 7")),
            1,
            "the evaluation of my model.pruned.safetensors ended with status 7; its stderr ends with 'no memory'",
        ),
        (
            ("--eval", "sh -c 'sleep 600' {checkpoint}", "--eval-timeout", "0.01"),
            1,
            "the evaluation of my model.safetensors took more than 0.01 s and was ended; its stderr is empty",
        ),
        (
            ("--eval", ONE, "--dry-run"),
            2,
            "--eval does not go with --dry-run, which writes no checkpoint to run it on",
        ),
    ],
)
def test_an_error_is_one_line_and_leaves_no_output(topoimp, model, monkeypatch, words, status, message):
    monkeypatch.chdir(model.parent)

    outcome = topoimp("prune", model.name, "--rounds", 1, *words)

    assert (outcome.status, outcome.out) == (status, "")
    assert outcome.err.splitlines()[-1] == f"error: {message}"
    assert list(model.parent.iterdir()) == [model]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bound", "--shape", "3x4", "--eval", ONE), "--eval runs on a CHECKPOINT; --arch and --shape have none"),
        (
            ("bound", "{}", "--eval", ONE, "--fail-if", "eval_a_reference<1"),
            "the gate is 'eval_a_reference<1'; no row of this report has a column 'eval_a_reference'; "
            "the rows of the network have eval_a",
        ),
        (("bound", "{}", "--fail-if", "eval_a<1"), "the gate is 'eval_a<1'; the column 'eval_a' needs --eval"),
        (
            ("compare", "{}", "{}", "--eval", ONE, "--fail-if", "eval_b<1"),
            "a gate looks at eval_b, and the evaluation of {} printed a",
        ),
    ],
)
def test_the_other_commands_have_the_same_errors(topoimp, model, words, message):
    outcome = topoimp(*[str(model) if word == "{}" else word for word in words])

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"error: {message.format(model)}\n"


def test_a_mask_has_nothing_to_evaluate(topoimp, model):
    topoimp("prune", model, "--rounds", 1)
    mask = model.with_name("my model.pruned.mask.safetensors")

    outcome = topoimp("compare", model, mask, "--eval", ONE)

    assert outcome.status == 2
    assert outcome.err == (
        f"error: {mask}: is a mask, which --eval cannot run on; prune with --apply-mask writes the checkpoint under "
        "it, and evaluates that\n"
    )


SLEEPING = "sh -c 'sleep 600 & echo $! > {}/child; wait' sh {{checkpoint}}"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("of_result", [False, True])
def test_a_signal_ends_the_command_and_leaves_nothing(forks, tmp_path, tmp_path_factory, sent, of_result):
    write_arrays(tmp_path / "a.safetensors", {"w": np.arange(1, 601, dtype=np.float32).reshape(30, 20)}, {})
    place = tmp_path_factory.mktemp("processes")
    sleep = f"sleep 600 & echo $! > {place}/child; wait"
    command = OF_RESULT.format(sleep) if of_result else f"sh -c '{sleep}' sh {{checkpoint}}"
    process = forks.start("prune", "a.safetensors", "--rounds", 1, "--eval", command, folder=tmp_path)

    child = int(wait_for(place / "child"))
    os.kill(process.pid, sent)
    out, _ = process.communicate(timeout=PATIENCE)

    assert (process.returncode, out) == (128 + sent, "")
    assert has_ended(child)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_killed_topoimp_takes_its_command_along(forks, tmp_path, tmp_path_factory):
    write_arrays(tmp_path / "a.safetensors", {"w": np.ones((3, 2), np.float32)}, {})
    place = tmp_path_factory.mktemp("processes")
    process = forks.start("bound", "a.safetensors", "--eval", SLEEPING.format(place), folder=tmp_path)

    child = int(wait_for(place / "child"))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)

    assert has_ended(child)
