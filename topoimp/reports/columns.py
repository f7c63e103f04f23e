"""The columns of all reports: their order, their meaning, and the kind of value that they hold.

No report has a column that is not described here, so names and meanings stay stable. Each group of columns has a file.
"""

from collections.abc import Mapping
from types import MappingProxyType

from topoimp.reports.barcode_columns import BARCODE_DISTANCES, ONE_GRAPH, SUMMARIES
from topoimp.reports.cells import Column
from topoimp.reports.forest_columns import FORESTS
from topoimp.reports.subject_columns import SUBJECTS
from topoimp.reports.training_columns import STATISTICS, TRAINING
from topoimp.reports.weight_columns import WEIGHTS

COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        **SUBJECTS,
        **WEIGHTS,
        **FORESTS,
        **SUMMARIES,
        **TRAINING,
        **BARCODE_DISTANCES,
        **STATISTICS,
        **ONE_GRAPH,
    }
)
"""Every column of a report, in the order in which CSV lists them."""
