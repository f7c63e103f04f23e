"""The tables of docs/methods-study.md, in Markdown, from the rounds in benchmarks/methods/rounds.csv.

``python benchmarks/methods_tables.py`` prints them; a test holds the page to them.
"""

import sys
from pathlib import Path

import pandas as pd
from study_page import LEVEL, markdown
from study_rounds import nearest_rounds
from study_tables import holm, mean_of

FOLDER = Path(__file__).resolve().parent / "methods"
ROUNDS = FOLDER / "rounds.csv"
ONE_SHOT = FOLDER / "one_shot.csv"
CREPE = FOLDER / "crepe.csv"

BASELINE = "imp"

NETWORKS = {
    "lenet-mnist": "LeNet-300-100, MNIST",
    "lenet-fashion": "LeNet-300-100, Fashion-MNIST",
    "pilot-mnist": "LeNet-300-100, MNIST, pilot",
    "pilot-fashion": "LeNet-300-100, Fashion-MNIST, pilot",
    "second-mnist": "LeNet-300-100, MNIST, second pilot",
    "second-fashion": "LeNet-300-100, Fashion-MNIST, second pilot",
    "late-mnist": "LeNet-300-100, MNIST, rewound to step 200",
    "fast-mnist": "LeNet-300-100, MNIST, rate 0.5",
    "six-mnist": "six layers, MNIST",
    "lenet5-mnist": "LeNet-5, MNIST",
    "resnet20-cifar10": "ResNet-20, CIFAR-10",
}
"""The networks of the study, by the names of their run folders."""

METHODS = {
    "imp": "IMP",
    "imp-global": "IMP, one target",
    "paths": "paths",
    "paths-first": "paths, from the first weight",
    "paths-half": "paths, from 0.5 %",
    "paths-global": "paths, one target",
    "paths-ones": "paths, inputs 1",
    "synflow-l2": "SynFlow-L2",
    "lamp": "LAMP",
    "t-imp": "T-IMP",
    "random": "random",
}
"""The methods, by the names of their reports."""

FACTS = ("n_kept", "density", "test_accuracy", "n_off_path", "live_vertices", "beta0_glued")

ALLOWED_LOSS = 0.001
"""Loss of test accuracy that M1 allows."""

LOW_DENSITY = 0.036
"""Density from which down M2 expects a gain."""


def rounds_of(work: Path, existing: pd.DataFrame) -> pd.DataFrame:
    """Return the rounds of all reports in a work folder, a row per seed; those of ``existing`` where it has none."""
    parts = [part for _, part in existing.groupby(["network", "pruning"])] if len(existing) else []
    for path in sorted(work.glob("*/prune-*.csv")):
        name = {"network": path.parts[-2], "pruning": path.stem.removeprefix("prune-")}
        parts = [part for part in parts if any((part[key] != value).any() for key, value in name.items())]
        parts.append(_rounds_in(path).assign(**name))
    if not parts:
        return pd.DataFrame()

    keys = ["network", "pruning", "seed", "round"]
    table = pd.concat(parts)[[*keys, *FACTS, "beta0"]]
    orders = {"network": list(NETWORKS), "pruning": list(METHODS)}
    return table.sort_values(
        keys, key=lambda column: column.map(orders[column.name].index) if column.name in orders else column
    ).reset_index(drop=True)


def _rounds_in(path: Path) -> pd.DataFrame:
    """Return the facts of the network in each round of a report, and beta0 of its layers in their order."""
    report = pd.read_csv(path)
    of_network = report[report["level"] == "network"].set_index(["seed", "round"])[list(FACTS)]
    of_layers = report[report["level"] == "layer"].groupby(["seed", "round"], sort=False)["beta0"]
    beta0 = of_layers.apply(lambda values: " ".join(str(int(value)) for value in values))
    return of_network.assign(beta0=beta0).reset_index()


