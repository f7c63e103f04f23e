"""Print barcodes: the table, the findings of GUDHI's check, and the list of tensors."""

from topoimp.choices import View
from topoimp.reports.report import Report

from .checkpoint_tables import show_checkpoints, subject_of
from .output import first_names, for_people, in_view, show_table
from .role_tables import By


def checked(report: Report) -> list[str]:
    """Return the number of layers in which GUDHI finds the same bars, and the layers that were not checked."""
    if "check_limit" not in report.settings:
        return []
    checked = [row for row in report.layers if row["gudhi_agrees"]]
    findings = [f"GUDHI finds the same bars in {len(checked)} of {len(report.layers)} layers"]
    too_large = [str(row["layer"]) for row in report.layers if not row["gudhi_agrees"]]
    if too_large:
        limit = f"{report.settings['check_limit']:,}"
        findings.append(f"not checked, as they have more than {limit} edges: {first_names(too_large)}")
    return findings


def as_one_graph(report: Report) -> list[str]:
    """Return the sentence about the network as one graph, if a chain says how its layers follow one another.

    Several checkpoints have their values in the table. Weights on no path are counted if all layers of the chain, and
    no others, are in the report.
    """
    chain = report.settings.get("chain")
    if not isinstance(chain, list) or "checkpoint" in report.network:
        return []
    found = report.network
    values = [f"neural persistence {found['np_glued']:.4f}"]
    if found["np_deep"] is not None:
        values.append(f"deep graph persistence {found['np_deep']:.4f}")
    values.append(f"beta0 {found['beta0_glued']:,}")
    if {row["layer"] for row in report.layers} == set(chain):
        n_off_path = found["n_off_path"]
        values.append("1 weight on no path" if n_off_path == 1 else f"{n_off_path:,} weights on no path")
    return [f"the chain as one graph: {', '.join(values)}"]


def show_barcodes(report: Report, by: By) -> None:
    """Print a row for each layer or role and for the network; of several checkpoints, the networks."""
    convention, scale, p = report.settings["np_convention"], report.settings["scale"], report.settings["p"]
    columns = {
        "layer": "layer",
        "size": "size",
        "dtype": "type",
        "density": "density",
        "beta0": "beta0",
        "floor": "finite bars",
        "median_death": "median death",
        "last_death": "last death",
    }
    is_spatial = report.settings["view"] == View.SPATIAL
    if is_spatial:
        images = {"layer": "layer", "input_size": "input", "n_filters": "filters"}
        columns = {**images, **{name: header for name, header in columns.items() if name != "density"}}
    if scale != "none":
        column = f"np_{str(convention).replace('-', '_')}"
        named = f"{convention}" if p == 2 else f"{convention}, p = {p:g}"
        columns[column] = f"neural persistence ({named})"
        if is_spatial:
            columns |= {column: f"mean neural persistence ({named})", f"{column}_total": "sum"}
    if "chain" in report.settings and "checkpoint" in report.network:
        columns |= {"np_glued": "of the chain", "np_deep": "deep", "n_off_path": "off path"}
    if "check_limit" in report.settings:
        columns["gudhi_agrees"] = "GUDHI agrees"
    graph = "layer or filter" if is_spatial and scale == "layer" else scale
    unit = "strengths as stored" if scale == "none" else f"deaths divided by the largest strength of the {graph}"
    show_checkpoints(
        f"{subject_of(report)}: {unit}{in_view(report)}",
        columns,
        for_people(report.rows),
        by,
        dispensable=_DISPENSABLE,
    )


_DISPENSABLE = ("dtype", "size", "input_size", "n_filters", "density", "median_death", "floor", "beta0", "n_layers")
"""Columns that a table of roles can do without, in the order in which they go."""


def show_list(report: Report) -> None:
    """Print a row for each tensor of each checkpoint."""
    columns = {
        "layer": "tensor",
        "dtype": "type",
        "shape": "shape",
        "selected": "layer",
        "pruned_by_default": "pruned by default",
        "rule": "rule",
        "reason": "why not",
    }
    for path in report.inputs.values():
        rows = [row for row in report.rows if row.get("checkpoint", str(path)) == str(path)]
        show_table(str(path), columns, rows)
