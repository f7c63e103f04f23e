"""The tables and the sentences about them of docs/real-models.md, from the records in benchmarks/real_models.csv."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from models_cases import MINILM, MODELS, ORIGINAL, REPAIRED, RESEMBLYZER, SILERO, WANDA
from study_page import markdown

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/real-models.md"
RECORDS = HERE / "real_models.csv"


@dataclass(frozen=True)
class Measure:
    """One measure as the page shows it.

    Args:
        name: name in the records.
        header: header of its column.
        larger_is_better: whether a larger number means less loss.
        decimals: digits after the point.
    """

    name: str
    header: str
    larger_is_better: bool = True
    decimals: int = 3

    def shown(self, record: pd.Series) -> str:
        """Return the measure of a record with its interval."""
        return spread(record["value"], record["low"], record["high"], self.decimals)


MEASURES = {
    MINILM: (
        Measure("cosine", "mean cosine"),
        Measure("neighbour", "share with the same nearest sentence"),
    ),
    RESEMBLYZER: (Measure("error", "equal error rate", larger_is_better=False),),
    SILERO: (
        Measure("agreement", "share of frames decided alike"),
        Measure("difference", "mean difference of probabilities", larger_is_better=False),
    ),
}
"""The measures of each model; the first is the one by which prunings are compared."""


def begin(model: str) -> str:
    """Return the line behind which a model's table stands."""
    return f"<!-- {model}: made by make real-models. -->"


END = "<!-- End of the table. -->"


def spread(value: float, low: float, high: float, decimals: int, sign: str = "") -> str:
    """Return a number with its 95 % interval."""
    number, *ends = (f"{each:{sign}.{decimals}f}" for each in (value, low, high))
    return f"{number} [{', '.join(ends)}]"


def table(records: pd.DataFrame, model: str) -> str:
    """Return a row for each pruning of a model, in Markdown."""
    measures = MEASURES[model]
    first = measures[0]
    header = (
        "sparsity", "pruning", "density of the layers", "least of a layer", "of the checkpoint", "forest edges missing",
        *(measure.header for measure in measures), f"{first.header}, less that of",
    )  # fmt: skip
    lines = []
    for (sparsity, pruning), rows in of_model(records, model).groupby(["sparsity", "pruning"], sort=False):
        by_measure = rows.set_index("measure")
        record = by_measure.loc[first.name]
        densities = (f"{record[column]:.1%}" for column in ("density", "smallest_density", "checkpoint_density"))
        missing = f"{record['n_missing']:,.0f} of {record['n_forest']:,.0f}"
        values = (measure.shown(by_measure.loc[measure.name]) for measure in measures)
        lines.append((f"{sparsity:.0%}", str(pruning), *densities, missing, *values, difference(record, first)))
    return markdown(header, lines)