def differences(rounds: pd.DataFrame, network: str, pruning: str) -> pd.DataFrame:
    """Return the difference of each round's test accuracy from IMP's, paired by seed, with interval and p-values.

    Round 0 is left out, and so are seeds that one of the two lacks.
    """
    of_network = rounds[(rounds["network"] == network) & (rounds["round"] > 0)]
    by_pruning = of_network.set_index(["pruning", "seed", "round"]).sort_index()
    ours, others = (by_pruning.loc[name][["test_accuracy", "density"]] for name in (pruning, BASELINE))
    joined = ours.merge(others, left_index=True, right_index=True, suffixes=("", "_imp"))

    lines = []
    for number, seeds in joined.groupby("round"):
        found = mean_of((seeds["test_accuracy"] - seeds["test_accuracy_imp"]).tolist())
        means = seeds[["density", "density_imp", "test_accuracy", "test_accuracy_imp"]].mean().to_dict()
        lines.append({"round": number, **means, **found.columns("difference"), "p": found.p_two_sided})
    table = pd.DataFrame(lines).set_index("round")
    return table.assign(p_holm=holm(table["p"]))


def present(rounds: pd.DataFrame) -> list[tuple[str, str, list[str]]]:
    """Return the networks with rounds of IMP and others, with names and other prunings, in the order above."""
    found = []
    for network, name in NETWORKS.items():
        prunings = set(rounds[rounds["network"] == network]["pruning"])
        if BASELINE in prunings and len(prunings) > 1:
            found.append((network, name, [each for each in METHODS if each in prunings and each != BASELINE]))
    return found


def accuracy_table(rounds: pd.DataFrame, network: str, prunings: list[str]) -> str:
    """Return the accuracy of IMP and the differences of the other methods, at the rounds nearest to some densities."""
    by_method = {pruning: differences(rounds, network, pruning) for pruning in prunings}
    first = next(iter(by_method.values()))
    lines = []
    for number in nearest_rounds(first["density_imp"]):
        row = first.loc[number]
        cells = [_points(table.loc[number]) for table in by_method.values()]
        lines.append((str(number), f"{row['density_imp']:.2%}", f"{row['test_accuracy_imp']:.2%}", *cells))
    return markdown(("round", "density", "IMP", *(METHODS[pruning] for pruning in prunings)), lines)


def verdicts_table(rounds: pd.DataFrame) -> str:
    """Return in how many rounds each method is ahead of IMP and behind it, and where the 95 % intervals lie."""
    header = ("network", "method", "seeds", "rounds", "ahead", "behind", "lowest end of an interval")
    header += (f"rounds to {LOW_DENSITY:.1%}", "interval above 0", "lowest end there")
    lines = []
    for network, name, prunings in present(rounds):
        for pruning in prunings:
            table = differences(rounds, network, pruning)
            is_sure = table["p_holm"] < LEVEL
            ahead, behind = (is_sure & (table["difference"] > 0)).sum(), (is_sure & (table["difference"] < 0)).sum()
            low = table[table["density_imp"] <= LOW_DENSITY]
            counts = (str(int(table["n_seeds"].max())), str(len(table)), str(ahead), str(behind))
            ends = (_lowest_end(table), str(len(low)), str((low["ci_low"] > 0).sum()), _lowest_end(low))
            lines.append((name, METHODS[pruning], *counts, *ends))
    return markdown(header, lines)


