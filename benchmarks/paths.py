"""Measure a round by the method paths beside one by magnitude: LeNet-300-100, ResNet-18, and a chain of 100 M weights.

Weights are random, nothing is written, and one thread works, so that CPU seconds are those of the passes.
"""

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from measure import evict_caches

from topoimp.architectures import parse_architecture
from topoimp.architectures.graph import architecture_graph
from topoimp.checkpoint import open_checkpoint, write_arrays
from topoimp.choices import Scope
from topoimp.layers.records import LayerPatterns
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.network.graph import NetworkGraph, chain_graph
from topoimp.pruning.all_rounds import all_rounds
from topoimp.pruning.methods.magnitude import Magnitude
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.paths import Paths
from topoimp.pruning.options import Scheme
from topoimp.pruning.schedule import plan_schedule
from topoimp.training.models import build_network

TABLE = Path(__file__).resolve().parent / "paths.csv"
TARGET = 3.0


@dataclass(frozen=True)
class Line:
    """The medians of one network at one density; ``ratio`` is the median of the ratios of runs side by side."""

    network: str
    n_weights: int
    density: float
    magnitude_cpu_s: float
    paths_cpu_s: float
    magnitude_s: float
    paths_s: float
    ratio: float
    target: float
    n_runs: int


def main() -> int:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--width", type=int, default=4472, help="of the five layers of the chain")
    parser.add_argument("--quick", action="store_true", help="write no table")
    parser.add_argument("--scratch", type=Path, default=None, help="folder for half a gigabyte")
    options = parser.parse_args()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        for name, path, graph in networks(Path(folder), options.width):
            for density in (0.1, 0.01):
                line = measured(name, path, graph, density, options.runs)
                lines.append(line)
                times = f"{line.paths_cpu_s:.3f} s of CPU, magnitude {line.magnitude_cpu_s:.3f} s"
                sys.stdout.write(f"{name} at {density:g}: paths {times}, ratio {line.ratio:.2f}, target {TARGET:g}\n")
    if not options.quick:
        with TABLE.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(asdict(lines[0])), lineterminator="\n")
            table.writeheader()
            table.writerows(asdict(line) for line in lines)
    return 0


def networks(folder: Path, width: int) -> Iterator[tuple[str, Path, NetworkGraph]]:
    """Write the networks, one after the other, and yield the name, the checkpoint and the graph of each."""
    for name in ("lenet-300-100", "resnet-18"):
        architecture = parse_architecture(name)
        state = build_network(architecture, seed=0).state_dict()
        path = folder / f"{name}.safetensors"
        write_arrays(path, {tensor: values.numpy() for tensor, values in state.items()}, {})
        yield name, path, architecture_graph(architecture)

    rng = np.random.default_rng(0)
    shapes = {f"fc{k}.weight": (width, width) for k in range(1, 6)}
    arrays = {
        tensor: rng.standard_normal(shape, np.float32) * np.float32((2 / width) ** 0.5)
        for tensor, shape in shapes.items()
    }
    path = folder / "chain.safetensors"
    write_arrays(path, arrays, {})
    yield f"chain of 5 x {width} x {width}", path, chain_graph(shapes)


def measured(name: str, path: Path, graph: NetworkGraph, density: float, n_runs: int) -> Line:
    """Return the medians of a network, of runs of both methods in turn after one that does not count."""
    layers = select_layers(open_checkpoint(path), LayerPatterns())
    methods: dict[str, PruningMethod] = {"magnitude": Magnitude(), "paths": Paths(below=1.0).of_network(graph, None)}
    cpu: dict[str, list[float]] = {each: [] for each in methods}
    wall: dict[str, list[float]] = {each: [] for each in methods}
    for turn in range(n_runs + 1):
        for each, method in methods.items():
            scheme = Scheme(plan_schedule(rounds=1, rate=1 - density), method, Scope.GLOBAL)
            evict_caches()
            before = time.process_time(), time.perf_counter()
            all_rounds(LayerStream(layers, 1), scheme)
            if turn:
                cpu[each].append(time.process_time() - before[0])
                wall[each].append(time.perf_counter() - before[1])
    ratios = np.array(cpu["paths"]) / np.array(cpu["magnitude"])
    of_cpu, of_wall = ({each: float(np.median(runs)) for each, runs in kind.items()} for kind in (cpu, wall))
    n_weights = sum(info.n_weights for info in layers.infos)
    return Line(
        name,
        n_weights,
        density,
        round(of_cpu["magnitude"], 4),
        round(of_cpu["paths"], 4),
        round(of_wall["magnitude"], 4),
        round(of_wall["paths"], 4),
        round(float(np.median(ratios)), 2),
        TARGET,
        n_runs,
    )


if __name__ == "__main__":
    sys.exit(main())
