"""Measure iterative pruning: the training loop beside a bare one, a round beside its training, and replicates.

Data are synthetic images of MNIST's size, as speed does not depend on what is on them.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measure import interleaved, write_table

from topoimp.architectures import parse_architecture
from topoimp.choices import Method, Recipes, Scope
from topoimp.commands.prune_run import prune_run
from topoimp.commands.train import train_run
from topoimp.data import Images
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.schedule import plan_schedule
from topoimp.rounds.loop import prune_iteratively
from topoimp.rounds.plan import Plan, Start
from topoimp.rounds.run_folder import PruningFiles, RunFiles, TrainingTask
from topoimp.rounds.trainer import built_in_trainer
from topoimp.training.loop import retrain_network
from topoimp.training.models import build_network
from topoimp.training.recipes import Recipe, recipe_for

HERE = Path(__file__).resolve().parent
TABLE = HERE / "rounds.csv"


@dataclass(frozen=True)
class Line:
    """One comparison.

    Args:
        what: ours.
        against: what it is held against.
        ours_s: median of our runs.
        theirs_s: median of the other's.
        ratio: ours / theirs.
        target: what the ratio may be; blank where nothing was promised.
        n_runs: how often each ran.
    """

    what: str
    against: str
    ours_s: float
    theirs_s: float
    ratio: float
    target: float | None
    n_runs: int


def main() -> int:
    """Measure, and write the table; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="less of everything, writing nothing")
    options = parser.parse_args()
    n_images = 12_000 if options.quick else 60_000
    lines = list(measured(images(n_images), 3 if options.quick else options.runs))
    for line in lines:
        target = f", target {line.target}" if line.target else ""
        sys.stdout.write(f"{line.what} against {line.against}: {line.ours_s:.3f} s, {line.ratio:.3f}{target}\n")
    if not options.quick:
        write_table(TABLE, lines)
    return 0


