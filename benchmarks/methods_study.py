"""Run the study of docs/methods-study.md, piece by piece: train, prune by each method, and collect the rounds.

Each piece is one topoimp command, whose report lies in the work folder once it is complete, so that a run can be
stopped at any time. ``--only`` runs the pieces whose names begin with a word. Rounds that an earlier run has added to
benchmarks/methods/rounds.csv stay there.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from methods_tables import ROUNDS, rounds_of
from study import ADAM, PAPER, Piece, run_piece

PRUNINGS = {
    "imp": ("--method", "magnitude"),
    "t-imp": ("--method", "topological"),
    "paths": ("--method", "paths"),
    "paths-first": ("--method", "paths", "--paths-below", "off-path:0"),
    "paths-half": ("--method", "paths", "--paths-below", "off-path:0.005"),
    "paths-ones": ("--method", "paths", "--inputs", "ones"),
    "synflow-l2": ("--method", "synflow-l2", "--output-rate", "half"),
    "lamp": ("--method", "lamp", "--output-rate", "half"),
    "random": ("--method", "random"),
}
"""Options of each pruning, by its name in the tables."""

REPORTED = ("imp", "paths", "paths-ones", "synflow-l2", "lamp", "t-imp", "random")
PILOT = ("imp", "paths-first")
SECOND_PILOT = ("imp", "paths-half")
EXPLORED = ("imp", "paths")


@dataclass(frozen=True)
class Network:
    """Networks of one kind, on one data set: a run folder.

    Args:
        name: the folder's name in the work folder.
        model: as topoimp takes it.
        data: as topoimp takes it.
        training: options of ``topoimp train``.
        seeds: the reported seeds.
        n_rounds: rounds of pruning.
        rate: share of the remaining weights that one round removes.
        rewinding: options of ``topoimp prune`` about the weights that a round starts from.
        prunings: names of ``PRUNINGS``, IMP first.
    """

    name: str
    model: str
    data: str
    training: tuple[str, ...]
    seeds: range = range(220, 230)
    n_rounds: int = 24
    rate: float = 0.2
    rewinding: tuple[str, ...] = ("--preset", "frankle-carbin")
    prunings: tuple[str, ...] = REPORTED


TWO_EPOCHS = ("--epochs", "2", "--batch-size", "60", *ADAM)
ONE_EPOCH = ("--epochs", "1", "--batch-size", "60", *ADAM)

NETWORKS = (
    Network("lenet-mnist", "lenet-300-100", "mnist", TWO_EPOCHS),
    Network("lenet-fashion", "lenet-300-100", "fashion-mnist", TWO_EPOCHS),
    Network("pilot-mnist", "lenet-300-100", "mnist", TWO_EPOCHS, range(200, 210), prunings=PILOT),
    Network("pilot-fashion", "lenet-300-100", "fashion-mnist", TWO_EPOCHS, range(200, 210), prunings=PILOT),
    Network("second-mnist", "lenet-300-100", "mnist", TWO_EPOCHS, range(210, 220), prunings=SECOND_PILOT),
    Network("second-fashion", "lenet-300-100", "fashion-mnist", TWO_EPOCHS, range(210, 220), prunings=SECOND_PILOT),
    Network(
        name="late-mnist",
        model="lenet-300-100",
        data="mnist",
        training=TWO_EPOCHS,
        seeds=range(200, 205),
        rewinding=("--rewind", "step:200"),
        prunings=EXPLORED,
    ),
    Network("fast-mnist", "lenet-300-100", "mnist", TWO_EPOCHS, range(200, 205), 8, 0.5, prunings=EXPLORED),
    Network("six-mnist", PAPER, "mnist", TWO_EPOCHS),
    Network("lenet5-mnist", "lenet-5", "mnist", ONE_EPOCH, range(220, 223), n_rounds=12, rate=0.36),
    Network("resnet20-cifar10", "resnet-20", "cifar10", (), range(220, 223), n_rounds=12, rate=0.36),
)


def pieces_of(network: Network, work: Path) -> Iterator[Piece]:
    """Yield the training of a network and its prunings, which need it."""
    run = str(work / network.name)
    seeds = ",".join(map(str, network.seeds))
    trained = ("train", network.model, "--data", network.data, *network.training, "--seeds", seeds, "-o", run)
    yield Piece(f"{network.name}/train.csv", trained)

    amount = ("--rounds", str(network.n_rounds), "--rate", str(network.rate), *network.rewinding)
    for name in network.prunings:
        yield Piece(f"{network.name}/prune-{name}.csv", ("prune", run, *amount, *PRUNINGS[name]))


def main() -> None:
    """Run the pieces that are missing, and add their rounds to the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("methods-study"), help="folder of run folders and reports")
    parser.add_argument("--only", default="", help="run only pieces whose names begin so, as in lenet-mnist/")
    parser.add_argument("--table", action="store_true", help="run nothing, and add the rounds alone")
    arguments = parser.parse_args()

    work = arguments.work.resolve()
    pieces = [piece for network in NETWORKS for piece in pieces_of(network, work)]
    for piece in pieces:
        if not arguments.table and piece.report.startswith(arguments.only):
            run_piece(piece, work)

    existing = pd.read_csv(ROUNDS) if ROUNDS.exists() else pd.DataFrame()
    table = rounds_of(work, existing)
    ROUNDS.parent.mkdir(exist_ok=True)
    table.to_csv(ROUNDS, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
