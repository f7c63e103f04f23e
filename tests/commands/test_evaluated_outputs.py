"""The evaluation of a pruning: of its input and of what it writes, before anything has its final name."""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import has_ended, wait_for

from topoimp.choices import View
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.bound import bound_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import EvaluationError, OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.spatial import InputSize
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.options import PruningOptions

COUNTING = Evaluation((sys.executable, str(Path(__file__).parent.parent / "evaluations.py"), "{checkpoint}"))
ONE_ROUND = PruningOptions(rounds=1)


def shell(code, **options):
    return Evaluation(("sh", "-c", code, "sh", "{checkpoint}"), **options)


def of_result(code):
    """A command that runs code on the result alone."""
    return shell(f'case "$1" in *.pruned*) {code};; *) echo a=1;; esac')


def evaluated(row):
    return {name: value for name, value in row.items() if name.startswith("eval_")}


@pytest.fixture
def model(write):
    """A layer of 600 weights of magnitude 1 to 600, in a file whose name has spaces."""
    return write({"fc.weight": np.arange(1, 601, dtype=np.float32).reshape(30, 20)}, "my own model.safetensors")


def test_the_numbers_of_input_and_result_are_in_the_row_of_the_network(model):
    report = prune_checkpoint(model, PruningOptions(rounds=1, method="magnitude"), evaluate=COUNTING).report

    total = 600 * 601 / 2
    assert evaluated(report.network) == {
        "eval_kept": 480,
        "eval_kept_reference": 600,
        "eval_total": total - 120 * 121 / 2,
        "eval_total_reference": total,
    }
    assert [evaluated(row) for row in report.layers] == [{}]
    assert report.settings["evaluate"] == COUNTING.text
    table = model.with_name("my own model.pruned.csv").read_text()
    assert table.splitlines()[0].endswith("eval_kept,eval_kept_reference,eval_total,eval_total_reference")


def test_each_emitted_round_has_its_own_numbers_and_rounds_that_are_not_written_have_none(model):
    report = prune_checkpoint(model, PruningOptions(rounds=3), emit_rounds=[1], evaluate=COUNTING).report

    assert [row["eval_kept"] for row in report.rounds] == [480, None, 307]
    assert [row["eval_kept_reference"] for row in report.rounds] == [600, None, 600]


def test_by_a_mask_and_by_a_repaired_mask(model, write):
    mask = write({"fc.weight": np.eye(30, 20, dtype=np.float32)}, "mask.safetensors")

    by_mask = apply_mask(model, mask, evaluate=COUNTING).report
    repaired = apply_mask(model, mask, repair=True, force=True, evaluate=COUNTING).report

    assert (by_mask.network["eval_kept"], by_mask.network["eval_kept_reference"]) == (20, 600)
    assert (repaired.network["eval_kept"], repaired.network["n_kept"]) == (49, 49)
    assert by_mask.settings["evaluate"] == COUNTING.text


def test_a_command_gets_both_under_their_final_names(model, tmp_path):
    code = f'basename "$1" >> {tmp_path}/names; test -f "$1" && echo a=1'

    prune_checkpoint(model, PruningOptions(rounds=2), emit_rounds=[1], evaluate=shell(code))

    assert (tmp_path / "names").read_text().splitlines() == [
        "my own model.safetensors",
        "my own model.pruned.round-01.safetensors",
        "my own model.pruned.safetensors",
    ]


def test_a_pytorch_file_has_its_ending(tmp_path):
    torch.save({"fc.weight": torch.arange(1.0, 13).reshape(4, 3)}, tmp_path / "model.pt")
    code = "import sys, torch; print('kept=%d' % torch.load(sys.argv[1])['fc.weight'].count_nonzero())"

    report = prune_checkpoint(
        tmp_path / "model.pt", ONE_ROUND, evaluate=Evaluation((sys.executable, "-c", code, "{checkpoint}"))
    ).report

    assert evaluated(report.network) == {"eval_kept": 10, "eval_kept_reference": 12}


