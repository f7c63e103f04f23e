"""Measure whole processes: start-up, and commands on a checkpoint of gigabytes beside cp and cat, with their memory."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from checkpoints import LLAMA_1B, LLAMA_8B, Llama, write_checkpoint
from measure import Times, write_table
from safetensors.numpy import save_file

from topoimp.checkpoint import open_checkpoint

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/performance.md"
TABLE = HERE / "processes.csv"
SAMPLE = HERE.parent / "sample_checkpoints/lenet-300-100-mnist.safetensors"
TOPOIMP = [sys.executable, "-c", "from topoimp_cli.app import run; run()"]
RESERVE = 400e6
"""Bytes of memory that a command may use beside the largest tensor."""


@dataclass(frozen=True)
class Run:
    """One run of a process: seconds, and the most bytes it had in memory."""

    seconds: float
    memory: int


@dataclass(frozen=True)
class Line:
    """One comparison of whole processes.

    Args:
        what: our command.
        against: what it is held against; empty if a time of its own is.
        ours_s: median of our runs.
        theirs_s: median of the other's; blank without one.
        limit_s: what ours may take, from the other's in the same run; blank where nothing was promised.
        spread: half the distance of the quartiles of our runs, as a share of their median.
        memory_mb: the most memory of any of our runs.
        memory_limit_mb: what it may use; blank where nothing was promised.
        n_runs: how often each ran.
    """

    what: str
    against: str
    ours_s: float
    theirs_s: float | None
    limit_s: float | None
    spread: float
    memory_mb: float
    memory_limit_mb: float | None
    n_runs: int

    @property
    def verdict(self) -> str:
        """Whether the limits are met."""
        said = []
        if self.limit_s is not None:
            said.append(f"time {'met' if self.ours_s <= self.limit_s else '**missed**'}")
        if self.memory_limit_mb is not None:
            said.append(f"memory {'met' if self.memory_mb <= self.memory_limit_mb else '**missed**'}")
        return ", ".join(said)


def main() -> int:
    """Run the benchmark; 0 whatever it finds: the page says which targets are missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, default=None, help="where gigabytes can be written")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command")
    parser.add_argument("--huge", action="store_true", help="16 GB too: half an hour and 40 GB of disk")
    options = parser.parse_args()
    lines: list[Line] = []
    for line in measured(options.scratch, options.runs, is_huge=options.huge):
        lines.append(line)
        print(as_row(line), flush=True)  # noqa: T201  # what this script is for
    write_table(TABLE, lines)
    write_page(lines)
    return 0


def measured(scratch: Path | None, n_runs: int, *, is_huge: bool) -> Iterator[Line]:
    """Measure start-up, then checkpoints of 2.5 GB, then perhaps one of 16 GB."""
    yield from start_up(2 * n_runs)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        yield from on_a_checkpoint(Path(folder), "Llama 1B, 2.5 GB", LLAMA_1B, n_runs)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        yield from on_scores_and_masks(Path(folder), "Llama 1B, 2.5 GB", LLAMA_1B, n_runs)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        yield from on_two_checkpoints(Path(folder), "Llama 1B, 2.5 GB", LLAMA_1B, n_runs)
    if is_huge:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            yield from on_a_checkpoint(Path(folder), "Llama 8B, 16 GB", LLAMA_8B, 1)


def start_up(n_runs: int) -> Iterator[Line]:
    """Measure what a command takes that has nearly nothing to do."""
    commands = {
        "topoimp --help": ([*TOPOIMP, "--help"], 0.3),
        "topoimp bound --arch lenet-300-100": ([*TOPOIMP, "bound", "--arch", "lenet-300-100"], None),
        "topoimp barcode, LeNet-300-100": ([*TOPOIMP, "barcode", str(SAMPLE)], 1.2),
    }
    runs = interleaved({name: command for name, (command, _) in commands.items()}, n_runs)
    for name, (_, limit) in commands.items():
        yield line_of(name, "", runs[name], None, limit, None)


