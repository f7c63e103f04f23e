"""Trust: damaged files, killed and interrupted runs, full disks, two runs at once. docs/reliability.md has the counts.

Each kind is tried a few times here, and many times by ``make soak``.
"""

import hashlib
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import torch
from damage import DAMAGES, other_index
from safetensors.torch import save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.barcode import barcode_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import OutputError, TopoimpError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions

PATIENCE = 120
"""Seconds after which something hangs."""


def times(few, many):
    """Try something a few times, or many times by ``make soak``."""
    return pytest.mark.parametrize("n_times", [few, pytest.param(many, marks=pytest.mark.soak)])


def chance(n_times):
    """The same damage every time; more of it, and other, where more is tried."""
    return random.Random(n_times)  # noqa: S311  # nothing here is secret


def record(what, counts):
    """Say what was tried, for those who run with ``-s``."""
    sys.stderr.write(f"{what}: {dict(counts)}\n")


@pytest.fixture
def small(tmp_path):
    """A small checkpoint with tensors of all kinds."""
    torch.manual_seed(0)
    kinds = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.float8_e4m3fn)
    tensors = {f"layer{k}.weight": torch.randn(6 + k, 5).to(kind) for k, kind in enumerate(kinds)}
    tensors |= {"bias": torch.ones(3), "ids": torch.arange(4), "empty": torch.ones(0, 3), "conv": torch.randn(4, 3, 2)}
    save_file(tensors, tmp_path / "small.safetensors", {"format": "pt"})
    return (tmp_path / "small.safetensors").read_bytes()


def outcome_of(command, path):
    """Give the class of error that a command refuses a file with; anything but such an error is a failure."""
    try:
        command(path)
    except TopoimpError as error:
        return type(error).__name__
    return "read"


def used_memory():
    """The most memory that this process has used, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@times(3_000, 200_000)
def test_damaged_files_are_read_or_refused_and_nothing_is_written(small, tmp_path, n_times):
    path, rng, outcomes = tmp_path / "small.safetensors", chance(n_times), Counter()
    outcome_of(barcode_report, path)
    memory, started = used_memory(), time.monotonic()

    for _, damage in zip(range(n_times), cycle(DAMAGES), strict=False):
        damaged = damage(small, rng)
        path.write_bytes(damaged)
        outcomes[outcome_of(lambda path: barcode_report(path, threads=1), path)] += 1
        assert path.read_bytes() == damaged

    assert [entry.name for entry in tmp_path.iterdir()] == ["small.safetensors"]
    assert used_memory() - memory < 100
    assert time.monotonic() - started < n_times / 10
    assert set(outcomes) == {"read", "CheckpointError", "LayerError"}
    assert all(outcomes[kind] > n_times / 100 for kind in outcomes)
    record("damaged files, by outcome", outcomes)


@times(300, 10_000)
def test_damaged_files_are_pruned_and_verified_or_refused(small, tmp_path, n_times):
    path, rng, outcomes = tmp_path / "small.safetensors", chance(n_times), Counter()

    for _, damage in zip(range(n_times), cycle(DAMAGES), strict=False):
        path.write_bytes(damage(small, rng))
        outcome = outcome_of(lambda path: prune_checkpoint(path, PruningOptions(rounds=2)), path)
        outcomes[outcome] += 1
        outputs = [entry for entry in tmp_path.iterdir() if entry != path]
        assert len(outputs) == (3 if outcome == "read" else 0)
        for output in outputs:
            output.unlink()

    assert set(outcomes) == {"read", "CheckpointError", "LayerError"}
    record("damaged files pruned, by outcome", outcomes)


@times(500, 20_000)
def test_damaged_indices_are_refused_and_nothing_outside_the_folder_is_opened(tmp_path, n_times, monkeypatch):
    folder, rng, outcomes = tmp_path / "model", chance(n_times), Counter()
    folder.mkdir()
    for number in (1, 2):
        save_file({f"w{number}": torch.randn(3, 3)}, folder / f"model-{number}.safetensors")
    index = json.dumps({"weight_map": {"w1": "model-1.safetensors", "w2": "model-2.safetensors"}}).encode()
    opened, opening = set(), Path.open

    def noted(path, *arguments, **options):
        opened.add(path.resolve().parent)
        return opening(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", noted)

    for _ in range(n_times):
        (folder / "model.safetensors.index.json").write_bytes(other_index(index, rng))
        outcomes[outcome_of(barcode_report, folder)] += 1

    assert opened == {folder}
    assert set(outcomes) == {"read", "CheckpointError"}
    assert outcomes["CheckpointError"] > n_times / 2
    record("damaged indices, by outcome", outcomes)


def watched(arguments, at):
    """Run a program that writes to a file before each step; return its output, or fail where it crashes or hangs."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    last, has_ended = "", False
    while not has_ended:
        try:
            output, errors = process.communicate(timeout=PATIENCE)
            has_ended = True
        except subprocess.TimeoutExpired:
            if at.exists() and at.read_text() == last:
                process.kill()
            last = at.read_text() if at.exists() else ""
    assert process.returncode == 0, f"exit status {process.returncode} at {at.read_text()}\n{errors[-2000:]}"
    return output


