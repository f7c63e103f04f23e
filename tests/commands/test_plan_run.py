from shutil import copyfile, copytree, ignore_patterns

import pytest
from strategies import FREE_METHODS

from topoimp.choices import Method, Scope
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.plan_run import plan_run
from topoimp.commands.prune_run import prune_run
from topoimp.errors import CheckpointError, GateError
from topoimp.pruning.options import PruningOptions


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """One copy for all tests: a plan reads, and each pruning has a folder of its own."""
    return copytree(trained, tmp_path_factory.mktemp("planned") / "run")


@pytest.mark.parametrize("method", [*FREE_METHODS, Method.PATHS])
@pytest.mark.parametrize("scope", Scope)
def test_the_first_round_and_all_targets_are_those_of_the_pruning(run, method, scope):
    options = PruningOptions(rounds=2, method=method, scope=scope)

    planned = plan_run(run, options, seeds=[1]).rows

    done = [row for row in prune_run(run, options, seeds=[1]).report.rows if row["round"]]
    columns = ("seed", "level", "round", "target", "n_weights", "n_edges", "floor")
    assert [[row.get(c) for c in columns] for row in planned] == [[row.get(c) for c in columns] for row in done]
    found, first = ([row for row in rows if row["round"] == 1] for rows in (planned, done))
    extra = ("bytes_to_write", "retention_iid")
    found = [{c: value for c, value in row.items() if c not in extra} for row in found]
    assert [{c: row[c] for c in plan} for plan, row in zip(found, first, strict=True)] == found


def test_the_first_round_has_the_retention_by_chance_of_a_pruning_of_the_same_weights(run):
    options = PruningOptions(rounds=2, rate=0.2)

    planned = plan_run(run, options, seeds=[1]).rows

    of_file = plan_pruning(run / "seed-1/model.safetensors", options).report.rows
    shares = [row["retention_iid"] for row in planned if row["round"] == 1]
    assert shares == [row["retention_iid"] for row in of_file if row["round"] == 1]
    assert all(0 < share < 1 for share in shares)


def test_of_later_rounds_nothing_is_said_but_targets_and_floors(run):
    report = plan_run(run, PruningOptions(rounds=30, rate=0.2))

    assert [row["seed"] for row in report.rounds] == [0] * 30 + [1] * 30
    assert all("n_kept" not in row and "barcode_kept" not in row for row in report.rows if row["round"] > 1)
    assert report.network["floor"] == 83 + 29
    assert report.network["floor_binds"] is True
    assert report.settings["dry_run"] is True


def test_where_floors_are_not_protected_whole_it_is_not_known_when_they_bind(run):
    for options in (PruningOptions(rounds=30, method=Method.MAGNITUDE), PruningOptions(rounds=30, epsilon=0.1)):
        assert plan_run(run, options).network["floor_binds"] is None


def test_every_round_says_about_how_many_bytes_it_writes(run, tmp_path):
    options = PruningOptions(rounds=1)
    copy = copytree(run / "seed-0", tmp_path / "run" / "seed-0", ignore=ignore_patterns("round-*"))
    copyfile(run / "recipe.toml", tmp_path / "run" / "recipe.toml")

    (planned,) = plan_run(tmp_path / "run", options).rounds
    prune_run(tmp_path / "run", options)

    # (1,280 + 200 weights + 30 biases) x 4 bytes, and a bit per weight; headers and metrics.json come on top
    assert planned["bytes_to_write"] == 6_040 + 160 + 25
    written = copy / "topological" / "round-01"
    assert (written / "model.safetensors").stat().st_size - 6_040 in range(2_000)
    assert (written / "mask.safetensors").stat().st_size - 185 in range(2_000)


def test_nothing_is_written(run):
    before = sorted(path for path in run.rglob("*"))

    plan_run(run, PruningOptions(rounds=3, scope="global"))

    assert sorted(path for path in run.rglob("*")) == before


def test_strict_refuses_a_first_target_below_a_floor(run):
    with pytest.raises(GateError, match=r"round 1 asks fc1.weight for 13 weights, below its floor of 83; nothing was"):
        plan_run(run, PruningOptions(rounds=1, rate=0.99), strict=True)


def test_a_seed_that_is_not_there_is_refused(run):
    with pytest.raises(CheckpointError, match="has no trained network of seed 7; train makes it"):
        plan_run(run, PruningOptions(rounds=1), seeds=[7])


def test_the_plan_has_the_own_targets_of_layers_beside_the_shared_one(run):
    rates = {"fc2*": 0.05}
    options = PruningOptions(rounds=2, method="magnitude", scope="global", layer_rates=rates)

    planned = plan_run(run, options, seeds=[0]).rows

    done = [row for row in prune_run(run, options, seeds=[0], force=True).report.rows if row["round"]]
    targets = [(row["round"], row.get("layer"), row["target"]) for row in done]
    assert [(row["round"], row.get("layer"), row["target"]) for row in planned] == targets
    assert [target for _, layer, target in targets if layer == "fc2.weight"] == [190, 181]
    assert [row["n_kept"] for row in done if row["level"] == "network"] == [t for _, layer, t in targets if not layer]
