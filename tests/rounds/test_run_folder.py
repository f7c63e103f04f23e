import pytest

from topoimp.choices import Method, Scope
from topoimp.errors import CheckpointError
from topoimp.rounds.run_folder import RoundFiles, SeedFiles, is_run_folder, pruning_name, read_toml, seeds_in


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


def test_two_epsilons_never_share_a_name():
    names = {pruning_name(Method.TOPOLOGICAL, epsilon, Scope.LAYER) for epsilon in (0.1, 0.1000001, 0.10000001)}

    assert len(names) == 3


def test_seeds_are_those_that_were_trained(tmp_path):
    for name in ("seed-3", "seed-0", "seed-x", "seed-10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").touch()
    SeedFiles(tmp_path, 7).folder.mkdir()

    assert seeds_in(tmp_path) == [0, 3, 10]


def test_rounds_are_finished_up_to_the_first_gap(tmp_path):
    files = RoundFiles(tmp_path)
    for number in (0, 1, 3):
        files.round(number).mkdir()
        files.metrics(number).touch()

    assert files.n_finished() == 2


def test_a_run_folder_has_a_recipe(tmp_path):
    assert not is_run_folder(tmp_path)
    (tmp_path / "recipe.toml").touch()
    assert is_run_folder(tmp_path)


def test_what_is_no_toml_is_said(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xff")

    with pytest.raises(CheckpointError, match=r"a.toml: is no TOML"):
        read_toml(tmp_path / "a.toml")
    with pytest.raises(CheckpointError, match=r"b.toml: cannot be read: No such file"):
        read_toml(tmp_path / "b.toml")