@times(60, 2_500)
def test_damaged_pytorch_files_indices_masks_and_scores_are_used_or_refused_and_nothing_is_left(tmp_path, n_times):
    trials = [sys.executable, Path(__file__).with_name("damage_trials.py"), str(n_times), tmp_path]

    found = dict(map(json.loads, watched(trials, tmp_path / "at").splitlines()))

    assert len(found) == 8
    for name, trial in found.items():
        assert set(trial["outcomes"]) <= {"read", "CheckpointError", "LayerError", "OptionError"}
        assert sum(trial["outcomes"].values()) == n_times
        assert trial["outcomes"]["read"] > n_times / 20
        assert trial["outcomes"]["CheckpointError"] > n_times / 4
        assert trial["memory"] < 100
        assert trial["left"] == []
        record(name, trial["outcomes"])


@pytest.mark.parametrize(
    ("program", "outcome"), [("import os; os.kill(os.getpid(), 11)", "-11"), ("raise ValueError('a bug')", "a bug")]
)
def test_a_crash_of_a_watched_program_is_a_failure_that_names_the_input(tmp_path, program, outcome):
    (tmp_path / "at").write_text("trial, 7: noise")

    with pytest.raises(AssertionError, match="trial, 7: noise") as caught:
        watched([sys.executable, "-c", program], tmp_path / "at")

    assert outcome in str(caught.value)


@pytest.fixture
def large(tmp_path):
    """A folder with shards, large enough to be interrupted while it is pruned."""
    folder = tmp_path / "model"
    folder.mkdir()
    weight = torch.randn(1024, 1024, generator=torch.Generator().manual_seed(0))
    placed = {}
    for shard in range(4):
        name = f"model-{shard}.safetensors"
        tensors = {f"w{4 * shard + k}": weight.roll(4 * shard + k).clone() for k in range(4)}
        save_file(tensors, folder / name, {"format": "pt"})
        placed |= dict.fromkeys(tensors, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))
    (folder / "config.json").write_text("{}")
    return folder


