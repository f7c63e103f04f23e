from pathlib import Path

import pytest

from topoimp.choices import Method, PruningSchedule, Scope
from topoimp.errors import CheckpointError
from topoimp.rounds.recipe_file import is_same_toml, read_toml
from topoimp.rounds.run_folder import PruningFiles, RunFiles, is_run_folder, pruning_name, recipe_beside


@pytest.mark.parametrize(
    ("method", "epsilon", "scope", "name"),
    [
        (Method.TOPOLOGICAL, 0.0, Scope.LAYER, "topological"),
        (Method.TOPOLOGICAL, 0.05, Scope.LAYER, "topological-eps-0.05"),
        (Method.MAGNITUDE, 0.0, Scope.GLOBAL, "magnitude-global"),
        (Method.TOPOLOGICAL, 1.0, Scope.GLOBAL, "topological-eps-1-global"),
    ],
)
def test_a_pruning_is_named_after_what_it_is(method, epsilon, scope, name):
    assert pruning_name(method, epsilon, scope) == name


@pytest.mark.parametrize(
    ("schedule", "rewind", "name"),
    [
        (PruningSchedule.LINEAR, None, "magnitude-linear"),
        (PruningSchedule.LINEAR, "none", "magnitude-linear-rewind-none"),
        (PruningSchedule.GEOMETRIC, "step:0", "magnitude-rewind-init"),
        (PruningSchedule.GEOMETRIC, "step:500", "magnitude-rewind-step-500"),
        (PruningSchedule.GEOMETRIC, "sha256:0a1b", "magnitude-rewind-from"),
    ],
)
def test_a_pruning_is_named_after_its_schedule_and_rewinding_where_they_are_not_the_usual(schedule, rewind, name):
    assert pruning_name(Method.MAGNITUDE, 0.0, Scope.LAYER, schedule, rewind) == name


def test_two_epsilons_never_share_a_name():
    names = {pruning_name(Method.TOPOLOGICAL, epsilon, Scope.LAYER) for epsilon in (0.1, 0.1000001, 0.10000001)}

    assert len(names) == 3


def test_seeds_are_those_that_were_trained(tmp_path):
    for name in ("seed-3", "seed-0", "seed-x", "seed-10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").touch()
    RunFiles(tmp_path).seed(7).folder.mkdir()

    assert RunFiles(tmp_path).trained_seeds() == [0, 3, 10]


def test_rounds_are_finished_up_to_the_first_gap(tmp_path):
    files = PruningFiles(tmp_path)
    for number in (0, 1, 3):
        files.round(number).folder.mkdir()
        files.round(number).metrics.touch()

    assert files.n_finished() == 2
    assert files.finished() == [0, 1, 3]


def test_a_run_folder_has_a_recipe(tmp_path):
    assert not is_run_folder(tmp_path)
    (tmp_path / "recipe.toml").touch()
    assert is_run_folder(tmp_path)


def test_weights_in_a_run_folder_have_its_recipe(tmp_path):
    weights = RunFiles(tmp_path).seed(3).trained

    assert recipe_beside(weights) is None
    (tmp_path / "recipe.toml").touch()
    assert recipe_beside(weights) == tmp_path.resolve() / "recipe.toml"
    assert recipe_beside(tmp_path / "other" / "model.safetensors") is None


def test_a_pruning_knows_its_seed(tmp_path, monkeypatch):
    (tmp_path / "seed-3" / "magnitude").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "seed-3" / "magnitude")

    assert PruningFiles(tmp_path / "seed-3" / "magnitude").seed == 3
    assert PruningFiles(Path()).seed == 3
    assert PruningFiles(tmp_path / "magnitude").seed is None


def test_toml_is_compared_by_its_content(tmp_path):
    (tmp_path / "a.toml").write_text("a = [1,\n2]\nb = 1\n")

    assert is_same_toml(tmp_path / "a.toml", "b = 1\na = [1, 2]")
    assert not is_same_toml(tmp_path / "a.toml", "b = 2\na = [1, 2]")
    (tmp_path / "a.toml").write_bytes(b"\xff")
    assert not is_same_toml(tmp_path / "a.toml", "b = 1")


def test_what_is_no_toml_is_said(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xff")

    with pytest.raises(CheckpointError, match=r"a.toml: is no TOML"):
        read_toml(tmp_path / "a.toml")
    with pytest.raises(CheckpointError, match=r"b.toml: cannot be read: No such file"):
        read_toml(tmp_path / "b.toml")
