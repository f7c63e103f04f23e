"""Run the study of docs/study.md, piece by piece: train, prune, compare with null models, and collect the tables.

``make study`` runs everything that is missing and can be stopped at any time: each piece is one topoimp command, whose
report lies in the work folder once it is complete. ``--only`` runs the pieces whose names begin with a word.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from study_tables import write_tables

HERE = Path(__file__).resolve().parent
MULTIPLES = (1, 2, 4, 8)
"""Densities at which weights are compared with null models, as multiples of the critical density."""

NULLS = ("iid", "edges", "rows", "columns", "scales", "degrees")
"""Null models that are simulated; random masks have a closed form."""

ROUND_NULLS = ("edges:100", "degrees:20")
LEAST_DENSITY = 0.005


@dataclass(frozen=True)
class Network:
    """Networks of one kind, on one data set: a run folder.

    Args:
        name: the folder's name in the work folder.
        model: as topoimp takes it.
        data: as topoimp takes it.
        training: options of ``topoimp train``.
        seeds: the reported seeds.
        n_rounds: rounds of pruning to the least density; 0 if the networks are not pruned.
        rate: share of the remaining weights that one round removes.
        prunings: names of ``PRUNINGS``.
        n_simulations: of each null model at the weights.
    """

    name: str
    model: str
    data: str
    training: tuple[str, ...]
    seeds: range
    n_rounds: int = 24
    rate: float = 0.2
    prunings: tuple[str, ...] = ("imp", "t-imp", "imp-paper", "t-imp-paper", "random")
    n_simulations: int = 1000


PAPER = "mlp:784-100-100-100-100-100-10"
SIX_EPOCHS = ("--epochs", "6", "--batch-size", "60")
ADAM = ("--optimizer", "adam", "--learning-rate", "0.0012")
SGD = ("--optimizer", "sgd", "--learning-rate", "0.05", "--momentum", "0.9")
SEEDS = range(100, 110)

NETWORKS = (
    Network("paper-mnist", PAPER, "mnist", (*SIX_EPOCHS, *ADAM), SEEDS),
    Network("paper-fashion", PAPER, "fashion-mnist", (*SIX_EPOCHS, *ADAM), SEEDS, prunings=("imp", "t-imp")),
    Network("paper-decay", PAPER, "mnist", (*SIX_EPOCHS, *ADAM, "--weight-decay", "0.0001"), SEEDS, n_rounds=0),
    Network("paper-sgd", PAPER, "mnist", (*SIX_EPOCHS, *SGD), SEEDS, n_rounds=0),
    Network("paper-sgd-decay", PAPER, "mnist", (*SIX_EPOCHS, *SGD, "--weight-decay", "0.0005"), SEEDS, n_rounds=0),
    Network("lenet-mnist", "lenet-300-100", "mnist", ("--epochs", "2", "--batch-size", "60", *ADAM), SEEDS),
    Network("lenet-fashion", "lenet-300-100", "fashion-mnist", ("--epochs", "2", "--batch-size", "60", *ADAM), SEEDS),
    Network(
        "conv-cifar10",
        "conv-2",
        "cifar10",
        ("--epochs", "1", "--batch-size", "60", "--optimizer", "adam", "--learning-rate", "0.0002"),
        range(100, 103),
        n_rounds=12,
        rate=0.36,
        prunings=("imp", "t-imp"),
        n_simulations=100,
    ),
)

PRUNINGS = {
    "imp": ("--method", "magnitude", "--preset", "frankle-carbin"),
    "t-imp": ("--method", "topological", "--preset", "frankle-carbin"),
    "imp-paper": ("--method", "magnitude", "--preset", "paper"),
    "t-imp-paper": ("--method", "topological", "--preset", "paper"),
    "random": ("--method", "random", "--preset", "frankle-carbin"),
}
"""Options of each pruning, by its name in the tables."""


@dataclass(frozen=True)
class Piece:
    """One command of topoimp; its report, a CSV, is kept at ``report`` in the work folder."""

    report: str
    arguments: tuple[str, ...]


def pieces_of(network: Network, work: Path) -> Iterator[list[Piece]]:
    """Yield the pieces of one network, in groups; the pieces of a group do not depend on each other."""
    run = str(work / network.name)
    seeds = ",".join(map(str, network.seeds))
    watch = ("--watch", "np_balwani,overlap,beta0")
    trained = ("train", network.model, "--data", network.data, *network.training, "--seeds", seeds, "-o", run, *watch)
    yield [Piece(f"{network.name}/train.csv", trained)]

    densities = ",".join("critical" if multiple == 1 else f"{multiple}*critical" for multiple in MULTIPLES)
    simulated = [word for null in NULLS for word in ("--null", f"{null}:{network.n_simulations}")]
    nulls = ["--null", "random", *simulated]
    yield [
        Piece(
            f"{network.name}/nulls/{seed}-{weights}.csv",
            ("bound", f"{run}/seed-{seed}/{weights}.safetensors", "--densities", densities, *nulls),
        )
        for seed in network.seeds
        for weights in ("init", "model")
    ]

    if network.n_rounds == 0:
        return
    for name in network.prunings:
        options = PRUNINGS[name]
        is_linear = "paper" in options
        amount = ("--sparsity", str(1 - LEAST_DENSITY)) if is_linear else ("--rate", str(network.rate))
        pruned = ("prune", run, "--rounds", str(network.n_rounds), *amount, *options)
        yield [Piece(f"{network.name}/prune-{name}.csv", pruned)]

    nulls = [word for null in ROUND_NULLS for word in ("--null", null)]
    yield [
        Piece(
            f"{network.name}/rounds-{reference}.csv",
            ("compare", run, "--reference", reference, "--method", "magnitude", *nulls),
        )
        for reference in ("round-0", "previous")
    ]


def run_piece(piece: Piece, work: Path) -> None:
    """Run a command unless its report is there, and keep its report once it is complete."""
    report = work / piece.report
    if report.exists():
        return
    report.parent.mkdir(parents=True, exist_ok=True)
    partial = report.with_suffix(".partial")
    with partial.open("w") as stdout:
        command = [sys.executable, "-m", "topoimp", *piece.arguments, "--format", "csv", "--quiet"]
        subprocess.run(command, stdout=stdout, check=True)  # noqa: S603  # ours
    partial.rename(report)
    sys.stdout.write(f"{piece.report}\n")


def main() -> None:
    """Run the pieces that are missing, and write the tables of those that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("study"), help="folder of run folders and reports")
    parser.add_argument("--only", default="", help="run only networks whose names begin so")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="commands at the same time")
    parser.add_argument("--tables", action="store_true", help="run nothing, and write the tables alone")
    arguments = parser.parse_args()

    work = arguments.work.resolve()
    for network in NETWORKS:
        if arguments.tables or not network.name.startswith(arguments.only):
            continue
        for group in pieces_of(network, work):
            with ThreadPoolExecutor(arguments.jobs) as pool:
                list(pool.map(lambda piece: run_piece(piece, work), group))
    write_tables(work, HERE / "study")


if __name__ == "__main__":
    main()
