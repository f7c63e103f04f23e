"""Estimate at which share of weights on no path the method ``paths`` should take over, from its pilot networks.

``python benchmarks/methods_switch.py`` prints a table of docs/methods-study.md. The differences from IMP that a share
would give are taken from rounds that were trained with a smaller one: 0 before IMP reaches the share, and as they are
from there on. Ten networks are drawn again and again, and the verdicts about M1 and M2 are counted.
"""

import sys

import numpy as np
import pandas as pd
from methods_tables import ALLOWED_LOSS, BASELINE, LOW_DENSITY, ROUNDS
from numpy.typing import NDArray
from scipy.stats import t as student_t
from study_page import markdown

SHARES = (0.005, 0.0075, 0.01, 0.0125, 0.015, 0.0175, 0.02)
PILOTS = {"MNIST": ("second-mnist", "pilot-mnist"), "Fashion-MNIST": ("second-fashion", "pilot-fashion")}
N_NETWORKS = 10
N_DRAWS = 4000


def differences_at(rounds: pd.DataFrame, network: str, share: float) -> pd.DataFrame:
    """Return the estimated differences from IMP of each network of a pilot, shape (networks, rounds), from round 1."""
    of_network = rounds[(rounds["network"] == network) & (rounds["round"] > 0)]
    by_round = of_network.pivot(index="seed", columns=["pruning", "round"])
    (tried,) = set(of_network["pruning"]) - {BASELINE}
    accuracy, off_path, n_kept = (by_round[name] for name in ("test_accuracy", "n_off_path", "n_kept"))
    has_taken_over = (off_path[BASELINE] / n_kept[BASELINE] > share).cummax(axis=1)
    return (accuracy[tried] - accuracy[BASELINE]).where(has_taken_over, 0.0)


def share_of_draws(differences: NDArray[np.float64], is_low: NDArray[np.bool_], rng: np.random.Generator) -> float:
    """Return the share of draws of ten networks in which M1 and M2 both hold."""
    drawn = differences[rng.integers(0, len(differences), (N_DRAWS, N_NETWORKS))]
    quantile = student_t.ppf(0.975, N_NETWORKS - 1)
    low_ends = drawn.mean(axis=1) - quantile * drawn.std(axis=1, ddof=1) / N_NETWORKS**0.5
    hold = (low_ends > -ALLOWED_LOSS).all(axis=1) & (low_ends[:, is_low] > 0).all(axis=1)
    return float(hold.mean())


def switch_table(rounds: pd.DataFrame) -> str:
    """Return, for each share and data set, the share of draws in which M1 and M2 both hold."""
    density = rounds[(rounds["network"] == "pilot-mnist") & (rounds["round"] > 0)].groupby("round")["density"].mean()
    is_low = (density <= LOW_DENSITY).to_numpy()
    lines = []
    for share in SHARES:
        cells = []
        for networks in PILOTS.values():
            pilots = np.concatenate([differences_at(rounds, network, share).to_numpy() for network in networks])
            cells.append(f"{share_of_draws(pilots, is_low, np.random.default_rng(0)):.0%}")
        lines.append((f"{share:.2%}", *cells))
    return markdown(("share on no path", *PILOTS), lines)


def main() -> None:
    """Print the table."""
    sys.stdout.write(f"{switch_table(pd.read_csv(ROUNDS))}\n")


if __name__ == "__main__":
    main()
