"""The tables of the study, benchmarks/study/*.csv, from the reports of its pieces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

MARGIN = 0.01
"""Share of the forest within which an excess counts as none (H2)."""

CEILING = 0.99
"""Share of the forest above which network and null model both keep everything, and nothing is tested."""

ROUNDING = 1e-12
"""Largest error of the sums of a few shares; smaller deviations are none."""

EXCESS_KEYS = ["network", "weights", "layer", "multiple", "null"]


@dataclass(frozen=True)
class Mean:
    """The mean of a number over seeds, with its 95 % interval; p-values of tests against 0."""

    n_seeds: int
    mean: float
    ci_low: float
    ci_high: float
    p_above: float
    p_two_sided: float
    p_within_margin: float

    def columns(self, name: str) -> dict[str, float]:
        """Return the mean under a name, with its interval and number of seeds, as columns of a table."""
        return {name: self.mean, "ci_low": self.ci_low, "ci_high": self.ci_high, "n_seeds": self.n_seeds}


def mean_of(values: Sequence[float], margin: float = MARGIN) -> Mean:
    """Return the mean of at least two values, with Student's t.

    ``p_above`` is one-sided, for a mean above 0. ``p_within_margin`` is the larger p-value of two one-sided tests: that
    the mean lies within the margin around 0. Values that are all equal have p-values of 0, 1/2 or 1.
    """
    n = len(values)
    mean = float(np.mean(values))
    deviation = float(np.std(values, ddof=1))
    error = deviation / sqrt(n) if deviation > ROUNDING else 0.0
    mean = mean if abs(mean) > ROUNDING else 0.0

    def p_above(bound: float) -> float:
        if error == 0:
            return 0.5 * (1 - float(np.sign(mean - bound)))
        return float(student.sf((mean - bound) / error, n - 1))

    half = float(student.ppf(0.975, n - 1)) * error
    above = p_above(0.0)
    within = max(p_above(-margin), 1 - p_above(margin))
    return Mean(n, mean, mean - half, mean + half, above, 2 * min(above, 1 - above), within)


def holm(p_values: Iterable[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's method."""
    p = np.asarray(list(p_values), np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected.tolist()


def excess_table(work: Path) -> pd.DataFrame:
    """Return the excess of each layer over each null: H1 is against ``edges``, H2 against ``degrees``.

    Where network and null both keep nearly the whole forest, the p-values are blank.
    """
    reports = []
    for path in sorted(work.glob("*/nulls/*.csv")):
        seed, weights = path.stem.split("-")
        report = pd.read_csv(path)
        rows = report[report["level"] == "density"].copy()
        rows["multiple"] = (rows["n_kept"] / rows["floor"]).round().astype(int)
        rows["null"] = _models(rows["null"])
        reports.append(rows.assign(network=path.parts[-3], weights=weights, seed=int(seed)))
    if not reports:
        return pd.DataFrame()

    lines = []
    for key, group in pd.concat(reports).sort_values("seed").groupby(EXCESS_KEYS, sort=False):
        found = mean_of(group["excess"].tolist())
        retention, of_null = group["retention"].mean(), group["retention_null"].mean()
        is_tested = min(retention, of_null) < CEILING
        facts = {
            "n_kept": group["n_kept"].iloc[0],
            "floor": group["floor"].iloc[0],
            "retention": retention,
            "retention_null": of_null,
            **found.columns("excess"),
            "p_above": found.p_above if is_tested else nan,
            "p_within_margin": found.p_within_margin if is_tested else nan,
            "excess_by_seed": " ".join(f"{value:.5f}" for value in group["excess"]),
        }
        lines.append(dict(zip(EXCESS_KEYS, key, strict=True)) | facts)
    table = pd.DataFrame(lines)
    for p_value in ("p_above", "p_within_margin"):
        family = table.groupby(["network", "weights", "null"], sort=False)[p_value]
        table[f"{p_value}_holm"] = family.transform(lambda p: pd.Series(holm(p.dropna()), p.dropna().index))
    return table


def accuracy_table(work: Path) -> pd.DataFrame:
    """Return the paired differences of test accuracy at each round (H3), T-IMP less IMP."""
    lines = []
    for name, other in (("t-imp", "imp"), ("t-imp-paper", "imp-paper"), ("random", "imp")):
        for path in sorted(work.glob(f"*/prune-{name}.csv")):
            pair = [_accuracies(path.with_name(f"prune-{each}.csv")) for each in (name, other)]
            joined = pair[0].merge(pair[1], left_index=True, right_index=True, suffixes=("", "_other")).reset_index()
            of_network = []
            for number, group in joined.groupby("round"):
                found = mean_of((group["test_accuracy"] - group["test_accuracy_other"]).tolist())
                of_network.append(
                    {
                        "network": path.parts[-2],
                        "pruning": name,
                        "other": other,
                        "round": number,
                        "density": group["density"].mean(),
                        "density_other": group["density_other"].mean(),
                        "test_accuracy": group["test_accuracy"].mean(),
                        "test_accuracy_other": group["test_accuracy_other"].mean(),
                        **found.columns("difference"),
                        "p_two_sided": found.p_two_sided,
                    }
                )
            corrected = holm(line["p_two_sided"] for line in of_network)
            lines += [line | {"p_holm": p} for line, p in zip(of_network, corrected, strict=True)]
    return pd.DataFrame(lines)


def _accuracies(path: Path) -> pd.DataFrame:
    report = pd.read_csv(path)
    network = report[(report["level"] == "network") & (report["round"] > 0)]
    return network.set_index(["seed", "round"])[["test_accuracy", "density"]]


def rounds_table(work: Path) -> pd.DataFrame:
    """Return the excess of each layer in each round over each null, against round 0 and against the round before."""
    reports = []
    for path in sorted(work.glob("*/rounds-*.csv")):
        report = pd.read_csv(path)
        rows = report[(report["level"] == "layer") & (report["round"] > 0)].copy()
        rows["null"] = _models(rows["null"])
        reports.append(rows.assign(network=path.parts[-2], reference=path.stem.partition("-")[2]))
    if not reports:
        return pd.DataFrame()

    keys = ["network", "reference", "pruning", "null", "layer", "round"]
    lines = []
    for key, group in pd.concat(reports).sort_values("seed").groupby(keys, sort=False):
        found = mean_of(group["excess"].tolist())
        facts = {
            "density": group["density"].mean(),
            "retention": group["retention"].mean(),
            "retention_null": group["retention_null"].mean(),
            **found.columns("excess"),
        }
        lines.append(dict(zip(keys, key, strict=True)) | facts)
    return pd.DataFrame(lines)


def _models(nulls: pd.Series) -> pd.Series:
    """Return the models of nulls such as ``degrees:1000`` and ``shuffle:1000:edges``."""
    return nulls.str.replace(r"shuffle:\d+:|:\d+", "", regex=True)


def training_table(work: Path) -> pd.DataFrame:
    """Return neural persistence, overlap and beta0 of each layer during training: mean and deviation over seeds."""
    reports = []
    for path in sorted(work.glob("*/seed-*/topology.csv")):
        report = pd.read_csv(path)
        reports.append(report[report["level"] == "layer"].assign(network=path.parts[-3]))
    if not reports:
        return pd.DataFrame()
    watched = ["np_balwani", "overlap", "beta0"]
    groups = pd.concat(reports).groupby(["network", "epoch", "layer"], sort=False)[watched]
    table = groups.agg(["mean", "std"])
    table.columns = ["_".join(column) for column in table.columns]
    return table.assign(n_seeds=groups.size()).reset_index()


def write_tables(work: Path, folder: Path) -> None:
    """Write each table whose reports are there."""
    folder.mkdir(exist_ok=True)
    tables = {"excess": excess_table, "accuracy": accuracy_table, "rounds": rounds_table, "training": training_table}
    for name, make in tables.items():
        table = make(work)
        if not table.empty:
            table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
