"""Rounds that go on from those in the folder: after others, after a run that was killed, or not at all."""

import csv
import multiprocessing
import shutil
import subprocess
import sys
import time

import pytest
import replicated

from topoimp.choices import Method
from topoimp.commands.prune_run import prune_run
from topoimp.commands.train import train_run
from topoimp.errors import OutputError
from topoimp.pruning.options import PruningOptions


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_again_does_nothing_and_more_rounds_go_on(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])
    before = (run / "seed-0/topological/round-01/model.safetensors").stat().st_mtime_ns

    again, more = (
        prune_run(run, PruningOptions(rounds=1), seeds=[0]),
        prune_run(run, PruningOptions(rounds=2), seeds=[0]),
    )

    assert (again.n_new, more.n_new) == (0, 1)
    assert (run / "seed-0/topological/round-01/model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rate": 0.3}, r"was begun with rate 0.2, not 0.3; `force` begins anew, and loses these rounds"),
        ({"sparsity": 0.5}, r"was begun with rate 0.2, not None|was begun with sparsity None, not 0.5"),
        ({"layer_rates": {"fc2*": 0.1}}, r"was begun with layer_rates None, not \['fc2\*=0.1'\]"),
        ({"output_rate": "half"}, r"was begun with layer_rates None, not \['fc2.weight=0.1'\]"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(run, changed, message):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])

    with pytest.raises(OutputError, match=message):
        prune_run(run, PruningOptions(rounds=2, **changed), seeds=[0])
    assert not (run / "seed-0/topological/round-02").exists()


def test_prunings_with_other_rewindings_and_schedules_have_folders_of_their_own(run):
    options = PruningOptions(rounds=1)
    for rewind in (None, "init", "none", "step:7", "step:11"):
        prune_run(run, options, rewind=rewind, seeds=[0])
    prune_run(run, options, rewind_from=run / "seed-1/init.safetensors", seeds=[0])
    prune_run(run, PruningOptions(rounds=1, schedule="linear"), seeds=[0])

    folders = sorted(path.parent.name for path in (run / "seed-0").glob("*/pruning.toml"))
    suffixes = ["", "-linear", "-rewind-from", "-rewind-init", "-rewind-none", "-rewind-step-11"]
    assert folders == [f"topological{suffix}" for suffix in suffixes]
    rows = table(run / "rounds.csv")
    named = {(row["schedule"], row["rewind"].partition(":")[0] or row["rewind"]) for row in rows}
    assert named == {("geometric", "step"), ("geometric", "none"), ("geometric", "sha256"), ("linear", "step")}
    assert len({(row["schedule"], row["rewind"]) for row in rows}) == len(folders)


def test_another_checkpoint_to_rewind_to_in_the_same_folder_is_refused(run):
    prune_run(run, PruningOptions(rounds=1), rewind_from=run / "seed-1/init.safetensors", seeds=[0])

    with pytest.raises(OutputError, match=r"topological-rewind-from: was begun with rewind 'sha256:"):
        prune_run(run, PruningOptions(rounds=2), rewind_from=run / "seed-1/model.safetensors", seeds=[0])


def test_rounds_of_an_earlier_version_go_on_in_their_folder(run):
    prune_run(run, PruningOptions(rounds=1), rewind="none", seeds=[0])
    (run / "seed-0/topological-rewind-none").rename(run / "seed-0/topological")

    more = prune_run(run, PruningOptions(rounds=2), rewind="none", seeds=[0])
    other = prune_run(run, PruningOptions(rounds=1), rewind="init", seeds=[0])

    assert (more.n_new, more.folders) == (1, [run / "seed-0/topological"])
    assert other.folders == [run / "seed-0/topological-rewind-init"]
    assert {row["rewind"] for row in table(run / "rounds.csv")} == {"none", "step:0"}


def test_force_begins_anew(run):
    prune_run(run, PruningOptions(rounds=2), seeds=[0])

    pruning = prune_run(run, PruningOptions(rounds=1, rate=0.5), force=True, seeds=[0])

    assert pruning.n_new == 1
    assert not (run / "seed-0/topological/round-02").exists()
    assert pruning.report.network["n_kept"] == 740


def test_another_recipe_is_noticed(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace("epochs = 2", "epochs = 3"))

    with pytest.raises(OutputError, match="was begun with recipe_sha256"):
        prune_run(run, PruningOptions(rounds=2), seeds=[0])


