"""The columns of counts of weights: kept and needed, and how far they can be pruned."""

from collections.abc import Mapping

from topoimp.reports.cells import Column
from topoimp.reports.described import count, flag, number, share, text

WEIGHTS: Mapping[str, Column] = {
    "n_filters": count("Filters of a convolution in the view `spatial`; blank for a dense layer."),
    "n_vertices": count("Vertices of the layer's graph: its rows and columns together."),
    "n_weights": count("Weights, stored zeros included."),
    "n_edges": count(
        "Weights of the input (in `compare`: of the reference) that are not zero; of a convolution in the view "
        "`spatial` the edges of one filter's graph (`bound`) or of all filters' (`barcode`), which share weights."
    ),
    "target": count("Weights to keep in this round; blank in a layer row of scope `global`."),
    "n_kept": count("Weights kept, or nonzero in the other checkpoint; a stored zero is not kept."),
    "density": share("n_kept / n_weights; in `barcode` n_edges / n_weights; in `bound` the requested share."),
    "sparsity": share("1 - density."),
    "compression_ratio": number("1 / density."),
    "n_checkpoint_weights": count(
        "Numbers in all floating-point tensors of the checkpoint, selected or not, biases and norms too; data that "
        "tensors share count once."
    ),
    "checkpoint_density": share(
        "Share of n_checkpoint_weights that is kept: the n_kept of the selected layers, and all of the rest, stored "
        "zeros included."
    ),
    "squared_norm_kept": share(
        "Sum of w^2 over the kept weights (in `compare`: over the reference's that the other has) / sum over all: 1 - "
        "the relative squared Frobenius error. Blank for a layer of zeros, in `compare` with scores, and in rounds "
        "that are not written, but for weights of 16 bits or less under `topological` and `magnitude`, scope `row` and "
        "`pattern` excepted."
    ),
    "beta0": count("Connected components of the kept graph; an isolated row or column is a component."),
    "beta0_reference": count("Connected components of the reference."),
    "beta1": count("Independent cycles of the kept graph."),
    "largest_component": count(
        "Rows and columns of the largest connected component; network: of the largest in any layer."
    ),
    "floor": count(
        "Fewest weights (in the view `spatial`: edges) that can keep the barcode: the edges of the (reference's) "
        "forest."
    ),
    "n_repaired": count(
        "Edges of the forest that the given mask lacks, and the repaired one keeps (`repair` of prune)."
    ),
    "n_forest_unfit": count(
        "Edges of the forest that do not fit in the blocks of `pattern`: those beyond N of a block; 0 if all fit, and "
        "`topological` then keeps the barcode. Only with `pattern`."
    ),
    "n_forest_added": count(
        "Weights that `topological` keeps and `magnitude` drops at the same targets, all of them edges of the forest; "
        "network: 0 if both keep the same weights. Blank where another method decides."
    ),
    "floor_binds": flag(
        "Whether the floor holds the layer above its target, or (scope `global`) leaves only its forest; network: "
        "whether a target was missed because of a floor."
    ),
    "critical_density": share("floor / n_edges: the smallest share of the edges that can keep the barcode."),
    "critical_compression": number("n_edges / floor: the largest compression that can keep the barcode."),
    "largest": number("Largest magnitude of a weight."),
    "scale": number("Number by which magnitudes are divided to give deaths; 1 with the scale `none`."),
    "median_death": number("Median death of the finite bars; a death is magnitude / scale."),
    "last_death": number("Death of the last finite bar: tau / scale."),
    "tau": number(
        "Magnitude of the forest's last edge: dropping weights below t keeps the barcode if and only if t <= tau."
    ),
    "certificate": number(
        "Smallest, over rows and columns with an edge, of their largest magnitude: an upper bound of tau."
    ),
    "certificate_tight": flag("Whether certificate equals tau; if not, the last forest edge joins larger components."),
    "safe_count": count("Fewest strongest weights that keep the barcode; network: the sum over the layers."),
    "safe_sparsity": share("1 - safe_count / n_weights."),
    "safe_count_row": count(
        "Weights from which on magnitude pruning, scope `row`, keeps the barcode; of equal magnitudes, fewer may do."
    ),
    "safe_sparsity_row": share("1 - safe_count_row / n_weights."),
    "safe_count_global": count("Fewest strongest weights of the whole network that keep every layer's barcode."),
    "safe_sparsity_global": share("1 - safe_count_global / n_weights."),
    "safe_sparsity_checkpoint": share(
        "Share of n_checkpoint_weights that is pruned where safe_count_global weights of the selected layers are left."
    ),
    "binding_layer": text("Layer whose last forest edge comes latest in the order of all weights."),
    "binding_vertex": text("Row or column that the last forest edge attaches; blank if it joins larger components."),
    "rate": share("Share that one round removes: of the remaining weights; `linear`: of the edges at round 0."),
    "rounds_to_floor": count("Rounds at `rate` that fit above the floor; network: above every floor."),
    "rounds_to_floor_global": count("Rounds at `rate` that fit above the floors with one target for all."),
    "safe_rounds": count("Rounds of magnitude pruning at `rate` that keep the barcode; network: all barcodes."),
    "safe_rounds_row": count("Rounds of magnitude pruning at `rate`, scope `row`, that keep the barcode."),
    "safe_rounds_global": count("Rounds of magnitude pruning at `rate`, scope `global`, that keep all barcodes."),
    "input_size": text(
        "Image under a convolution: sides, stride and padding (`same`: as many outputs as inputs at stride 1)."
    ),
}
"""Counts, densities, floors and bounds."""
