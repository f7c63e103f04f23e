"""The tables of docs/study.md about rounds of pruning and their accuracy, in Markdown, from benchmarks/study.

``python benchmarks/study_rounds.py`` prints them; a test holds the page to them.
"""

import sys

import numpy as np
import pandas as pd
from study_page import LEVEL, STUDY, interval, markdown, present
from study_tables import CEILING, MARGIN

DENSITIES = (0.5, 0.2, 0.1, 0.05, 0.03, 0.02, 0.015, 0.01, 0.005)
"""Densities at which the tables show the nearest round."""

EQUAL = 0.99
"""Least ratio of two densities that count as equal: forests bind T-IMP, so that it keeps more than it was asked to."""

TRAININGS = {"magnitude": "rewound", "magnitude-linear-rewind-none": "fine-tuned"}
"""What happens to the kept weights of IMP before they are trained again, by the name of a pruning's folder."""

REFERENCES = {"round-0": "round 0", "previous": "round before"}

PAIRS = {
    "t-imp": "T-IMP, rewound",
    "t-imp-paper": "T-IMP, fine-tuned",
    "random": "random, rewound",
}
"""The compared prunings, each against IMP trained in the same way."""


def accuracy_table(accuracy: pd.DataFrame) -> str:
    """Return test accuracies of T-IMP less those of IMP, in points, at the rounds nearest to some densities."""
    header = ("network", "pruning", "round", "density of IMP", "of T-IMP", "accuracy of IMP", "T-IMP less IMP", "p")
    lines = []
    for _, name, pruning, rounds in _pairs(accuracy):
        if pruning == "random":
            continue
        for number in nearest_rounds(rounds["density_other"]):
            row = rounds.loc[number]
            densities = (f"{row['density_other']:.2%}", f"{row['density']:.2%}")
            shown = (f"{row['test_accuracy_other']:.2%}", _points(row), f"{row['p_holm']:.2g}")
            lines.append((name, PAIRS[pruning], str(number), *densities, *shown))
    return markdown(header, lines)


def accuracy_verdicts(accuracy: pd.DataFrame) -> str:
    """Return how many rounds decide H3, at equal densities and at others; and the largest differences at equal ones."""
    header = ("network", "pruning", "rounds at equal density", "ahead", "behind", "largest gain", "largest loss")
    header += ("other rounds", "ahead", "behind")
    lines = []
    for _, name, pruning, rounds in _pairs(accuracy):
        equal = is_equal(rounds)
        best, worst = (rounds[equal].sort_values("difference").iloc[at] for at in (-1, 0))
        counts = [(is_ahead(part).sum(), is_behind(part).sum()) for part in (rounds[equal], rounds[~equal])]
        at_equal = (str(equal.sum()), *map(str, counts[0]), _points(best), _points(worst))
        lines.append((name, PAIRS[pruning], *at_equal, str((~equal).sum()), *map(str, counts[1])))
    return markdown(header, lines)


def is_equal(rounds: pd.DataFrame) -> pd.Series:
    """Say of each round whether both prunings have kept equally many weights."""
    return rounds["density_other"] >= EQUAL * rounds["density"]


def is_ahead(rounds: pd.DataFrame) -> pd.Series:
    """Say of each round whether the pruning is more accurate than IMP, after Holm's correction."""
    return (rounds["p_holm"] < LEVEL) & (rounds["difference"] > 0)


def is_behind(rounds: pd.DataFrame) -> pd.Series:
    """Say of each round whether the pruning is less accurate than IMP, after Holm's correction."""
    return (rounds["p_holm"] < LEVEL) & (rounds["difference"] < 0)


