"""What the reports, pictures and pages that commands write contain."""

import json
import re

from topoimp.reports.size_columns import SIZES

OF_FILES = ("n_checkpoint_weights", "checkpoint_density", "squared_norm_kept", "bytes", "bytes_mask")
"""Columns of prune that a checkpoint on the disk has, as it was before and as it is written."""


def without_sizes(report):
    """The rows of a report without the sizes of files, which differ with the headers and the formats of the files."""
    return without_columns(report.rows, SIZES)


def without_columns(rows, names):
    """The rows of a report without some columns."""
    return [{name: cell for name, cell in row.items() if name not in names} for row in rows]


def texts(path):
    """The texts of an SVG; matplotlib draws letters as outlines, and writes the text as a comment."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))


def report_in(path):
    """The JSON report that a page holds."""
    return json.loads(re.search(r'id="report">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)[1])


def tables_in(path):
    """The rows of the further tables of a page, by name."""
    return json.loads(re.search(r'id="tables">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)[1])


def figures_in(path):
    """The names of the figures of a page, in its order."""
    return re.findall(r'<figure id="figure-([^"]*)"', path.read_text(encoding="utf-8"))
