"""Checkpoints with more shards than files may be open, read and written by every command."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

N_SHARDS, MAX_OPEN = 110, 90


@pytest.fixture
def sharded(tmp_path):
    """A folder of shards with an index, of either format."""

    def write(suffix):
        folder = tmp_path / "model"
        folder.mkdir()
        placed = {}
        for number in range(N_SHARDS):
            weight = np.random.default_rng(number).normal(size=(4, 5)).astype(np.float32)
            name, placed[f"l{number}.weight"] = f"l{number}.weight", f"model-{number + 1:05d}-of-{N_SHARDS:05d}{suffix}"
            if suffix == ".bin":
                torch.save({name: torch.from_numpy(weight)}, folder / placed[name])
            else:
                save_file({name: weight}, folder / placed[name])
        (folder / f"model{suffix}.index.json").write_text(json.dumps({"weight_map": placed}))
        return folder

    return write


@pytest.fixture
def run_limited(forks):
    """Run commands one after the other in one process that may open few files; give its exit status and stderr."""
    program = (
        "import json, os, resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({MAX_OPEN}, {MAX_OPEN}))\n"
        "from topoimp_cli.app import main\n"
        "os._exit(max([main(command) for command in json.loads(sys.argv[1])]))\n"
    )

    def run(*commands):
        process = forks.start(json.dumps([[str(word) for word in command] for command in commands]), code=program)
        _, err = process.communicate(timeout=120)
        return process.returncode, err

    return run


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_every_command_works_on_more_shards_than_files_may_be_open(run_limited, sharded, tmp_path, suffix):
    folder = sharded(suffix)
    pruned = tmp_path / "model.pruned"
    mask = tmp_path / "model.pruned.mask.safetensors"

    outcome = run_limited(
        ["barcode", folder, "-q"],
        ["barcode", folder, "--list", "-q"],
        ["bound", folder, "-q"],
        ["prune", folder, "--rounds", "2", "-q"],
        ["prune", folder, "--apply-mask", mask, "-o", tmp_path / "by_mask", "-q"],
        ["prune", folder, "--apply-mask", pruned, "-o", tmp_path / "by_zeros", "-q"],
        ["prune", folder, "--rounds", "2", "--rewind-from", folder, "-o", tmp_path / "ticket", "-q"],
        ["compare", folder, pruned, mask, "-q"],
    )

    assert outcome == (0, "")
    assert len(list(pruned.glob("*.safetensors"))) == N_SHARDS


def test_so_few_files_may_be_open_that_all_shards_at_once_are_too_many(sharded):
    folder = sharded(".safetensors")
    program = (
        "import resource, sys, pathlib\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({MAX_OPEN}, {MAX_OPEN}))\n"
        "held = [path.open('rb') for path in pathlib.Path(sys.argv[1]).iterdir()]\n"
    )

    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=False)

    assert "Too many open files" in done.stderr
