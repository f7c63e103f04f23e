"""The evaluation of the checkpoints of a comparison: of each reference and each other."""

import sys
from pathlib import Path

import pytest

from topoimp.commands.compare import comparison_report
from topoimp.commands.compare_over_seeds import comparison_over_seeds
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_with_trainer
from topoimp.errors import EvaluationError, OptionError
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer

SCRIPT = Path(__file__).parent.parent / "evaluations.py"


@pytest.fixture
def counting(tmp_path):
    """An evaluation that lists its calls in the file ``calls``."""
    return Evaluation((sys.executable, str(SCRIPT), "{checkpoint}", str(tmp_path / "calls")))


@pytest.fixture
def rounds(lenet):
    """Two rounds of two seeds, by a trainer that changes nothing."""
    trainer = parse_trainer("sh -c 'cp $0 $2' {init} {mask} {out} {seed}", n_seeds=2)
    prune_with_trainer(
        lenet, PruningOptions(rounds=2), rewind="none", trainer=trainer, seeds=[0, 1], jobs=1,
        output=lenet.with_name("rounds"),
    )  # fmt: skip
    return lenet.with_name("rounds")


def kept(report):
    return [(row["eval_kept_reference"], row["eval_kept"]) for row in report.rounds]


def calls(tmp_path):
    return (tmp_path / "calls").read_text().splitlines()


def test_one_other(lenet, counting):
    pruned = prune_checkpoint(lenet, PruningOptions(rounds=1)).outputs.checkpoint

    report = comparison_report(lenet, pruned, evaluate=counting)

    assert kept(report) == [(266_610, 213_370)]
    assert [name for row in report.layers for name in row if name.startswith("eval_")] == []
    assert report.settings["evaluate"] == counting.text


def test_several_others_and_null_models_run_the_command_once_for_each_path(lenet, lenet_init, counting, tmp_path):
    report = comparison_report(lenet, lenet_init, lenet, null=["shuffle:2", "rows:2"], evaluate=counting)

    assert kept(report) == [(266_610, 266_200)] * 2 + [(266_610, 266_610)] * 2
    assert calls(tmp_path) == [str(lenet), str(lenet_init)]


def test_rounds_beside_a_reference(lenet, rounds, counting):
    report = comparison_report(lenet, rounds, seeds=[0], evaluate=counting)

    assert kept(report) == [(266_610, 266_610), (266_610, 213_370), (266_610, 170_778)]


def test_rounds_beside_their_own_reference(rounds, counting, tmp_path):
    report = comparison_report(rounds, rounds=[1, 2], evaluate=counting)

    assert kept(report) == [(266_610, 213_370), (266_610, 170_778)] * 2
    assert len(calls(tmp_path)) == 6


def test_rounds_beside_the_round_before(rounds, counting):
    report = comparison_report(rounds, reference="previous", seeds=[1], evaluate=counting)

    assert kept(report) == [(266_610, 213_370), (213_370, 170_778)]


def test_over_seeds_the_numbers_have_means(rounds, counting):
    report = comparison_over_seeds(comparison_report(rounds, rounds=["last"], evaluate=counting))

    (row,) = [row for row in report.rows if row["quantity"] == "eval_kept"]
    assert (row["level"], row["n_seeds"], row["mean"], row["standard_deviation"]) == ("network", 2, 170_778.0, 0.0)


def test_a_mask_is_refused_in_one_sentence(lenet, counting, tmp_path):
    mask = prune_checkpoint(lenet, PruningOptions(rounds=1)).outputs.mask

    with pytest.raises(OptionError) as caught:
        comparison_report(lenet, mask, evaluate=counting)

    written = "prune with `apply_mask` writes the checkpoint under it, and evaluates that"
    assert str(caught.value) == f"{mask}: is a mask, which `evaluate` cannot run on; {written}"
    assert not (tmp_path / "calls").exists()


def test_a_failure_names_the_checkpoint(lenet, lenet_init):
    code = 'case "$1" in *-init*) exit 3;; esac; echo a=1'

    with pytest.raises(EvaluationError, match=f"^the evaluation of {lenet_init} ended with status 3; its stderr is"):
        comparison_report(lenet, lenet_init, evaluate=Evaluation(("sh", "-c", code, "sh", "{checkpoint}")))
