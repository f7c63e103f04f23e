"""The table of docs/real-checkpoints.md, in Markdown, from the records in benchmarks/real_checkpoints.csv."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from real_cases import CASES
from study_page import markdown

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/real-checkpoints.md"
RECORDS = HERE / "real_checkpoints.csv"

BEGIN = "<!-- The table is made by make real-checkpoints. -->"
END = "<!-- End of the table. -->"

HEADER = ("family", "package and file", "layers", "share of the weights", "left out, and the first name", "pruned file")


def records_table(records: pd.DataFrame) -> str:
    """Return a row for each checkpoint, in Markdown."""
    families = {case.name: case.family for case in CASES}
    lines = []
    for record in records.astype(object).where(records.notna(), None).to_dict("records"):
        package = f"{record['package']} {record['version']}, `{record['file'].rsplit('/', 1)[-1]}`"
        read = record["n_tensors"] is not None
        shown = (f"{record['n_layers']:.0f}", f"{share(record):.1%}", record["left_out"]) if read else ("", "", "")
        lines.append((families[record["name"]], package, *shown, verdict(record)))
    return markdown(HEADER, lines)


def summary(records: pd.DataFrame) -> str:
    """Return how many checkpoints there are, and how many of them were pruned, loaded and run, in one sentence."""
    pruned = records[records["refused"].isna()]
    loaded, ran = ((pruned[column] == True).sum() for column in ("loads", "runs"))  # noqa: E712 - blank is neither
    return (
        f"Of {len(records)} files of {records['package'].nunique()} packages, {len(pruned)} were pruned. "
        f"The owners' code loaded {loaded} of these and ran {ran}."
    )


def share(record: Mapping[str, Any]) -> float:
    """Return which share of a checkpoint's numbers are weights of layers."""
    return record["n_weights"] / record["n_numbers"]


def verdict(record: Mapping[str, Any]) -> str:
    """Return, in a few words, whether the owner's code loads the pruned file, or why topoimp wrote none."""
    if record["refused"]:
        return f"none: {record['refused']}"
    if record["loads"] is None:
        return "not tried"
    if not record["loads"]:
        return "does not load"
    if not record["same_otherwise"]:
        return "differs in more than zeros"
    unread = f"; {record['n_unread']:.0f} of the pruned tensors are unread" if record["n_unread"] else ""
    return f"{'loads and runs' if record['runs'] else 'loads'}{unread}"


def with_table(page: str, records: pd.DataFrame) -> str:
    """Return the page with the table of these records in place of the one it has."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no place for the table, between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{summary(records)}\n\n{records_table(records)}\n\n{END}{after}"