def on_a_checkpoint(folder: Path, size: str, llama: Llama, n_runs: int) -> Iterator[Line]:
    """Measure barcode beside cat, and prune beside cp and sync, on a synthetic checkpoint."""
    path, out = folder / "model.safetensors", folder / "out.safetensors"
    write_elsewhere(path, llama)
    prune = [*TOPOIMP, "prune", str(path), "--rounds", "10", "-o", str(out), "--force", "-q"]
    commands = {
        "cat": ["sh", "-c", f"cat {path} > /dev/null"],
        "barcode": [*TOPOIMP, "barcode", str(path)],
        "cp and sync": ["sh", "-c", f"cp {path} {out} && sync"],
        "topological": prune,
        "magnitude": [*prune, "--method", "magnitude"],
    }
    runs = interleaved(commands, n_runs, clean=folder)
    memory = RESERVE + largest_tensor(path)
    cat, copy = seconds(runs["cat"]).median, seconds(runs["cp and sync"]).median
    yield line_of(f"barcode, {size}", "cat", runs["barcode"], runs["cat"], 2 * cat + 1, memory)
    yield line_of(f"prune, {size}", "cp and sync", runs["topological"], runs["cp and sync"], 2 * copy, memory)
    magnitude = seconds(runs["magnitude"]).median
    yield line_of(f"prune, {size}", "--method magnitude", runs["topological"], runs["magnitude"], 1.2 * magnitude, None)


def on_scores_and_masks(folder: Path, size: str, llama: Llama, n_runs: int) -> Iterator[Line]:
    """Measure the scope row, scores and a repaired mask, beside the scope layer and the mask as it is."""
    path, out, norms, mask = (folder / f"{name}.safetensors" for name in ("model", "out", "norms", "mask"))
    write_elsewhere(path, llama)
    write_norms(norms, path)
    random = [*TOPOIMP, "prune", str(path), "--sparsity", "0.999", "--rounds", "1", "--method", "random", "-q"]
    run_once([*random, "-o", str(out), "--mask-out", str(mask)])
    prune = [*TOPOIMP, "prune", str(path), "--rounds", "10", "-o", str(out), "--force", "-q"]
    by_mask = [*TOPOIMP, "prune", str(path), "-o", str(out), "--force", "-q"]
    commands = {
        "layer": prune,
        "--scope row": [*prune, "--scope", "row"],
        "--scores": [*prune, "--scores", str(norms)],
        "--scope row --scores": [*prune, "--scope", "row", "--scores", str(norms)],
        "--apply-mask": [*by_mask, "--apply-mask", str(mask)],
        "--repair": [*by_mask, "--repair", str(mask)],
    }
    runs = interleaved(commands, n_runs, clean=folder)
    memory = RESERVE + largest_tensor(path)
    layer, applied = seconds(runs["layer"]).median, seconds(runs["--apply-mask"]).median
    for name in ("--scope row", "--scores", "--scope row --scores"):
        yield line_of(f"prune {name}, {size}", "scope layer", runs[name], runs["layer"], 1.3 * layer, memory)
    yield line_of(
        f"prune --repair, {size}", "--apply-mask", runs["--repair"], runs["--apply-mask"], 2 * applied, memory
    )


def write_norms(path: Path, checkpoint: Path) -> None:
    """Write a factor for each column of each layer, from 0.5 to 1.5, as norms of activations would be."""
    generator = np.random.default_rng(0)
    tensors = open_checkpoint(checkpoint).tensors.values()
    norms = {each.name: generator.random(each.shape[1]) + 0.5 for each in tensors if len(each.shape) == 2}
    save_file({name: each.astype(np.float32) for name, each in norms.items()}, path)


