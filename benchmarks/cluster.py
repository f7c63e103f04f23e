"""Measure the time that a cluster adds to connect, for a layer and for a task, and two workers beside two threads.

A scheduler and two workers of one thread each run on this machine, over loopback; the checkpoint is in the page cache.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import interleaved, write_table
from safetensors.numpy import save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.engine import pieces
from topoimp.engine.cluster import opened
from topoimp.engine.engine import Engine
from topoimp.layers.records import LayerPatterns, Layers
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.topology.forest import spanning_forests

TABLE = Path(__file__).resolve().parent / "cluster.csv"
TOPOIMP = Path(sys.executable).with_name("topoimp")
N_SMALL, N_PIECES = 2000, 500


@dataclass(frozen=True)
class Line:
    """One measurement: the median times of the cluster and of this process alone, and the result computed from both."""

    what: str
    against: str
    cluster_s: float
    alone_s: float
    result: float
    unit: str
    target: float
    n_runs: int


def main() -> int:
    """Measure, and write the table; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--layers", type=int, default=32, help="layers of 4096 x 4096 of the large checkpoint")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, _workers(Path(folder)) as address:
        lines = list(_lines(Path(folder), address, options.runs, options.layers))
    for line in lines:
        print(f"{line.what}: {line.result:.3g} {line.unit} (target {line.target})")  # noqa: T201
    write_table(TABLE, lines)
    return 0


@contextmanager
def _workers(folder: Path) -> Iterator[str]:
    """Return the file of a scheduler with two workers."""
    file = folder / "scheduler.json"
    with ExitStack() as stack:

        def start(program: str, *options: str) -> None:
            command = [sys.executable, "-m", f"distributed.cli.dask_{program}", "--scheduler-file", str(file), *options]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen([*command, "--no-dashboard", "--host", "127.0.0.1"], **quiet)  # noqa: S603
            stack.callback(process.wait)
            stack.callback(process.terminate)

        start("scheduler", "--port", "0", "--no-show")
        for _ in range(2):
            start("worker", "--nthreads", "1", "--memory-limit", "0")
        while not file.exists():
            time.sleep(0.1)
        time.sleep(5)  # until both workers are there
        yield str(file)


def _lines(folder: Path, address: str, n_runs: int, n_layers: int) -> Iterator[Line]:
    tiny = _written(folder / "tiny.safetensors", 2, 8)
    alone = ["barcode", str(tiny), "--quiet"]
    times = interleaved(
        {"cluster": lambda: _command(*alone, "--cluster", address), "alone": lambda: _command(*alone)}, n_runs
    )
    cluster, here = times["cluster"].median, times["alone"].median
    yield Line("connecting, whole process", "barcode alone", cluster, here, cluster - here, "s", 1.5, n_runs)

    with opened(address) as engine:
        small = _layers(_written(folder / "small.safetensors", N_SMALL, 8))
        cluster, here = _both(small, engine, n_runs)
        yield Line("a layer", "alone", cluster, here, 1000 * (cluster - here) / N_SMALL, "ms", 1.0, n_runs)

        with _pieces_of_one_layer():
            many = small.only([info.name for info in small.infos[:N_PIECES]])
            cluster, here = _both(many, engine, n_runs)
        yield Line("a task", "alone", cluster, here, 1000 * (cluster - here) / N_PIECES, "ms", 5.0, n_runs)

        large = _layers(_written(folder / "large.safetensors", n_layers, 4096))
        cluster, here = _both(large, engine, n_runs)
        yield Line("two workers", "two threads", cluster, here, cluster / here, "times", 1.0, n_runs)


@contextmanager
def _pieces_of_one_layer() -> Iterator[None]:
    smallest, number = pieces.SMALLEST, pieces.PER_PLACE
    pieces.SMALLEST, pieces.PER_PLACE = 1, 1 << 30
    yield
    pieces.SMALLEST, pieces.PER_PLACE = smallest, number


def _both(layers: Layers, engine: Engine, n_runs: int) -> tuple[float, float]:
    """Return the seconds of a pass on the cluster, and of one by two threads here."""
    cluster = LayerStream(layers, 2, workers=engine)
    here = LayerStream(layers, min(2, os.cpu_count() or 1))
    contenders: dict[str, Callable[[], object]] = {
        "cluster": lambda: spanning_forests(cluster),
        "here": lambda: spanning_forests(here),
    }
    times = interleaved(contenders, n_runs)
    return times["cluster"].median, times["here"].median


def _written(path: Path, n_layers: int, side: int) -> Path:
    rng = np.random.default_rng(0)
    weights = {f"w{k}": rng.normal(size=(side, side)).astype(np.float32) for k in range(n_layers)}
    save_file(weights, path)
    return path


def _layers(path: Path) -> Layers:
    return select_layers(open_checkpoint(path), LayerPatterns())


def _command(*words: str) -> None:
    subprocess.run([TOPOIMP, *words], check=True, stdout=subprocess.DEVNULL)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