def test_rounds_without_what_decided_them_are_refused(run):
    prune_run(run, PruningOptions(rounds=1), seeds=[0])
    (run / "seed-0/topological/pruning.toml").unlink()

    with pytest.raises(OutputError, match="holds rounds without their settings; `force` begins anew"):
        prune_run(run, PruningOptions(rounds=2, rate=0.5), seeds=[0])
    assert prune_run(run, PruningOptions(rounds=2, rate=0.5), force=True, seeds=[0]).n_new == 2


def test_the_order_of_rates_decides_and_is_compared(run):
    rates = {"fc*": 0.1, "fc1.weight": 0.4}
    prune_run(run, PruningOptions(rounds=1, layer_rates=rates), seeds=[0])

    with pytest.raises(OutputError, match="was begun with layer_rates"):
        prune_run(run, PruningOptions(rounds=2, layer_rates=dict(reversed(rates.items()))), seeds=[0])


def test_weights_of_a_step_are_made_anew_for_another_recipe(run):
    prune_run(run, PruningOptions(rounds=1), rewind="step:11", seeds=[0])
    before = (run / "seed-0/step-11.safetensors").read_bytes()
    train_run("mlp:64-20-10", output=run, epochs=2, rewind_at=7, seed=1, force=True)
    shutil.rmtree(run / "seed-1")
    train_run("mlp:64-20-10", output=run, epochs=2, rewind_at=7, learning_rate=0.05, force=True)

    prune_run(run, PruningOptions(rounds=1), rewind="step:11", force=True, seeds=[0])

    assert (run / "seed-0/step-11.safetensors").read_bytes() != before


def test_rounds_of_an_older_recipe_are_in_no_table(tmp_path):
    train_run("mlp:64-20-10", output=tmp_path / "run", epochs=1)
    prune_run(tmp_path / "run", PruningOptions(rounds=1))
    train_run("mlp:64-20-10", output=tmp_path / "run", epochs=2, force=True)

    prune_run(tmp_path / "run", PruningOptions(rounds=1, method=Method.MAGNITUDE))

    assert {row["method"] for row in table(tmp_path / "run/rounds.csv")} == {"magnitude"}
    assert {row["method"] for row in table(tmp_path / "run/summary.csv")} == {"magnitude"}


@pytest.fixture(scope="module")
def straight(trained, tmp_path_factory):
    """The run folder, pruned in three rounds without a break."""
    run = tmp_path_factory.mktemp("straight") / "run"
    shutil.copytree(trained, run)
    prune_run(run, PruningOptions(rounds=3), jobs=1)
    return run


@pytest.mark.parametrize("appeared", [".topological.lock", "topological/round-00", "topological/round-02"])
def test_a_run_that_is_killed_goes_on_where_it_stopped(run, straight, appeared):
    code = "from topoimp_cli.app import run; run()"
    command = [sys.executable, "-c", code, "prune", run, "--rounds", "3", "-q", "--seeds", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(run.glob(f"seed-?/{appeared}")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()

    pruning = prune_run(run, PruningOptions(rounds=3), jobs=1)

    names = sorted(str(path.relative_to(run)) for path in run.rglob("round-0[0-3]/*"))
    assert len(names) == 2 * 4 * 3
    assert all((run / name).read_bytes() == (straight / name).read_bytes() for name in names)
    assert not list(run.rglob("*.partial-*"))
    assert len(pruning.report.rows) == 2 * 4 * 3


def test_a_killed_run_that_is_still_ending_is_waited_for(run):
    ours, theirs = multiprocessing.Pipe()
    parent = multiprocessing.get_context("spawn").Process(
        target=replicated.holding_in_a_child, args=(run / "seed-0/.topological.lock", theirs)
    )
    parent.start()
    theirs.close()
    owner = ours.recv()
    parent.kill()
    parent.join()
    messages = []

    def on_wait(message):
        messages.append(message)
        ours.close()

    pruning = prune_run(run, PruningOptions(rounds=1), seeds=[0], on_wait=on_wait)

    assert pruning.n_new == 1
    folder = run / "seed-0/topological"
    assert messages == [f"{folder}: waiting for a run that is ending (process {owner})"]
