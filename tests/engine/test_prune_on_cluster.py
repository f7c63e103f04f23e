"""A checkpoint that is pruned on a cluster gives the files of one machine, byte for byte."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import replicated
from conftest import SAMPLES
from safetensors.numpy import save_file
from shards import write_shards

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import OptionError, VerificationError
from topoimp.pruning.options import PruningOptions

LENET, INIT = SAMPLES / "lenet-300-100-mnist.safetensors", SAMPLES / "lenet-300-100-mnist-init.safetensors"


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A checkpoint of three shards of three types."""
    return write_shards(tmp_path_factory.mktemp("sharded") / "model")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The same tensors with other values."""
    return write_shards(tmp_path_factory.mktemp("earlier") / "model", seed=1)


def files_in(folder):
    """The bytes of all files below a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_same(checkpoint, options, engine, folder, **more):
    """Check that a pruning here and one on a cluster report and write the same."""
    written = {}
    for where, on in (("here", {}), ("there", {"cluster": engine})):
        (folder / where).mkdir()
        output = folder / where / ("p" if Path(checkpoint).is_dir() else "p.safetensors")
        pruning = prune_checkpoint(checkpoint, options, output=output, **more, **on)
        text = pruning.report.to_json().replace(str(folder / where), "")
        written[where] = (text, files_in(folder / where))
    assert written["here"][0] == written["there"][0]
    assert written["here"][1].keys() == written["there"][1].keys()
    assert written["here"][1] == written["there"][1]


OPTIONS = [
    PruningOptions(sparsity=0.7, rounds=2, method=method, scope=scope)
    for method, scope in product(("topological", "magnitude", "random"), ("layer", "row", "global", "erk"))
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: f"{options.method}-{options.scope}")
def test_shards_and_masks_are_those_of_this_machine(engine, sharded, tmp_path, options):
    assert_same(sharded, options, engine, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        PruningOptions(pattern="2:4"),
        PruningOptions(sparsity=0.7, epsilon=0.3),
        PruningOptions(sparsity=0.7, scope="global", layer_sparsity={"fc2*": 0.2}),
    ],
    ids=["pattern", "epsilon", "own amounts"],
)
def test_other_options_travel_too(engine, sharded, tmp_path, options):
    assert_same(sharded, options, engine, tmp_path)


def test_a_single_file_is_written_here(engine, tmp_path):
    assert_same(LENET, PruningOptions(sparsity=0.9, rounds=3), engine, tmp_path, emit_rounds=[1])


def test_weights_are_rewound_by_the_workers(engine, sharded, earlier, tmp_path):
    assert_same(sharded, PruningOptions(sparsity=0.7), engine, tmp_path, rewind_from=earlier)


def test_scores_decide_on_the_workers(engine, sharded, tmp_path):
    scores = {f"fc{number}.weight": np.arange(1, 21, dtype=np.float32) for number in (1, 2, 3)}
    save_file(scores, tmp_path / "scores.safetensors")

    assert_same(sharded, PruningOptions(sparsity=0.7), engine, tmp_path, scores=tmp_path / "scores.safetensors")


def test_groups_that_are_not_selected_stay_as_they_are(engine, sharded, tmp_path):
    from topoimp.layers.records import LayerPatterns

    patterns = LayerPatterns(include=("*[0]", "fc2*"), groups=(("fc1*", 3), ("fc3*", 2)))

    assert_same(sharded, PruningOptions(sparsity=0.7, patterns=patterns), engine, tmp_path)


@pytest.mark.parametrize("method", ["lamp", "paths"])
def test_a_method_that_looks_at_all_layers_is_refused_before_anything_is_written(engine, tmp_path, method):
    options = PruningOptions(sparsity=0.7, method=method, scope="global")

    with pytest.raises(OptionError, match=f"^the method {method} looks at all layers in one memory, and does not go"):
        prune_checkpoint(LENET, options, output=tmp_path / "p.safetensors", chain="fc1,fc2,fc3", cluster=engine)

    assert list(tmp_path.iterdir()) == []


def test_an_error_on_a_worker_leaves_nothing(engine, sharded, tmp_path, monkeypatch):
    from topoimp.writing import shard_by_shard

    monkeypatch.setattr(shard_by_shard, "_write_shard", replicated.failing_to_write)

    with pytest.raises(VerificationError, match=r"^this shard is not written"):
        prune_checkpoint(sharded, PruningOptions(sparsity=0.7), output=tmp_path / "p", cluster=engine)

    assert list(tmp_path.iterdir()) == []


def test_tasks_of_a_worker_that_is_killed_are_done_by_another(engine, tmp_path):
    done = []

    found = engine.do(
        replicated.killing_the_worker_of_the_fourth, [tmp_path / str(number) for number in range(6)], done.append
    )

    assert found == [str(number) for number in range(6)]
    assert sorted(done) == list(range(6))


def test_the_command_line_takes_a_cluster_for_checkpoints_and_none_for_masks(two_workers, topoimp, tmp_path):
    output = tmp_path / "p.safetensors"

    pruned = topoimp("prune", LENET, "--sparsity", "0.9", "-o", output, "--cluster", two_workers)
    masked = topoimp("prune", LENET, "--apply-mask", tmp_path / "p.mask.safetensors", "--cluster", two_workers)
    planned = topoimp("prune", LENET, "--sparsity", "0.9", "--dry-run", "--cluster", two_workers)

    assert pruned.status == 0, pruned.err
    assert (masked.status, planned.status) == (2, 2)
    assert "--cluster does not go with --apply-mask: the mask decides alone" in masked.err
    assert "--cluster does not go with --dry-run of a checkpoint, which looks at it on this machine" in planned.err


def test_a_mask_is_applied_here_whatever_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("TOPOIMP_CLUSTER", "tcp://127.0.0.1:9")
    pruned = tmp_path / "p.safetensors"
    monkeypatch.delenv("TOPOIMP_CLUSTER")
    prune_checkpoint(LENET, PruningOptions(sparsity=0.9), output=pruned)
    monkeypatch.setenv("TOPOIMP_CLUSTER", "tcp://127.0.0.1:9")

    apply_mask(LENET, tmp_path / "p.mask.safetensors", output=tmp_path / "again.safetensors")

    assert (tmp_path / "again.mask.safetensors").is_file()