def contents(*paths):
    """What files and folders hold, by name; what is not there is not named."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


def outputs_of(folder):
    return [folder.with_name(f"model.pruned{end}") for end in ("", ".csv", ".mask.safetensors")]


def stop_while_writing(process, folder, delay, sent):
    """Send a signal to a run, some time after its first partial output is there."""
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob("*.partial-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(sent)
    process.communicate(timeout=PATIENCE)


def assert_consistent(folder, rounds):
    """The outputs are whole, and of one run."""
    checkpoint, _, mask = outputs_of(folder)
    pruned = open_checkpoint(checkpoint)
    assert pruned.metadata["topoimp.round"] in rounds
    assert read_masks(mask).keys() == pruned.tensors.keys()
    for name, of_tensor in read_masks(mask).items():
        assert np.array_equal(of_tensor.kept().ravel(), pruned.codes(name) != 0)


@times(6, 150)
def test_a_killed_run_leaves_input_and_earlier_outputs_intact_and_a_rerun_finishes(forks, large, tmp_path, n_times):
    prune_checkpoint(large, PruningOptions(rounds=1))
    before, rng, left_behind = contents(large, *outputs_of(large)), chance(n_times), 0

    for attempt in range(n_times):
        process = forks.start("prune", large, "--rounds", 2, "--force")
        stop_while_writing(process, tmp_path, rng.uniform(0, 0.8) if attempt else 0, signal.SIGKILL)
        left_behind += len(list(tmp_path.glob("*.partial-*"))) > 0
        if contents(large, *outputs_of(large)) != before:  # it was done before it was killed
            assert_consistent(large, {"2"})
            prune_checkpoint(large, PruningOptions(rounds=1), force=True)
        assert contents(large, *outputs_of(large)) == before

    prune_checkpoint(large, PruningOptions(rounds=2), force=True)
    assert_consistent(large, {"2"})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(
        ["model", *(path.name for path in outputs_of(large))]
    )
    assert left_behind > 0
    record("killed", {"killed": n_times, "while writing": left_behind})


@times(4, 60)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_exits_with_its_status_and_leaves_no_trace_or_all(forks, large, tmp_path, n_times, sent):
    before, rng, outcomes = contents(large), chance(n_times), Counter()

    for _ in range(n_times):
        process = forks.start("prune", large, "--rounds", 2)
        stop_while_writing(process, tmp_path, rng.uniform(0, 0.4), sent)
        done = outputs_of(large)[0].exists()  # before it was interrupted
        outcomes[process.returncode, "done" if done else "no trace"] += 1
        assert process.returncode in ({0, 128 + sent} if done else {128 + sent})
        if done:
            assert_consistent(large, {"2"})
            for path in outputs_of(large):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert [entry.name for entry in tmp_path.iterdir()] == ["model"]

    assert contents(large) == before
    record(f"interrupted by {sent.name}, by exit status", outcomes)


@times(2, 40)
def test_two_runs_at_once_leave_the_outputs_of_one_of_them(forks, large, tmp_path, n_times):
    for _ in range(n_times):
        runs = [forks.start("prune", large, "--rounds", rounds, "--force") for rounds in (1, 2)]
        for run in runs:
            run.communicate(timeout=PATIENCE)

        assert [run.returncode for run in runs] == [0, 0]
        assert_consistent(large, {"1", "2"})
        assert not list(tmp_path.glob("*.partial-*"))


@times(2, 40)
def test_of_two_runs_at_once_without_force_one_is_refused(forks, large, tmp_path, n_times):
    for _ in range(n_times):
        runs = [forks.start("prune", large, "--rounds", rounds) for rounds in (1, 2)]
        said = [run.communicate(timeout=PATIENCE)[1] for run in runs]

        assert sorted(run.returncode for run in runs) == [0, 1]
        assert "exists already; --force replaces it" in said[0] + said[1]
        assert_consistent(large, {"1", "2"})
        for path in outputs_of(large):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


ON_A_SMALL_DISK = """
mount -t tmpfs -o size=$SIZE tmpfs disk && cp -r model disk/ && cd disk || exit 99
before=$(cat model/* | sha256sum)
$BESIDES
{ "$PYTHON" -c 'from topoimp_cli.app import run; run()' prune model --rounds 2 --threads 2; } 2>../said
status=$?
if [ -n "$!" ]; then kill "$!"; wait "$!"; fi 2>/dev/null
test "$before" = "$(cat model/* | sha256sum)" || exit 98
rm -f filler
ls > ../left
exit $status
"""


def prune_on_a_small_disk(large, size, besides=":"):
    """Prune on a tmpfs of a size, in a namespace of its own; give exit status, what was said and what was left."""
    folder = large.parent
    (folder / "disk").mkdir(exist_ok=True)
    script = ON_A_SMALL_DISK.replace("$SIZE", size).replace("$BESIDES", besides).replace("$PYTHON", sys.executable)
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("no small disk can be mounted here")
    return done.returncode, (folder / "said").read_text(), (folder / "left").read_text().split()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare to mount a small disk")
def test_too_small_a_disk_is_refused_at_once(large):
    status, said, left = prune_on_a_small_disk(large, "100m")

    assert status == 1
    assert "error: model.pruned: 69.2 MB are to be written there, and " in said
    assert left == ["model"]


FILL_IT = (
    "(while ! ls *.partial-* >/dev/null 2>&1; do sleep 0.01; done; sleep DELAY; cat /dev/zero > filler 2>/dev/null) &"
)


@times(3, 60)
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare to mount a small disk")
def test_a_disk_that_fills_up_meanwhile_leaves_no_trace(large, n_times):
    rng, statuses = chance(n_times), Counter()

    for _ in range(n_times):
        delay = f"{rng.uniform(0, 0.4):.3f}"
        status, said, left = prune_on_a_small_disk(large, "150m", FILL_IT.replace("DELAY", delay))
        statuses[status] += 1
        if status == 1:
            assert "error: " in said
            assert "No space left on device" in said or "are free" in said
            assert left == ["model"]
        else:
            assert status == 0
            assert left == ["model", "model.pruned", "model.pruned.csv", "model.pruned.mask.safetensors"]

    assert statuses[1] > 0
    record("disks that filled up, by exit status", statuses)


def test_a_folder_that_cannot_be_made_is_said(lenet):
    with pytest.raises(OutputError, match="cannot be written: File name too long"):
        prune_checkpoint(lenet, PruningOptions(rounds=1), output=lenet.parent / "new" / ("x" * 300) / "out.safetensors")

    assert [path.name for path in lenet.parent.iterdir()] == [lenet.name]