def test_of_a_folder_the_command_gets_folders(model, tmp_path):
    folder = tmp_path / "model folder"
    folder.mkdir()
    shutil.copy(model, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    code = f'ls "$1" >> {tmp_path}/names; test -d "$1" && echo a=1'

    report = prune_checkpoint(folder, ONE_ROUND, evaluate=COUNTING).report
    prune_checkpoint(folder, ONE_ROUND, evaluate=shell(code), force=True)

    assert report.network["eval_kept"] == 480
    assert set((tmp_path / "names").read_text().split()) == {"README.md", "config.json", "model.safetensors"}


def test_the_files_are_those_of_a_pruning_without_evaluation(model, tmp_path):
    with_one = prune_checkpoint(model, ONE_ROUND, output=tmp_path / "a.safetensors", evaluate=COUNTING).outputs
    without = prune_checkpoint(model, ONE_ROUND, output=tmp_path / "b.safetensors").outputs

    assert with_one.checkpoint.read_bytes() == without.checkpoint.read_bytes()
    assert with_one.mask.read_bytes() == without.mask.read_bytes()


def test_the_number_of_threads_changes_no_number(lenet, tmp_path):
    rows = [
        prune_checkpoint(
            lenet, ONE_ROUND, output=tmp_path / f"{threads}.safetensors", threads=threads, evaluate=COUNTING
        ).report.rows
        for threads in (1, 2)
    ]

    assert rows[0] == rows[1]
    assert rows[0][-1]["eval_kept"] == 213_370


FAILURES = {
    "exit": ("echo broken >&2; exit 5", "the evaluation of {} ended with status 5; its stderr ends with 'broken'"),
    "none": (":", "the evaluation of {} printed no numbers; it must print at least one NAME=VALUE"),
    "nan": ("echo a=nan", "the evaluation of {} printed a='nan'; a value must be a finite number"),
    "names": ("echo b=1", "the evaluation printed a for {0}, and b for {1}; it must print the same names for both"),
    "changed": ('echo x >> "$1"; echo a=1', "the evaluation changed {}; it may only read it"),
    "removed": ('rm "$(readlink "$1")"; echo a=1', "the evaluation changed {}; it may only read it"),
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_failure_on_the_result_leaves_no_output(model, how):
    code, message = FAILURES[how]
    output = model.with_name("my own model.pruned.safetensors")

    with pytest.raises(EvaluationError) as caught:
        prune_checkpoint(model, ONE_ROUND, evaluate=of_result(code))

    places = [model, output] if how == "names" else [output]
    assert str(caught.value).startswith(message.format(*places))
    assert list(model.parent.iterdir()) == [model]


def test_a_time_limit_on_the_result_leaves_no_output_and_no_process(model, tmp_path_factory, monkeypatch):
    place = tmp_path_factory.mktemp("processes")
    wait = subprocess.Popen.wait

    def expired(self, timeout=None):
        if timeout == 5.0 and ".pruned" in self.args[-1]:
            wait_for(place / "child")
            raise subprocess.TimeoutExpired(self.args, timeout)
        return wait(self) if timeout == 5.0 else wait(self, timeout)

    monkeypatch.setattr("subprocess.Popen.wait", expired)
    evaluate = of_result(f"sleep 600 & echo $! > {place}/child; wait")

    with pytest.raises(EvaluationError, match=r"my own model.pruned.safetensors took more than 5 s and was ended; its"):
        prune_checkpoint(model, ONE_ROUND, evaluate=replace(evaluate, timeout=5.0))

    assert has_ended(int((place / "child").read_text()))
    assert list(model.parent.iterdir()) == [model]


def test_a_failure_on_the_input_comes_first(model, tmp_path):
    with pytest.raises(EvaluationError, match=r"^the evaluation of .*my own model.safetensors ended with status 2;"):
        prune_checkpoint(model, ONE_ROUND, evaluate=shell(f'echo "$1" >> {tmp_path}/calls; exit 2'))

    assert (tmp_path / "calls").read_text() == f"{model}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls", model.name]


def test_a_failure_leaves_earlier_outputs_as_they_were(model):
    outputs = prune_checkpoint(model, ONE_ROUND).outputs
    before = {path: path.read_bytes() for path in outputs.in_order}

    with pytest.raises(EvaluationError):
        prune_checkpoint(model, PruningOptions(rounds=2), evaluate=of_result("exit 1"), force=True)
    with pytest.raises(EvaluationError):
        apply_mask(model, outputs.mask, output=outputs.checkpoint, mask_out=model.with_name("new"),
                   evaluate=of_result("exit 1"), force=True)  # fmt: skip

    assert {path: path.read_bytes() for path in model.parent.iterdir() if path != model} == before


def test_a_needed_name_that_is_missing_is_found_before_anything_is_written(model):
    needs = Evaluation(("sh", "-c", "echo a=1", "sh", "{checkpoint}"), needed=frozenset(["b"]))

    with pytest.raises(OptionError, match=r"^a gate looks at eval_b, and the evaluation of .*safetensors printed a$"):
        prune_checkpoint(model, ONE_ROUND, evaluate=needs)

    assert list(model.parent.iterdir()) == [model]


@pytest.mark.parametrize("code", ["echo a=1", "exit 1"])
def test_nothing_stays_in_the_temporary_folder(model, tmp_path_factory, monkeypatch, code):
    place = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    try:
        prune_checkpoint(model, ONE_ROUND, evaluate=of_result(code))
    except EvaluationError:
        assert code == "exit 1"

    assert list(place.iterdir()) == []


def test_bound_evaluates_its_checkpoint(model):
    report = bound_report(model, evaluate=COUNTING)

    assert evaluated(report.network) == {"eval_kept": 600, "eval_total": 180_300.0}
    assert [evaluated(row) for row in report.layers] == [{}]
    assert report.settings["evaluate"] == COUNTING.text


def test_bound_evaluates_in_the_view_spatial_too(sample):
    patterns = LayerPatterns(view=View.SPATIAL, input_sizes=(("conv*", InputSize((28, 28))),))

    report = bound_report(sample("lenet-5-mnist.safetensors"), patterns=patterns, evaluate=shell("echo a=1"))

    assert [row["level"] for row in report.rows if "eval_a" in row] == ["network"]


def test_bound_fails_with_the_command(model):
    with pytest.raises(EvaluationError, match="ended with status 1"):
        bound_report(model, evaluate=shell("exit 1"))
