"""The tables of docs/paper.md and docs/study.md, in Markdown, from the tables of the study in benchmarks/study.

``python benchmarks/study_page.py`` prints those of docs/study.md; tests hold both pages to them.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from study_tables import MARGIN, mean_of

STUDY = Path(__file__).resolve().parent / "study"

RECIPES = {
    "paper-mnist": "Adam",
    "paper-decay": "Adam, decay",
    "paper-sgd": "SGD",
    "paper-sgd-decay": "SGD, decay",
    "paper-fashion": "Adam, Fashion-MNIST",
}
"""Headers of the networks of the paper's figures in the tables of docs/paper.md."""


def figure_1(training: pd.DataFrame) -> str:
    """Return the table of figure 1, in Markdown: the sum of neural persistence over the layers, after each epoch."""
    total = training.groupby(["network", "epoch"])["np_balwani_mean"].sum().unstack("network")[list(RECIPES)]
    lines = [f"| {epoch} | {' | '.join(f'{value:.2f}' for value in row)} |" for epoch, row in total.iterrows()]
    return "\n".join([f"| epochs | {' | '.join(RECIPES.values())} |", "| --- " * (len(RECIPES) + 1) + "|", *lines])


def figure_3(training: pd.DataFrame) -> str:
    """Return the table of figure 3, in Markdown: mean and deviation of the overlap of each layer after training."""
    of_the_paper = training[training["network"].isin(RECIPES)]
    last = of_the_paper[of_the_paper["epoch"] == of_the_paper.groupby("network")["epoch"].transform("max")]
    cells = (last["overlap_mean"].map("{:.3f}".format) + " ± " + last["overlap_std"].map("{:.3f}".format)).rename(
        "cell"
    )
    table = last.assign(cell=cells).pivot(index="layer", columns="network", values="cell")[list(RECIPES)]
    lines = [f"| {layer.removesuffix('.weight')} | {' | '.join(row)} |" for layer, row in table.iterrows()]
    return "\n".join([f"| layer | {' | '.join(RECIPES.values())} |", "| --- " * (len(RECIPES) + 1) + "|", *lines])


NETWORKS = {
    "paper-mnist": "six layers, MNIST",
    "paper-decay": "six layers, MNIST, decay",
    "paper-sgd": "six layers, MNIST, SGD",
    "paper-sgd-decay": "six layers, MNIST, SGD, decay",
    "paper-fashion": "six layers, Fashion-MNIST",
    "lenet-mnist": "LeNet-300-100, MNIST",
    "lenet-fashion": "LeNet-300-100, Fashion-MNIST",
    "conv-cifar10": "Conv-2, CIFAR-10",
}
"""The networks of the study, by the names of their run folders."""

LEVEL = 0.05
"""Level of the tests, after Holm's correction."""

NULLS = ("edges", "rows", "columns", "scales", "degrees")


def weights_table(excess: pd.DataFrame) -> str:
    """Return the retention of the trained weights at the critical density, less that before training and two nulls."""
    at_floor = excess[(excess["weights"] == "model") & (excess["multiple"] == 1)]
    header = ("network", "layer", "retention", "less before training", "less `edges`", "less `degrees`", "seeds")
    lines = []
    for network, name in present(at_floor):
        of_network = at_floor[at_floor["network"] == network]
        for layer, rows in of_network.sort_values("layer").groupby("layer"):
            by_null = rows.set_index("null")
            edges, degrees = by_null.loc["edges"], by_null.loc["degrees"]
            trained_less_initial = interval(by_training(excess, network, layer), "excess")
            less_nulls = (interval(edges, "excess"), interval(degrees, "excess", 4))
            shown = (f"{edges['retention']:.3f}", trained_less_initial, *less_nulls)
            lines.append((name, layer.removesuffix(".weight"), *shown, str(edges["n_seeds"])))
    return markdown(header, lines)


def by_training(excess: pd.DataFrame, network: str, layer: str) -> pd.Series:
    """Return the mean change of a layer's retention by training, at its critical density, with its interval.

    The excess over random masks is the retention less a number that no weight decides.
    """
    rows = excess[(excess["network"] == network) & (excess["layer"] == layer) & (excess["multiple"] == 1)]
    by_seed = rows[rows["null"] == "random"].set_index("weights")["excess_by_seed"]
    trained, initial = ([float(value) for value in by_seed[weights].split()] for weights in ("model", "init"))
    found = mean_of([after - before for after, before in zip(trained, initial, strict=True)])
    return pd.Series(found.columns("excess"))


def verdicts_table(excess: pd.DataFrame) -> str:
    """Return, for each network, how many cells (a layer at a density) of the trained weights decide H1 and H2.

    Cells in which network and null model both keep the whole forest have no p-value and do not count.
    """
    header = ("network", "H1: cells", "above 0", "below 0", "H2: cells", "within 1 %", "outside 1 %", "undecided")
    trained = excess[excess["weights"] == "model"]
    lines = []
    for network, name in present(trained):
        of_network = trained[trained["network"] == network]
        h1 = of_network[(of_network["null"] == "edges") & of_network["p_above"].notna()]
        h2 = of_network[(of_network["null"] == "degrees") & of_network["p_within_margin"].notna()]
        within = h2["p_within_margin_holm"] < LEVEL
        outside = (h2["ci_low"] > MARGIN) | (h2["ci_high"] < -MARGIN)
        counts = (len(h1), (h1["p_above_holm"] < LEVEL).sum(), (h1["ci_high"] < 0).sum())
        counts += (len(h2), within.sum(), outside.sum(), (~within & ~outside).sum())
        lines.append((name, *map(str, counts)))
    return markdown(header, lines)


def nulls_table(excess: pd.DataFrame) -> str:
    """Return the excess of the trained weights over each null model at the critical density, mean over the layers."""
    at_floor = excess[(excess["weights"] == "model") & (excess["multiple"] == 1)]
    table = at_floor.pivot_table(index="network", columns="null", values="excess", aggfunc="mean")
    lines = [(name, *(f"{table.loc[network, null]:+.3f}" for null in NULLS)) for network, name in present(at_floor)]
    return markdown(("network", *(f"`{null}`" for null in NULLS)), lines)


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def present(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the networks that a table has, each with its name in tables, in the order of ``NETWORKS``."""
    found = set(table["network"])
    return [(network, name) for network, name in NETWORKS.items() if network in found]


def interval(row: pd.Series, column: str, decimals: int = 3) -> str:
    """Return a mean with its 95 % interval."""
    mean, low, high = (f"{row[name]:+.{decimals}f}" for name in (column, "ci_low", "ci_high"))
    return f"{mean} [{low}, {high}]"


def main() -> None:
    """Print the tables of docs/study.md."""
    excess = pd.read_csv(STUDY / "excess.csv")
    for table in (weights_table, verdicts_table, nulls_table):
        sys.stdout.write(f"{table(excess)}\n\n")


if __name__ == "__main__":
    main()
