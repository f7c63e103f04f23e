"""Measure one round by the method ``paths`` beside one by ``magnitude``, on files, without training.

The networks: LeNet-300-100 as in sample_checkpoints, a ResNet-18 for CIFAR-10 with initial weights, and a chain of five
dense layers of 4472 x 4472, 100 million weights. The round keeps 5 % of the weights, so that paths decide it, after the
masks of magnitude were found and a weight on no path in them. Times are of the whole command, and of the masks alone,
without the writing and the verification of the file.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from measure import interleaved, write_table
from safetensors.numpy import save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.train import train_run
from topoimp.layers.records import LayerPatterns
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.network.chain import graph_of_chain
from topoimp.pruning.all_rounds import all_rounds
from topoimp.pruning.methods.network_method import method_for
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.run_graph import graph_of_run

HERE = Path(__file__).resolve().parent
TABLE = HERE / "paths.csv"
LENET = HERE.parent / "sample_checkpoints/lenet-300-100-mnist.safetensors"
DENSITY = 0.05
TARGET = 3.0
N_THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class Line:
    """One comparison: medians in seconds, and their ratio, of ``n_runs`` runs each."""

    network: str
    what: str
    n_weights: int
    paths_s: float
    magnitude_s: float
    ratio: float
    target: float
    n_runs: int


def main() -> int:
    """Measure, and write the table; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="smaller networks and fewer runs, writing nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = list(measured(Path(folder), options.runs, is_quick=options.quick))
    if not options.quick:
        write_table(TABLE, lines)
    return 0


def measured(folder: Path, n_runs: int, *, is_quick: bool) -> Iterator[Line]:
    """Yield the lines of each network."""
    networks = {
        "lenet-300-100": (Path(shutil.copy(LENET, folder)), "fc1,fc2,fc3"),
        "resnet-20" if is_quick else "resnet-18": (residual("resnet-20" if is_quick else "resnet-18", folder), None),
        "chain": (dense(folder, 1000 if is_quick else 4472), "fc*"),
    }
    for name, (path, chain) in networks.items():
        for what in ("masks", "command"):
            yield compared(name, what, path, chain, 3 if is_quick else n_runs)


def compared(name: str, what: str, path: Path, chain: str | None, n_runs: int) -> Line:
    """Time both methods, interleaved."""

    def run(method: str) -> object:
        options = PruningOptions(rounds=1, sparsity=1 - DENSITY, method=method)
        if what == "command":
            return prune_checkpoint(path, options, chain=chain, output=path.with_name("out.safetensors"), force=True)
        checkpoint = open_checkpoint(path)
        graph = graph_of_run(checkpoint) if chain is None else graph_of_chain(checkpoint, chain)
        stream = LayerStream(select_layers(checkpoint, LayerPatterns()), N_THREADS)
        scheme = options.scheme(stream.layers.infos)
        return all_rounds(stream, replace(scheme, method=method_for(scheme.method, graph)))

    times = interleaved({method: lambda method=method: run(method) for method in ("paths", "magnitude")}, n_runs)
    paths, magnitude = times["paths"].median, times["magnitude"].median
    n_weights = sum(info.n_weights for info in select_layers(open_checkpoint(path), LayerPatterns()).infos)
    line = Line(name, what, n_weights, paths, magnitude, paths / magnitude, TARGET, n_runs)
    sys.stdout.write(f"{name}, {what}: {paths:.3f} s against {magnitude:.3f} s, {line.ratio:.2f}, target {TARGET}\n")
    return line


def residual(model: str, folder: Path) -> Path:
    """Return a checkpoint of a residual network with initial weights, in a run folder."""
    rng = np.random.default_rng(0)
    arrays = {f"{part}_images": rng.random((10, 32, 32, 3), np.float32) for part in ("train", "test")}
    np.savez(folder / "images.npz", **arrays, train_labels=np.arange(10), test_labels=np.arange(10))
    train_run(model, data=folder / "images.npz", epochs=0, output=folder / model)
    return folder / model / "seed-0/model.safetensors"


def dense(folder: Path, n: int) -> Path:
    """Return a checkpoint of five dense layers of n x n, with normal weights; those of one neuron each are small."""
    rng = np.random.default_rng(0)
    layers = {f"fc{number}.weight": rng.standard_normal((n, n), np.float32) for number in range(1, 6)}
    for weight in layers.values():
        weight[0] *= 1e-3  # so that magnitude leaves a weight on no path
    save_file(layers, folder / "chain.safetensors")
    return folder / "chain.safetensors"


if __name__ == "__main__":
    sys.exit(main())