def of_model(records: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the records of a model's prunings."""
    return records[(records["model"] == model) & (records["pruning"] != ORIGINAL)]


def yardstick(records: pd.DataFrame, model: str, measure: str) -> pd.Series:
    """Return the record of a yardstick: a number of the original model."""
    found = records[(records["model"] == model) & (records["pruning"] == ORIGINAL) & (records["measure"] == measure)]
    return found.iloc[0]


def difference(record: pd.Series, measure: Measure) -> str:
    """Return the difference from the pruning that a record is compared with; blank where there is none."""
    if pd.isna(record["versus"]):
        return ""
    ends = (record["difference_low"], record["difference_high"])
    versus = "the original" if record["versus"] == ORIGINAL else record["versus"]
    return f"{versus}: {spread(record['difference'], *ends, measure.decimals + 1, sign='+')}"


def verdict(record: pd.Series, measure: Measure) -> str:
    """Return whether a pruning is better or worse than the one beside it; neither if the interval holds 0."""
    if record["difference_low"] == record["difference"] == record["difference_high"] == 0:
        return "equal"
    if record["difference_low"] <= 0 <= record["difference_high"]:
        return "not distinguishable"
    is_better = (record["difference"] > 0) == measure.larger_is_better
    smallest = 10.0**-measure.decimals
    size = abs(record["difference"])
    amount = f"{size:.{measure.decimals}f}" if size >= smallest else f"less than {smallest:g}"
    return f"{'better' if is_better else 'worse'} by {amount}"


def originals(records: pd.DataFrame, model: str) -> str:
    """Return the sentence about the original model."""
    if model == MINILM:
        record = yardstick(records, model, "cosine of others")
        return (
            f"For n = {record['n']:.0f} sentences. In the original model the mean cosine between a sentence and "
            f"the others is {spread(record['value'], record['low'], record['high'], 3)}; a model that mixes up the "
            "sentences would reach no more."
        )
    if model == RESEMBLYZER:
        record = yardstick(records, model, "error")
        return (
            f"For n = {record['n']:.0f} voices. The equal error rate of the original model is "
            f"{spread(record['value'], record['low'], record['high'], 3)}; one that guesses has 0.5."
        )
    speech, truth = (yardstick(records, model, name) for name in ("speech", "truth"))
    return (
        f"For n = {speech['n']:.0f} clips. The original model hears speech in {speech['value']:.1%} of the frames, so "
        f"that a detector that never hears any agrees with it in {1 - speech['value']:.1%}. Its decision is right, by "
        f"where the clips have speech, in {truth['value']:.1%}."
    )


def findings(records: pd.DataFrame, model: str) -> str:
    """Return a list of sentences on how the prunings of a model compare, by the first measure."""
    measure = MEASURES[model][0]
    rows = of_model(records, model)
    rows = rows[rows["measure"] == measure.name]

    lines = [extremes(at_sparsity, measure) for _, at_sparsity in rows.groupby("sparsity", sort=False)]
    for pruning, of_pruning in rows[rows["versus"].notna()].groupby("pruning", sort=False):
        versus = of_pruning["versus"].iloc[0]
        beside = "the original" if versus == ORIGINAL else versus
        verdicts = (f"{verdict(record, measure)} at {record['sparsity']:.0%}" for _, record in of_pruning.iterrows())
        lines.append(f"{pruning}, beside {beside}: {', '.join(verdicts)}.")
    if model == SILERO:
        lines.append(silenced(rows, 1 - yardstick(records, model, "speech")["value"]))
    if WANDA in set(rows["pruning"]):
        lines.append(wanda(rows))
    return "\n".join(f"- {line}" for line in lines)


def extremes(rows: pd.DataFrame, measure: Measure) -> str:
    """Return which prunings have the best and the worst measure at one sparsity, as far as the page's digits tell."""
    shown = rows["value"].round(measure.decimals)
    best, worst = (shown.max(), shown.min()) if measure.larger_is_better else (shown.min(), shown.max())
    parts = []
    for word, value in (("best", best), ("worst", worst)):
        names = "; ".join(rows.loc[shown == value, "pruning"])
        parts.append(f"{word} {value:.{measure.decimals}f} ({names})")
    return f"{measure.header.capitalize()} at {rows['sparsity'].iloc[0]:.0%}: {', '.join(parts)}."


def silenced(rows: pd.DataFrame, without_speech: float) -> str:
    """Return which prunings agree with the original no more often than a detector that never hears speech."""
    names = [
        f"{record['pruning']} at {record['sparsity']:.0%}"
        for _, record in rows.iterrows()
        if round(record["value"], 5) <= round(without_speech, 5)
    ]
    return f"No better than a detector that never hears speech: {'; '.join(names) if names else 'none'}."


def wanda(rows: pd.DataFrame) -> str:
    """Return how many forest edges Wanda's masks miss, and how many the repair brings back."""
    masked, repaired = (rows[rows["pruning"] == name] for name in (WANDA, REPAIRED))
    missing = (
        f"{record['n_missing']:,.0f} ({record['n_missing'] / record['n_forest']:.1%}) at {record['sparsity']:.0%}"
        for _, record in masked.iterrows()
    )
    back = (f"{number:,.0f}" for number in repaired["n_repaired"])
    return (
        f"Of {masked['n_forest'].iloc[0]:,.0f} forest edges, {WANDA} misses {' and '.join(missing)}; "
        f"the repair brings back {' and '.join(back)}."
    )


def section(records: pd.DataFrame, model: str) -> str:
    """Return the table of a model, with the sentences before and after it."""
    return "\n\n".join([originals(records, model), table(records, model), findings(records, model)])


def with_tables(page: str, records: pd.DataFrame) -> str:
    """Return the page with the tables of these records in place of those that it has."""
    for model in MODELS:
        before, mark, rest = page.partition(begin(model.name))
        _, end, after = rest.partition(END)
        if not (mark and end):
            raise ValueError(f"the page has no place for {model.name}, between {begin(model.name)} and {END}")
        page = f"{before}{mark}\n\n{section(records, model.name)}\n\n{END}{after}"
    return page