def on_two_checkpoints(folder: Path, size: str, llama: Llama, n_runs: int) -> Iterator[Line]:
    """Measure compare beside barcode on the reference alone, the same layers in all: all of them."""
    path, pruned, other = (folder / f"{name}.safetensors" for name in ("model", "pruned", "other"))
    write_elsewhere(path, llama)
    write_elsewhere(other, llama, seed=1)
    prune = [*TOPOIMP, "prune", str(path), "--sparsity", "0.8", "--embeddings", "--method", "magnitude", "-q"]
    run_once([*prune, "-o", str(pruned)])
    compare = [*TOPOIMP, "compare", str(path), "--embeddings"]
    runs = interleaved(
        {
            "barcode": [*TOPOIMP, "barcode", str(path)],
            "pruned": [*compare, str(pruned)],
            "other": [*compare, str(other)],
        },
        n_runs,
    )
    limit, memory = 2.5 * seconds(runs["barcode"]).median, RESERVE + largest_tensor(path)
    yield line_of(f"compare with a pruned one, {size}", "barcode", runs["pruned"], runs["barcode"], limit, memory)
    yield line_of(f"compare with another one, {size}", "barcode", runs["other"], runs["barcode"], limit, memory)


def write_elsewhere(path: Path, llama: Llama, seed: int = 0) -> None:
    """Write a checkpoint in another process: what this one has in memory counts as that of those that it starts."""
    writing = get_context("spawn").Process(target=write_checkpoint, args=(path, llama.shapes(), seed))
    writing.start()
    writing.join()


def largest_tensor(path: Path) -> int:
    """Give how many bytes the largest tensor of a checkpoint has."""
    return max(tensor.end - tensor.start for tensor in open_checkpoint(path).tensors.values())


def interleaved(commands: Mapping[str, Sequence[str]], n_runs: int, clean: Path | None = None) -> dict[str, list[Run]]:
    """Run every command once a turn, for some turns after one that does not count."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(n_runs + 1):
        for name, command in commands.items():
            if clean is not None:
                remove_outputs(clean)
            run = run_once(command)
            if turn:
                runs[name].append(run)
    return runs


def run_once(command: Sequence[str]) -> Run:
    """Run a command to its end."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # commands of this file
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - start
    if status:
        raise subprocess.CalledProcessError(status, command)
    return Run(taken, usage.ru_maxrss * 1024)


def remove_outputs(folder: Path) -> None:
    """Remove what the last command wrote, and have the disk at rest."""
    for entry in folder.iterdir():
        if entry.name.startswith("out"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    os.sync()


def seconds(runs: Sequence[Run]) -> Times:
    """Give the times of some runs."""
    return Times(tuple(run.seconds for run in runs))


def line_of(
    what: str,
    against: str,
    ours: Sequence[Run],
    theirs: Sequence[Run] | None,
    limit: float | None,
    memory_limit: float | None,
) -> Line:
    """Give a line from runs."""
    return Line(
        what,
        against,
        seconds(ours).median,
        None if theirs is None else seconds(theirs).median,
        limit,
        seconds(ours).spread,
        max(run.memory for run in ours) / 1e6,
        None if memory_limit is None else memory_limit / 1e6,
        len(ours),
    )


HEADER = """## Whole processes

Times are medians of interleaved runs with warm file caches. The limit of a line is a time of its own, or follows from
the other program's time in the same run: cat, twice and one second; cp and sync, twice; magnitude, 1.2 times; the scope
layer, 1.3 times; a mask that is applied as it is, twice; barcode, 2.5 times. Memory is the peak resident memory; its
limit is 400 MB plus the largest tensor. The checkpoints are
synthetic: one file with the shapes of a real model, in bfloat16.

| what | against | ours, s | theirs, s | limit, s | memory, MB | limit, MB | runs | |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def write_page(lines: Sequence[Line]) -> None:
    """Write this script's section of docs/performance.md anew."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition("\n## Measured")
    before = before.partition("\n## Whole processes")[0].rstrip()
    rows = "\n".join(map(as_row, lines))
    PAGE.write_text(f"{before}\n\n{HEADER}{rows}\n\n## Measured{rest}", encoding="utf-8")


def as_row(line: Line) -> str:
    """Give a line as a row of a Markdown table."""
    numbers = ("" if value is None else f"{value:.2f}" for value in (line.theirs_s, line.limit_s))
    limit = "" if line.memory_limit_mb is None else f"{line.memory_limit_mb:.0f}"
    ours = f"{line.ours_s:.2f} ± {100 * line.spread:.0f} %"
    cells = (line.what, line.against, ours, *numbers, f"{line.memory_mb:.0f}", limit, str(line.n_runs), line.verdict)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