def images(n: int) -> Images:
    """Give images of MNIST's size whose classes can be learned."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, n)
    pixels = rng.random((n, 1, 28, 28), np.float32)
    pixels[np.arange(n), 0, labels + 5] += 0.5
    return Images("synthetic", pixels, labels, pixels[:1000], labels[:1000], 10)


def measured(data: Images, n_runs: int) -> Iterator[Line]:
    """Give the comparisons, one after the other."""
    recipe = recipe_for("lenet-300-100", "mnist", Recipes.QUICK)
    rng = np.random.default_rng(1)
    network = build_network(parse_architecture(recipe.model), seed=0)
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    masks = {name: rng.random(tuple(tensor.shape)) < 0.2 for name, tensor in start.items() if tensor.ndim > 1}
    for threads in (1, 2):
        own = replace(recipe, threads=threads)

        def ours(own: Recipe = own) -> None:
            retrain_network(own, data, seed=0, start=start, masks=masks)

        def bare(threads: int = threads) -> None:
            bare_loop(recipe, data, start, masks, threads)

        yield compared(
            f"training loop, {threads} threads", "bare PyTorch with a mask multiply", ours, bare, 1.15, n_runs
        )
    with tempfile.TemporaryDirectory() as folder:
        yield from rounds(Path(folder), recipe, data, n_runs)
        yield from replicates(Path(folder), data, n_runs)


def compared(
    what: str,
    against: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    target: float | None,
    n_runs: int,
) -> Line:
    """Time two things, interleaved."""
    times = interleaved({"ours": ours, "theirs": theirs}, n_runs)
    mine, other = times["ours"].median, times["theirs"].median
    return Line(what, against, mine, other, mine / other, target, n_runs)


def bare_loop(
    recipe: Recipe, data: Images, start: dict[str, torch.Tensor], masks: dict[str, np.ndarray], threads: int
) -> None:
    """Train as one would by hand: a step, then the weights times the mask; the test set once at the end."""
    torch.set_num_threads(threads)
    network = build_network(parse_architecture(recipe.model), seed=0)
    network.load_state_dict(start)
    held = [(network.get_parameter(name), torch.from_numpy(mask).float()) for name, mask in masks.items()]
    pixels, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=True)
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(len(labels)).split(recipe.batch_size):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(network(pixels[chosen]), labels[chosen]).backward()
            optimizer.step()
            with torch.no_grad():
                for weight, mask in held:
                    weight.mul_(mask)
    with torch.no_grad():
        network(torch.from_numpy(data.test_images)).argmax(dim=1)


def rounds(folder: Path, recipe: Recipe, data: Images, n_runs: int) -> Iterator[Line]:
    """Time whole rounds, by method, beside the training in them."""
    run = folder / "run"
    start = build_network(parse_architecture(recipe.model), seed=0).state_dict()
    from topoimp.checkpoint import open_checkpoint, write_arrays

    files = RunFiles(run).seed(0)
    files.folder.mkdir(parents=True)
    write_arrays(files.initial, {name: tensor.numpy() for name, tensor in start.items()}, {})
    trained = retrain_network(recipe, data, seed=0, start=start, masks={}).final
    write_arrays(files.trained, trained, {})
    training: list[float] = []
    whole: dict[Method, list[float]] = {Method.TOPOLOGICAL: [], Method.MAGNITUDE: []}
    outside: dict[Method, list[float]] = {Method.TOPOLOGICAL: [], Method.MAGNITUDE: []}

    def retrain_timed(task: TrainingTask) -> object:
        begin = time.perf_counter()
        metrics = built_in_trainer(recipe, data, from_step=0, on_step=lambda _step, _n: None)(task)
        training.append(time.perf_counter() - begin)
        return metrics

    for turn in range(n_runs):
        for method in whole:
            place = PruningFiles(folder / f"{method}-{turn}")
            place.folder.mkdir()
            plan = Plan(Scheme(plan_schedule(rounds=3, rate=0.2), method, Scope.LAYER), threads=1)
            marks = [time.perf_counter()]
            prune_iteratively(
                Start(0, files.trained, open_checkpoint(files.initial), {}),
                place,
                plan,
                retrain_timed,  # type: ignore[arg-type]  # metrics as they come
                on_round=lambda marks=marks: marks.append(time.perf_counter()),
            )
            whole[method] += list(np.diff(marks)[1:])  # the first has round 0 in it
            outside[method] += [a - b for a, b in zip(np.diff(marks)[1:], training[-2:], strict=True)]
    for method in whole:
        ours, theirs = float(np.median(whole[method])), float(np.median(training))
        yield Line(f"a round, {method}", "its training alone", ours, theirs, ours / theirs, None, 2 * n_runs)
    ours, theirs = (float(np.median(outside[method])) for method in (Method.TOPOLOGICAL, Method.MAGNITUDE))
    ratio = 1 + (ours - theirs) / float(np.median(whole[Method.MAGNITUDE]))
    yield Line("a round, topological", "a round, magnitude", ours, theirs, ratio, 1.05, 2 * n_runs)


def replicates(folder: Path, data: Images, n_runs: int) -> Iterator[Line]:
    """Time two rounds of two seeds, at the same time and one after the other."""
    path = folder / "own.npz"
    few = slice(0, 6000)
    np.savez(
        path,
        x_train=data.train_images[few],
        y_train=data.train_labels[few],
        x_test=data.test_images,
        y_test=data.test_labels,
    )
    run = folder / "replicates"
    train_run("lenet-300-100", data=str(path), output=run, epochs=4, seeds=[0, 1])

    def prune(jobs: int) -> None:
        for made in run.glob("seed-*/magnitude"):
            shutil.rmtree(made)
        prune_run(run, PruningOptions(rounds=4, method=Method.MAGNITUDE), jobs=jobs, data_dir=path)

    yield compared(
        "two seeds, two processes", "one after the other", lambda: prune(2), lambda: prune(1), None, min(n_runs, 3)
    )


if __name__ == "__main__":
    sys.exit(main())