def rounds_table(rounds: pd.DataFrame) -> str:
    """Return how much of the forest of round 0, and of the round before, IMP keeps in the first layer, beside chance.

    Each number is a mean over the seeds; the excesses have their 95 % interval.
    """
    header = ("network", "training", "round", "density")
    header += tuple(
        f"{name}: {fact}" for name in REFERENCES.values() for fact in ("kept", "less `edges`", "less `degrees`")
    )
    lines = []
    for network, name in present(rounds):
        of_network = rounds[rounds["network"] == network]
        first = of_network[of_network["layer"] == sorted(of_network["layer"])[0]]
        for pruning, training in TRAININGS.items():
            of_pruning = first[first["pruning"] == pruning].set_index(["reference", "null", "round"]).sort_index()
            if of_pruning.empty:
                continue
            densities = of_pruning.loc[("round-0", "edges")]["density"]
            for number in nearest_rounds(densities):
                cells = []
                for reference in REFERENCES:
                    edges, degrees = (of_pruning.loc[(reference, null, number)] for null in ("edges", "degrees"))
                    cells += [f"{edges['retention']:.3f}", interval(edges, "excess"), interval(degrees, "excess")]
                lines.append((name, training, str(number), f"{densities[number]:.2%}", *cells))
    return markdown(header, lines)


def rounds_verdicts(rounds: pd.DataFrame) -> str:
    """Return how IMP's rounds keep the forest beside null models, over all cells: a layer in a round.

    Cells in which mask and null model both keep nearly the whole forest do not count. The counts are of cells whose
    95 % interval lies below 0, above 0, and within 1 % around 0.
    """
    header = ("network", "training", "forest of", "null", "cells", "below 0", "above 0", "within 1 %")
    header += ("mean", "lowest", "highest")
    lines = []
    for network, name in present(rounds):
        of_network = rounds[rounds["network"] == network]
        for (training, reference, null), cells in decided(of_network).items():
            low, high, excess = cells["ci_low"], cells["ci_high"], cells["excess"]
            within = (low > -MARGIN) & (high < MARGIN)
            counts = (len(cells), (high < 0).sum(), (low > 0).sum(), within.sum())
            means = (excess.mean(), excess.min(), excess.max())
            kind = (training, REFERENCES[reference], f"`{null}`")
            lines.append((name, *kind, *map(str, counts), *(f"{mean:+.3f}" for mean in means)))
    return markdown(header, lines)


def decided(rounds: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
    """Return the cells that count, by training, reference and null model."""
    open_ = rounds[rounds[["retention", "retention_null"]].min(axis=1) < CEILING]
    return {
        (training, reference, null): open_[
            (open_["pruning"] == pruning) & (open_["reference"] == reference) & (open_["null"] == null)
        ]
        for pruning, training in TRAININGS.items()
        for reference in REFERENCES
        for null in ("edges", "degrees")
        if (rounds["pruning"] == pruning).any()
    }


def _pairs(accuracy: pd.DataFrame) -> list[tuple[str, str, str, pd.DataFrame]]:
    """Return each network with its name, and each of its prunings with its rounds by number."""
    found = []
    for network, name in present(accuracy):
        of_network = accuracy[accuracy["network"] == network]
        for pruning in PAIRS:
            rounds = of_network[of_network["pruning"] == pruning]
            if len(rounds):
                found.append((network, name, pruning, rounds.set_index("round")))
    return found


def nearest_rounds(densities: pd.Series) -> list[int]:
    """Return the rounds whose densities are nearest to ``DENSITIES`` in ratio, each once."""
    distances = [np.abs(np.log(densities / density)) for density in DENSITIES]
    return list(dict.fromkeys(int(distance.idxmin()) for distance in distances))


def _points(row: pd.Series) -> str:
    """Return a difference of accuracies in points, with its 95 % interval."""
    mean, low, high = (f"{100 * row[name]:+.2f}" for name in ("difference", "ci_low", "ci_high"))
    return f"{mean} [{low}, {high}]"


def main() -> None:
    """Print the tables."""
    accuracy = pd.read_csv(STUDY / "accuracy.csv")
    for table in (accuracy_table, accuracy_verdicts):
        sys.stdout.write(f"{table(accuracy)}\n\n")
    rounds = pd.read_csv(STUDY / "rounds.csv")
    for table in (rounds_table, rounds_verdicts):
        sys.stdout.write(f"{table(rounds)}\n\n")


if __name__ == "__main__":
    main()
