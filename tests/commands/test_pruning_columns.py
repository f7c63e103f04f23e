"""The columns that gates are checked against are those of the reports."""

import pytest

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run
from topoimp.commands.pruning_columns import MASK_COLUMNS, ONE_SHOT_COLUMNS, REPAIR_COLUMNS, RUN_COLUMNS
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer


def columns_of(rows):
    return {
        level: {column for row in rows if row["level"] == level for column in row} for level in ("layer", "network")
    }


def test_the_columns_of_a_pruning_in_one_shot(lenet):
    report = prune_checkpoint(lenet, PruningOptions(rounds=2)).report

    assert columns_of(report.last_round()) == columns_of(report.rows) == ONE_SHOT_COLUMNS


def test_the_columns_of_a_pruning_by_a_mask(lenet):
    assert columns_of(apply_mask(lenet, lenet).report.rows) == MASK_COLUMNS
    repaired = apply_mask(lenet, lenet, repair=True, output=lenet.with_name("repaired.safetensors"))
    assert columns_of(repaired.report.rows) == REPAIR_COLUMNS


@pytest.mark.parametrize("command", [None, "sh -c 'cp $0 $2' {init} {mask} {out}"])
def test_the_columns_of_the_last_round_of_a_pruning_with_training(run, command):
    trainer = None if command is None else parse_trainer(command)

    report = prune_run(run, PruningOptions(rounds=1), seeds=[0], trainer=trainer).report

    assert columns_of(report.last_round()) == RUN_COLUMNS
