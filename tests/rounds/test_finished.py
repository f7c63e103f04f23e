import shutil

import pytest

from topoimp.choices import Method
from topoimp.errors import CheckpointError
from topoimp.rounds.finished import ComparedFiles, RoundSelection, files_of, holds_rounds


def finished_rounds(folder, n_rounds, suffix=".safetensors"):
    """What prune leaves of some rounds, with nothing in it."""
    folder.mkdir(parents=True)
    (folder / "pruning.toml").touch()
    for number in range(n_rounds):
        (folder / f"round-{number:02}").mkdir()
        (folder / f"round-{number:02}" / f"model{suffix}").touch()
        (folder / f"round-{number:02}" / "metrics.json").touch()


def test_a_file_stands_for_itself(tmp_path):
    assert files_of(tmp_path / "model.safetensors") == [
        ComparedFiles(tmp_path / "model.safetensors", str(tmp_path / "model.safetensors"))
    ]


def test_a_folder_of_shards_stands_for_itself(tmp_path):
    (tmp_path / "model.safetensors").touch()

    assert files_of(tmp_path) == [ComparedFiles(tmp_path, str(tmp_path))]


def test_a_pruning_stands_for_its_rounds_from_the_unpruned_network_on(tmp_path):
    folder = tmp_path / "seed-3" / "topological"
    finished_rounds(folder, 2)

    assert files_of(folder) == [
        ComparedFiles(
            path=folder / f"round-0{number}" / "model.safetensors",
            name=str(folder / f"round-0{number}"),
            mask=folder / f"round-0{number}" / "mask.safetensors",
            seed=3,
            round=number,
        )
        for number in (0, 1)
    ]


def test_a_run_folder_stands_for_the_rounds_of_all_seeds_in_natural_order(tmp_path):
    (tmp_path / "recipe.toml").touch()
    finished_rounds(tmp_path / "seed-10" / "magnitude", 1)
    finished_rounds(tmp_path / "seed-2" / "topological", 2)
    finished_rounds(tmp_path / "seed-2" / "magnitude", 1)

    assert [(other.name.removeprefix(f"{tmp_path}/"), other.seed, other.round) for other in files_of(tmp_path)] == [
        ("seed-2/magnitude/round-00", 2, 0),
        ("seed-2/topological/round-00", 2, 0),
        ("seed-2/topological/round-01", 2, 1),
        ("seed-10/magnitude/round-00", 10, 0),
    ]
    assert [other.seed for other in files_of(tmp_path / "seed-2")] == [2, 2, 2]


def test_rounds_of_a_trainer_of_ones_own_have_no_recipe(tmp_path):
    finished_rounds(tmp_path / "seed-0" / "topological", 1, suffix="")

    assert [other.path for other in files_of(tmp_path)] == [tmp_path / "seed-0" / "topological" / "round-00" / "model"]


def test_an_unfinished_round_is_left_out(tmp_path):
    finished_rounds(tmp_path / "p", 2)
    (tmp_path / "p" / "round-01" / "metrics.json").unlink()

    assert [other.round for other in files_of(tmp_path / "p")] == [0]


def test_rounds_after_one_that_was_removed_are_there(tmp_path):
    finished_rounds(tmp_path / "p", 101)
    shutil.rmtree(tmp_path / "p" / "round-00")
    shutil.rmtree(tmp_path / "p" / "round-50")

    assert [other.round for other in files_of(tmp_path / "p")] == [*range(1, 50), *range(51, 101)]
    assert files_of(tmp_path / "p")[0].path == tmp_path / "p" / "round-01" / "model.safetensors"


def test_what_is_called_otherwise_is_no_round(tmp_path):
    finished_rounds(tmp_path / "p", 1)
    shutil.copytree(tmp_path / "p" / "round-00", tmp_path / "p" / "round-00 copy")

    assert [other.round for other in files_of(tmp_path / "p")] == [0]


@pytest.mark.parametrize("name", ["recipe.toml", "pruning.toml"])
def test_a_folder_without_rounds_is_refused(tmp_path, name):
    (tmp_path / name).touch()

    with pytest.raises(CheckpointError, match="holds no finished round of pruning; topoimp prune makes them"):
        files_of(tmp_path)


def test_rounds_are_selected_in_their_own_order_and_once(tmp_path):
    finished_rounds(tmp_path / "seed-0" / "magnitude", 3)
    finished_rounds(tmp_path / "seed-0" / "magnitude-global", 2)

    def selected(*rounds):
        return [(file.pruning.name, file.round) for file in files_of(tmp_path, RoundSelection(rounds))]

    assert selected("last", 2, 0) == [
        ("magnitude", 0), ("magnitude", 2), ("magnitude-global", 0), ("magnitude-global", 1),
    ]  # fmt: skip
    assert selected(2) == [("magnitude", 2)]


@pytest.mark.parametrize(
    ("name", "is_magnitude"),
    [("magnitude", True), ("magnitude-global", True), ("magnitudes", False), ("topological-eps-0.1", False)],
)
def test_the_name_of_a_pruning_begins_with_its_method(tmp_path, name, is_magnitude):
    finished_rounds(tmp_path / "seed-0" / name, 1)

    assert files_of(tmp_path)[0].is_of(Method.MAGNITUDE) is is_magnitude


def test_a_folder_of_rounds_is_told_from_a_checkpoint(tmp_path):
    finished_rounds(tmp_path / "run" / "seed-0" / "magnitude", 1)
    (tmp_path / "model.safetensors").touch()

    assert [holds_rounds(tmp_path / place) for place in ("run", "run/seed-0", "run/seed-0/magnitude")] == [True] * 3
    assert not holds_rounds(tmp_path)
    assert not holds_rounds(tmp_path / "model.safetensors")
    assert not holds_rounds(tmp_path / "missing")
