"""The columns of the forest: the share of it that is kept, and the share that chance would keep."""

from collections.abc import Mapping

from topoimp.reports.cells import Column
from topoimp.reports.described import count, flag, number, share, text

FORESTS: Mapping[str, Column] = {
    "forest_guaranteed": count("Forest edges among the n_kept strongest weights, at least, of any layer."),
    "forest_random": number("Forest edges that a random mask of n_kept edges keeps on average."),
    "forest_iid": number(
        "Forest edges among the n_kept strongest weights, on average, if magnitudes are independent and alike; blank "
        "where too many edges would be simulated."
    ),
    "forest_kept": count("Forest edges among the n_kept strongest weights."),
    "overlap": share(
        "Share of the forest's edges among the floor strongest weights; network: of all forests, each in its layer."
    ),
    "overlap_bound": share(
        "Lower bound of the mean share of the forest's edges among the n_kept strongest weights, if every order of the "
        "magnitudes is equally likely; beside `overlap` among the floor strongest."
    ),
    "random_connected": share(
        "Approximate probability that a random mask of density n_kept / n_edges leaves all rows and columns with edges "
        "connected; blank if zeros lie among them."
    ),
    "random_threshold": share("Density near which random masks disconnect the layer; blank if it has zeros."),
    "beta0_kept": flag("Whether beta0 equals that of the reference."),
    "barcode_kept": flag("Whether all bars are exactly those of the reference."),
    "retention": share("Share of the reference's forest edges that are kept."),
    "retention_guaranteed": share("Smallest retention of the n_kept strongest weights in any layer of this shape."),
    "retention_iid": share(
        "Mean retention of the n_kept strongest weights if magnitudes are independent and alike; blank where too many "
        "edges would be simulated."
    ),
    "retention_random": share("Mean retention of n_kept edges chosen at random."),
    "null": text("Null model that the row is compared with, as the setting `null` names it."),
    "retention_null": share("Mean retention under the null model."),
    "excess": share("retention - retention_null; without `null` retention - retention_iid."),
    "excess_low": share(
        "retention - the largest of the central 95 % of retentions under the null model; blank below 39 simulations."
    ),
    "excess_high": share(
        "retention - the smallest of the central 95 % of retentions under the null model; blank below 39 simulations."
    ),
    "z_score": number(
        "excess in standard deviations of the null model; blank if the other does not keep the strongest weights of "
        "the reference, but for the model `random`."
    ),
    "p_value": number(
        "Two-sided p-value of retention under the null model, at least 2 / (N + 1) of N simulations; blank as z_score."
    ),
    "p_holm": number(
        "p_value, corrected by Holm's method for all rows of one null model and one level in the report; of rounds, "
        "for those of one pruning of a seed; of several checkpoints, for those of each."
    ),
    "uninformative": flag(
        "Whether the null model leaves nothing to find: retention_null is above 99 %, or its deviation is 0."
    ),
    "mask_overlap": share("Weights that are nonzero in both / weights that are nonzero in either."),
    "forest_overlap": share("Edges in both forests / edges in either: the reference's and the other's."),
    "dead_rows": count("Rows without an edge, each a component of its own."),
    "dead_columns": count("Columns without an edge, each a component of its own."),
    "dead_rows_reference": count("Rows of the reference without an edge."),
    "dead_columns_reference": count("Columns of the reference without an edge."),
}
"""Retention, chance and overlap."""
