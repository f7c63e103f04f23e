"""The sentences of docs/real-models.md: benchmarks/models/sentences.tsv, written for it, in ten styles.

The sentences of use ``evaluation`` measure the models; those of use ``calibration`` give Wanda its activations.
"""

from pathlib import Path

import pandas as pd

SENTENCES = Path(__file__).resolve().parent / "models/sentences.tsv"


def sentences(use: str) -> list[str]:
    """Return the sentences of a use, in the order of the file."""
    table = pd.read_csv(SENTENCES, sep="\t")
    return list(table.loc[table["use"] == use, "sentence"])