def paths_table(rounds: pd.DataFrame, network: str) -> str:
    """Return the share of the kept weights that lie on no path, and the components, of each method at some densities.

    A cell has the share, the components of the network as one graph, and those of each layer; means over the seeds.
    """
    of_network = rounds[(rounds["network"] == network) & (rounds["round"] > 0)]
    prunings = [each for each in METHODS if each in set(of_network["pruning"])]
    means = of_network.groupby(["pruning", "round"])[["density", "beta0_glued"]].mean()
    sums = of_network.groupby(["pruning", "round"])[["n_off_path", "n_kept"]].sum()
    layers = of_network["beta0"].str.split(expand=True).astype(float)
    by_layer = layers.groupby([of_network["pruning"], of_network["round"]]).mean()
    lines = []
    for number in nearest_rounds(means.loc[BASELINE]["density"]):
        cells = []
        for pruning in prunings:
            at = (pruning, number)
            share = sums.loc[at]["n_off_path"] / sums.loc[at]["n_kept"]
            of_layers = " / ".join(f"{value:.0f}" for value in by_layer.loc[at].dropna())
            cells.append(f"{share:.1%}, {means.loc[at]['beta0_glued']:.0f}, {of_layers}")
        lines.append((str(number), f"{means.loc[(BASELINE, number)]['density']:.2%}", *cells))
    return markdown(("round", "density", *(METHODS[pruning] for pruning in prunings)), lines)


def one_shot_table(one_shot: pd.DataFrame, network: str) -> str:
    """Return the accuracy of IMP in one shot and the differences of the other methods from it, at each density."""
    by_density = one_shot[one_shot["network"] == network].pivot(
        index="density", columns=["pruning", "seed"], values="test_accuracy"
    )
    prunings = [each for each in METHODS if each in by_density and each != BASELINE]
    lines = []
    for density, row in by_density.sort_index(ascending=False).iterrows():
        found = [mean_of((row[pruning] - row[BASELINE]).dropna().tolist()) for pruning in prunings]
        cells = [f"{100 * each.mean:+.1f} [{100 * each.ci_low:+.1f}, {100 * each.ci_high:+.1f}]" for each in found]
        lines.append((f"{density:.0%}", f"{row[BASELINE].mean():.1%}", *cells))
    return markdown(("density", "IMP", *(METHODS[pruning] for pruning in prunings)), lines)


def one_shot_tables(one_shot: pd.DataFrame) -> list[str]:
    """Return the table of each network that was pruned in one shot."""
    return [one_shot_table(one_shot, each) for each in NETWORKS if (one_shot["network"] == each).any()]


def crepe_table(crepe: pd.DataFrame) -> str:
    """Return the accuracy of the pitch estimator CREPE under each method, and weights off all paths under IMP."""
    by_density = crepe.pivot(index="density", columns="pruning", values=["accuracy", "n_off_path"])
    prunings = [each for each in METHODS if each in by_density["accuracy"]]
    lines = [
        (f"{density:.0%}", *(f"{row['accuracy'][each]:.1%}" for each in prunings), f"{row['n_off_path'][BASELINE]:.0f}")
        for density, row in by_density.sort_index(ascending=False).iterrows()
    ]
    return markdown(("density", *(METHODS[pruning] for pruning in prunings), "off path under IMP"), lines)


def tables(rounds: pd.DataFrame) -> list[str]:
    """Return all tables of rounds that the page has, in their order."""
    found = [verdicts_table(rounds)]
    for network, _, prunings in present(rounds):
        found += [accuracy_table(rounds, network, prunings), paths_table(rounds, network)]
    return found


def all_tables() -> list[str]:
    """Return the tables of the page, from the files in benchmarks/methods."""
    in_one_shot = [*one_shot_tables(pd.read_csv(ONE_SHOT)), crepe_table(pd.read_csv(CREPE))]
    return [*tables(pd.read_csv(ROUNDS)), *in_one_shot]


def _lowest_end(differences_in_rounds: pd.DataFrame) -> str:
    """Return the lowest end of an interval, in points; a dash without rounds."""
    return f"{100 * differences_in_rounds['ci_low'].min():+.2f}" if len(differences_in_rounds) else "-"


def _points(row: pd.Series) -> str:
    """Return a difference of accuracies in points, with its 95 % interval."""
    mean, low, high = (f"{100 * row[name]:+.2f}" for name in ("difference", "ci_low", "ci_high"))
    return f"{mean} [{low}, {high}]"


def main() -> None:
    """Print the tables."""
    for table in all_tables():
        sys.stdout.write(f"{table}\n\n")


if __name__ == "__main__":
    main()
