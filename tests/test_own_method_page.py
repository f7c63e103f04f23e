"""The methods of docs/own-method.md run: on a file, in rounds that are resumed, and on a module."""

import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY
from safetensors.numpy import load_file

from topoimp.commands.prune_run import prune_run
from topoimp.errors import OutputError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.table import read_tables

PAGE = (REPOSITORY / "docs" / "own-method.md").read_text(encoding="utf-8")
MOVED, WALK, MODULE, MASKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMAND = re.search(r"\$ topoimp (prune .*)", PAGE)[1].split()


@pytest.fixture
def moved_by_walking(tmp_path):
    (tmp_path / "walk.py").write_text(WALK)
    return f"{tmp_path}/walk.py:walk"


def test_each_example_has_fewer_than_20_lines():
    assert max(len([line for line in code.splitlines() if line]) for code in (MOVED, WALK)) < 20


def test_the_command_prunes_by_the_scores_of_the_example(topoimp, lenet, lenet_init, monkeypatch):
    monkeypatch.chdir(lenet.parent)
    (lenet.parent / "moved.py").write_text(MOVED)

    outcome = topoimp(*COMMAND)

    assert outcome.status == 0, outcome.err
    trained, initial = load_file(lenet), load_file(lenet_init)
    names = ["fc1.weight", "fc2.weight", "fc3.weight"]
    scores = np.concatenate([np.abs(trained[name] * (trained[name] - initial[name])).ravel() for name in names])
    masks = read_masks(lenet.with_name(f"{lenet.stem}.pruned.mask.safetensors"))
    kept = np.concatenate([masks[name].kept().ravel() for name in names])
    assert kept.sum() == 26620
    assert scores[kept].min() >= scores[~kept].max()


def test_a_module_is_pruned_and_masks_are_reported_as_the_page_shows(tmp_path):
    code = WALK + MODULE + MASKS

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == "".join(re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL))


def test_rounds_by_a_method_of_a_file_are_checked_resumed_and_in_the_tables(run, moved_by_walking):
    first = prune_run(run, PruningOptions(rounds=1, method=moved_by_walking), jobs=2)
    second = prune_run(run, PruningOptions(rounds=2, method=moved_by_walking), jobs=2)

    assert (first.n_new, second.n_new) == (2, 2)
    assert [folder.name for folder in second.folders] == ["walk", "walk"]
    network = [row for row in second.report.rows if row["level"] == "network" and row["seed"] == 0]
    assert [row["n_kept"] for row in network] == [1480, 1184, 947]
    assert "nested counts" in network[-1]["checked"]
    assert {row["method"] for row in read_tables(run).rounds} == {"walk"}
    assert {row["method"] for row in read_tables(run).summary} == {"walk"}


def test_a_mask_of_a_round_keeps_the_largest_scores_of_the_round_before(run, moved_by_walking):
    (folder,) = prune_run(run, PruningOptions(rounds=2, method=moved_by_walking), seeds=[0]).folders
    namespace = {}
    exec(WALK, namespace)  # noqa: S102  # the page's own code

    before = load_file(folder / "round-01/model.safetensors")
    masks = read_masks(folder / "round-02/mask.safetensors")
    scores = namespace["walk"]({name: before[name] for name in sorted(masks)})
    for name, mask in masks.items():
        edges = before[name] != 0
        assert scores[name][mask.kept()].min() >= scores[name][edges & ~mask.kept()].max()


def test_rounds_do_not_go_on_with_a_changed_file(run, tmp_path, moved_by_walking):
    prune_run(run, PruningOptions(rounds=1, method=moved_by_walking), seeds=[0])
    (tmp_path / "walk.py").write_text(f"{WALK}# another version\n")

    with pytest.raises(OutputError, match=r"walk: was begun with method_sha256 '\w{64}', not '\w{64}'; `force` begins"):
        prune_run(run, PruningOptions(rounds=2, method=moved_by_walking), seeds=[0])


def test_a_lambda_prunes_all_seeds_one_after_the_other(run):
    pruning = prune_run(run, PruningOptions(rounds=1, method=lambda weights: weights), jobs=2)

    assert [str(folder.relative_to(run)) for folder in pruning.folders] == ["seed-0/lambda", "seed-1/lambda"]


def test_an_error_of_the_function_is_one_line_and_status_1(topoimp, lenet, tmp_path):
    (tmp_path / "bad.py").write_text("def bad(weights):\n    return {**weights, 'fc2.weight': weights['fc1.weight']}\n")

    outcome = topoimp("prune", lenet, "--rounds", 1, "--method", f"{tmp_path}/bad.py:bad")

    assert outcome.status == 1
    needed = "the scores have the shape [300, 784]; [100, 300] is needed"
    assert outcome.err == f"error: method 'bad', layer 'fc2.weight': {needed}\n"
    assert not list(lenet.parent.glob("*.pruned*"))
