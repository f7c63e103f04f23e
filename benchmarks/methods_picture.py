"""Draw docs/methods-gains.svg: the accuracy of each method less that of IMP, from benchmarks/methods/rounds.csv.

``python benchmarks/methods_picture.py`` draws it anew; a test holds the file to it.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from methods_tables import NETWORKS, ROUNDS, differences, present

from topoimp.choices import PictureSize
from topoimp.plots.canvas import in_our_look, new_figure, save
from topoimp.plots.paired_differences import gains_over_density
from topoimp.reports.cells import Row

PICTURE = Path(__file__).resolve().parent.parent / "docs/methods-gains.svg"

SHOWN = {"paths": "paths", "synflow-l2": "synflow-l2", "lamp": "lamp", "t-imp": "topological"}
"""The methods that are drawn where all panels have them, and their words as options; random would hide the others."""

PANELS = ("lenet-mnist", "lenet-fashion")


def picture(rounds: pd.DataFrame) -> Any:  # Any: a figure of matplotlib
    """Return the picture: a panel for each network, in which the density falls from left to right."""
    prunings = {network: names for network, _, names in present(rounds)}
    shown = [name for name in SHOWN if all(name in prunings[network] for network in PANELS)]
    figure = new_figure(PictureSize.PAGE, height=2.4)
    with in_our_look():
        panels = figure.subplots(1, len(PANELS), squeeze=False)[0]
        for network, ax in zip(PANELS, panels, strict=True):
            rows = [row for name in shown for row in _rows(rounds, network, name)]
            gains_over_density(rows, ax=ax)
            ax.set_title(NETWORKS[network])
        n_seeds = rounds[rounds["network"].isin(PANELS)]["seed"].nunique()
        figure.supxlabel(f"mean of n = {n_seeds} paired seeds, with 95 % interval", fontsize=7)
    return figure


def _rows(rounds: pd.DataFrame, network: str, pruning: str) -> list[Row]:
    """Return the differences of a method from IMP as rows of paired.csv."""
    pair: Row = {"level": "network", "quantity": "test_accuracy", "baseline": "magnitude", "pruning": SHOWN[pruning]}
    return [
        {
            **pair,
            "round": int(str(number)),
            "density": float(row["density"]),
            "mean": float(row["difference"]),
            "mean_low": float(row["ci_low"]),
            "mean_high": float(row["ci_high"]),
        }
        for number, row in differences(rounds, network, pruning).iterrows()
    ]


def main() -> None:
    """Draw the picture."""
    save(picture(pd.read_csv(ROUNDS)), PICTURE)


if __name__ == "__main__":
    main()
