"""Every command that looks at layers reports the same on a cluster, where layers go in pieces."""

import pytest
from conftest import REPOSITORY
from range_server import range_server

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run
from topoimp.commands.train import train_run
from topoimp.errors import CheckpointError
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.pruning.options import PruningOptions

SAMPLES = REPOSITORY / "sample_checkpoints"
LENET, INIT = SAMPLES / "lenet-300-100-mnist.safetensors", SAMPLES / "lenet-300-100-mnist-init.safetensors"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with two seeds and two rounds."""
    folder = tmp_path_factory.mktemp("run") / "run"
    train_run("mlp:64-12-10", output=folder, epochs=1, seeds=[0, 1], jobs=1)
    prune_run(folder, PruningOptions(rounds=2), jobs=1)
    return folder


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """The sample, pruned, and its mask."""
    out = tmp_path_factory.mktemp("pruned") / "p.safetensors"
    prune_checkpoint(LENET, PruningOptions(rounds=1, sparsity=0.9), output=out)
    return out, out.with_name("p.mask.safetensors")


def scores_of(folder):
    """A file of scores: a factor for each column."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    factors = {n: np.arange(1, w.shape[1] + 1, dtype=np.float32) for n, w in load_file(LENET).items() if w.ndim == 2}
    save_file(factors, folder / "scores.safetensors")
    return folder / "scores.safetensors"


@pytest.mark.parametrize(
    "report",
    [
        lambda **on: barcode_report(LENET, **on),
        lambda **on: barcode_report(LENET, patterns=LayerPatterns(include=("fc2*",)), **on),
        lambda **on: barcode_report(LENET, scale="none", **on),
        lambda **on: barcode_report(LENET, check=True, **on),
        lambda **on: bound_report(LENET, BoundOptions(densities=["critical", 0.02], null=["edges:3", "rows:2"]), **on),
        lambda **on: bound_report(LENET, BoundOptions(densities=[0.1], null=f"initial:{INIT}"), **on),
        lambda **on: bound_report(LENET, patterns=LayerPatterns(groups=(("fc1*", 3),)), **on),
        lambda **on: comparison_report(INIT, LENET, null="columns:2", **on),
    ],
    ids=["barcode", "one layer", "scale none", "check", "bound", "initial", "groups", "compare"],
)
def test_a_report_is_that_of_this_machine(engine, report):
    assert report(cluster=engine).to_json() == report().to_json()


def test_workers_fetch_the_layers_of_a_store_themselves(engine):
    with range_server() as server:
        server.serve(SAMPLES)
        path = server.url(LENET.name)

        assert barcode_report(path, cluster=engine).to_json() == barcode_report(path).to_json()


def test_scores_are_read_where_the_layers_are(engine, tmp_path):
    scores = scores_of(tmp_path)

    assert (
        barcode_report(LENET, scores=scores, cluster=engine).to_json() == barcode_report(LENET, scores=scores).to_json()
    )


def test_masks_and_checkpoints_are_compared_where_the_layers_are(engine, pruned):
    there = comparison_report(LENET, *pruned, cluster=engine)

    assert there.to_json() == comparison_report(LENET, *pruned).to_json()


@pytest.mark.parametrize("reference", ["round-0", "previous"])
def test_rounds_are_compared_where_the_layers_are(engine, run, reference):
    there = comparison_report(run, reference=reference, cluster=engine)

    assert there.to_json() == comparison_report(run, reference=reference).to_json()


def test_several_checkpoints_are_looked_at_at_the_same_time(two_workers, topoimp):
    arguments = ["barcode", INIT, LENET, INIT, "--format", "json", "--quiet"]

    assert topoimp(*arguments, "--cluster", two_workers).out == topoimp(*arguments).out


def test_a_checkpoint_that_changes_on_its_way_is_refused(engine, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(LENET.read_bytes())
    layers = select_layers(open_checkpoint(path), LayerPatterns())
    stamp = layers.checkpoint.stamp
    path.write_bytes(INIT.read_bytes())

    assert stamp != open_checkpoint(path).stamp
    with pytest.raises(CheckpointError, match=r"a.safetensors: is another file on \S+ than where the work began"):
        engine.each(layers, measured, None, lambda: None)


def measured(layer, threads):
    """A look."""
    return layer.n_weights * threads


def test_progress_counts_layers(engine):
    steps = []

    barcode_report(LENET, cluster=engine, on_step=lambda *step: steps.append(step))

    assert steps == [(1, 3), (2, 3), (3, 3)]
