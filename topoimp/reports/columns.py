"""The columns of all reports: their order, their meaning, and the kind of value that they hold.

No report has a column that is not described here, so names and meanings stay stable.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from topoimp.reports.cells import Column, Kind


def _of(kind: Kind) -> Callable[[str], Column]:
    return lambda meaning: Column(meaning, kind)


_text, _flag, _index, _count, _share, _number = map(_of, Kind)

_COLUMNS = {
    "level": _text(
        "Subject of the row: `layer`, `network` (all selected layers), `density` (`bound`), or the sum of all "
        "`convolutions` or all `dense` layers (`bound` in the view `spatial`)."
    ),
    "method": _text("Rule that chooses the weights to keep: a built-in method, or the name of a function of the user."),
    "epsilon": _number(
        "Share of the largest magnitude of the pruned layers up to which `topological` protects no death; blank for "
        "other methods."
    ),
    "scope": _text(
        "`layer` if each layer has its own target; `global` if all layers share one target; `erk` if the shapes of the "
        "layers split a shared one."
    ),
    "schedule": _text("`geometric` if a round removes a share of the remaining weights; `linear` if the same number."),
    "rewind": _text(
        "Weights from which each round's training starts: `step:K` of the recipe, `none` for those of the last round, "
        "or the checksum of a checkpoint."
    ),
    "seed": _index("Seed of the initial weights, of the image order, and of the permutations of `random`."),
    "round": _index("Round of pruning, counted from 1; round 0 is the unpruned network."),
    "pruning": _text(
        "Name of a pruning's folder: the method, with epsilon, scope, schedule and rewinding if not usual."
    ),
    "baseline": _text("Name of the pruning that is subtracted from `pruning`, seed by seed."),
    "checkpoint": _text("Path of the checkpoint, if several are given (`barcode`, `bound`)."),
    "other": _text("Path of the checkpoint or mask that is compared with the reference; a round's folder."),
    "layer": _text("Name of the layer; blank in a network row."),
    "rows": _count(
        "Rows of the layer: the length of its first axis (a convolution's output positions in the view `spatial`)."
    ),
    "columns": _count(
        "Columns of the layer: its other axes together (input channels in the view `channel`; positions of a "
        "convolution's padded input in the view `spatial`)."
    ),
    "shape": _text("Shape of the tensor, as in 64x3x3x3."),
    "dtype": _text("Number format of the weights, as safetensors names it."),
    "view": _text("View in which the tensor is a graph: `matrix`, `channel` or `spatial`."),
    "selected": _flag("Whether the command reads the tensor as a layer."),
    "pruned_by_default": _flag("Whether `prune`, without options that select layers, takes the tensor as a layer."),
    "rule": _text("Name of the rule that decided (docs/layers.md); `weights` if the tensor is pruned by default."),
    "reason": _text("Reason why the tensor is left out, or is not pruned by default."),
    "n_filters": _count("Filters of a convolution in the view `spatial`; blank for a dense layer."),
    "n_vertices": _count("Vertices of the layer's graph: its rows and columns together."),
    "n_weights": _count("Weights, stored zeros included."),
    "n_edges": _count(
        "Weights of the input (in `compare`: of the reference) that are not zero; of a convolution in the view "
        "`spatial` the edges of one filter's graph (`bound`) or of all filters' (`barcode`), which share weights."
    ),
    "target": _count("Weights to keep in this round; blank in a layer row of scope `global`."),
    "n_kept": _count("Weights kept, or nonzero in the other checkpoint; a stored zero is not kept."),
    "density": _share("n_kept / n_weights; in `barcode` n_edges / n_weights; in `bound` the requested share."),
    "sparsity": _share("1 - density."),
    "compression_ratio": _number("1 / density."),
    "beta0": _count("Connected components of the kept graph; an isolated row or column is a component."),
    "beta0_reference": _count("Connected components of the reference."),
    "beta1": _count("Independent cycles of the kept graph."),
    "largest_component": _count(
        "Rows and columns of the largest connected component; network: of the largest in any layer."
    ),
    "floor": _count(
        "Fewest weights (in the view `spatial`: edges) that can keep the barcode: the edges of the (reference's) "
        "forest."
    ),
    "n_repaired": _count(
        "Edges of the forest that the given mask lacks, and the repaired one keeps (`repair` of prune)."
    ),
    "floor_binds": _flag(
        "Whether the floor holds the layer above its target, or (scope `global`) leaves only its forest; network: "
        "whether a target was missed because of a floor."
    ),
    "critical_density": _share("floor / n_edges: the smallest share of the edges that can keep the barcode."),
    "critical_compression": _number("n_edges / floor: the largest compression that can keep the barcode."),
    "largest": _number("Largest magnitude of a weight."),
    "scale": _number("Number by which magnitudes are divided to give deaths; 1 with the scale `none`."),
    "median_death": _number("Median death of the finite bars; a death is magnitude / scale."),
    "last_death": _number("Death of the last finite bar: tau / scale."),
    "tau": _number(
        "Magnitude of the forest's last edge: dropping weights below t keeps the barcode if and only if t <= tau."
    ),
    "certificate": _number(
        "Smallest, over rows and columns with an edge, of their largest magnitude: an upper bound of tau."
    ),
    "certificate_tight": _flag("Whether certificate equals tau; if not, the last forest edge joins larger components."),
    "safe_count": _count("Fewest strongest weights that keep the barcode; network: the sum over the layers."),
    "safe_sparsity": _share("1 - safe_count / n_weights."),
    "safe_count_global": _count("Fewest strongest weights of the whole network that keep every layer's barcode."),
    "safe_sparsity_global": _share("1 - safe_count_global / n_weights."),
    "binding_layer": _text("Layer whose last forest edge comes latest in the order of all weights."),
    "binding_vertex": _text("Row or column that the last forest edge attaches; blank if it joins larger components."),
    "rate": _share("Share that one round removes: of the remaining weights; `linear`: of the edges at round 0."),
    "rounds_to_floor": _count("Rounds at `rate` that fit above the floor; network: above every floor."),
    "rounds_to_floor_global": _count("Rounds at `rate` that fit above the floors with one target for all."),
    "safe_rounds": _count("Rounds of magnitude pruning at `rate` that keep the barcode; network: all barcodes."),
    "safe_rounds_global": _count("Rounds of magnitude pruning at `rate`, scope `global`, that keep all barcodes."),
    "input_size": _text(
        "Image under a convolution: sides, stride and padding (`same`: as many outputs as inputs at stride 1)."
    ),
    "forest_guaranteed": _count("Forest edges among the n_kept strongest weights, at least, of any layer."),
    "forest_random": _number("Forest edges that a random mask of n_kept edges keeps on average."),
    "forest_iid": _number(
        "Forest edges among the n_kept strongest weights, on average, if magnitudes are independent and alike; blank "
        "where too many edges would be simulated."
    ),
    "forest_kept": _count("Forest edges among the n_kept strongest weights."),
    "overlap": _share(
        "Share of the forest's edges among the floor strongest weights; network: of all forests, each in its layer."
    ),
    "overlap_bound": _share(
        "Lower bound of the mean share of the forest's edges among the n_kept strongest weights, if every order of the "
        "magnitudes is equally likely; beside `overlap` among the floor strongest."
    ),
    "random_connected": _share(
        "Approximate probability that a random mask of density n_kept / n_edges leaves all rows and columns with edges "
        "connected; blank if zeros lie among them."
    ),
    "random_threshold": _share("Density near which random masks disconnect the layer; blank if it has zeros."),
    "beta0_kept": _flag("Whether beta0 equals that of the reference."),
    "barcode_kept": _flag("Whether all bars are exactly those of the reference."),
    "retention": _share("Share of the reference's forest edges that are kept."),
    "retention_guaranteed": _share("Smallest retention of the n_kept strongest weights in any layer of this shape."),
    "retention_iid": _share(
        "Mean retention of the n_kept strongest weights if magnitudes are independent and alike; blank where too many "
        "edges would be simulated."
    ),
    "retention_random": _share("Mean retention of n_kept edges chosen at random."),
    "null": _text("Null model that the row is compared with, as the setting `null` names it."),
    "retention_null": _share("Mean retention under the null model."),
    "excess": _share("retention - retention_null; without `null` retention - retention_iid."),
    "excess_low": _share(
        "retention - the largest of the central 95 % of retentions under the null model; blank below 39 simulations."
    ),
    "excess_high": _share(
        "retention - the smallest of the central 95 % of retentions under the null model; blank below 39 simulations."
    ),
    "z_score": _number(
        "excess in standard deviations of the null model; blank if the other does not keep the strongest weights of "
        "the reference, but for the model `random`."
    ),
    "p_value": _number(
        "Two-sided p-value of retention under the null model, at least 2 / (N + 1) of N simulations; blank as z_score."
    ),
    "p_holm": _number(
        "p_value, corrected by Holm's method for all rows of one null model and one level in the report; of rounds, "
        "for those of one pruning of a seed; of several checkpoints, for those of each."
    ),
    "uninformative": _flag(
        "Whether the null model leaves nothing to find: retention_null is above 99 %, or its deviation is 0."
    ),
    "mask_overlap": _share("Weights that are nonzero in both / weights that are nonzero in either."),
    "forest_overlap": _share("Edges in both forests / edges in either: the reference's and the other's."),
    "dead_rows": _count("Rows without an edge, each a component of its own."),
    "dead_columns": _count("Columns without an edge, each a component of its own."),
    "dead_rows_reference": _count("Rows of the reference without an edge."),
    "dead_columns_reference": _count("Columns of the reference without an edge."),
    "np_rieck": _number(
        "Neural persistence, convention `rieck`, at the checkpoint's own scale; network: mean over the layers; "
        "a convolution in the view `spatial`: mean over its filters."
    ),
    "np_rieck_reference": _number(
        "Neural persistence of the reference, convention `rieck`, at its own scale; network: mean."
    ),
    "np_rieck_total": _number(
        "Sum over the layers of np_rieck; of a convolution in the view `spatial` the sum over its filters; blank in "
        "other layer rows."
    ),
    "np_rieck_total_reference": _number("Sum over the layers of np_rieck_reference; blank in a layer row."),
    "np_rieck_finite": _number(
        "Neural persistence, convention `rieck-finite`, at the checkpoint's own scale; network: mean over the layers; "
        "a convolution in the view `spatial`: mean over its filters."
    ),
    "np_rieck_finite_reference": _number(
        "Neural persistence of the reference, convention `rieck-finite`, at its own scale; network: mean."
    ),
    "np_rieck_finite_total": _number(
        "Sum over the layers of np_rieck_finite; of a convolution in the view `spatial` the sum over its filters; "
        "blank in other layer rows."
    ),
    "np_rieck_finite_total_reference": _number(
        "Sum over the layers of np_rieck_finite_reference; blank in a layer row."
    ),
    "np_balwani": _number(
        "Neural persistence, convention `balwani`, at the layer's own scale; network: mean over the layers; "
        "a convolution in the view `spatial`: mean over its filters."
    ),
    "np_balwani_reference": _number(
        "Neural persistence of the reference, convention `balwani`, at the layer's own scale; network: mean."
    ),
    "np_balwani_total": _number(
        "Sum over the layers of np_balwani; of a convolution in the view `spatial` the sum over its filters; blank in "
        "other layer rows."
    ),
    "np_balwani_total_reference": _number("Sum over the layers of np_balwani_reference; blank in a layer row."),
    "total_persistence": _number(
        "Sum over all bars of persistence^p, without a root, at the row's scale; an essential bar has persistence 1 "
        "(with the scale `none` the network's largest magnitude); network: sum over the layers."
    ),
    "persistent_entropy": _number(
        "Entropy in nats of the persistences divided by their sum, at the row's scale; an essential bar counts as in "
        "total_persistence; network: of the bars of all layers together."
    ),
    "gudhi_agrees": _flag("Whether GUDHI finds the same bars (network: of every layer); blank if unchecked."),
    "epoch": _index("Passes over the training set."),
    "step": _count("Training steps from the beginning."),
    "train_loss": _number("Mean cross-entropy over the epoch's training steps, in nats."),
    "test_loss": _number("Mean cross-entropy on the test set, in nats."),
    "test_accuracy": _share("Share of the test set that is classified correctly."),
    "round_beta0_kept": _flag("Whether the round's mask kept beta0 of the weights that it was found on."),
    "round_barcode_kept": _flag("Whether the round's mask kept all bars of the weights that it was found on."),
    "round_retention": _share("Share of the forest of the weights before the round that the round's mask kept."),
    "round_retention_guaranteed": _share(
        "Smallest round_retention of the n_kept strongest weights in any layer of this shape."
    ),
    "round_retention_iid": _share(
        "Mean round_retention of the n_kept strongest weights if magnitudes before the round are independent and "
        "alike; blank where too many edges would be simulated."
    ),
    "round_retention_random": _share("Mean round_retention of n_kept edges chosen at random."),
    "round_excess": _share("round_retention - round_retention_iid."),
    "bytes_to_write": _count(
        "Approximate bytes written by this round (`dry_run`); without training the mask comes with the last."
    ),
    "peak_memory": _count("Approximate largest resident memory in bytes (`dry_run`)."),
    "bottleneck": _number(
        "Bottleneck distance between the barcode and the reference's, at the reference's scale; removed edges die at 0 "
        "(if essential bars never die, never); network: the largest."
    ),
    "sorted_linf": _number("Largest difference of sorted persistences, at the reference's scale; network: largest."),
    "wasserstein_1": _number(
        "Wasserstein distance W_1 of the barcodes at the reference's scale, summed over bars; network: largest."
    ),
    "wasserstein_2": _number(
        "Wasserstein distance W_2 of the barcodes at the reference's scale, summed over bars; network: largest."
    ),
    "distance_bound": _number(
        "Upper bound of `bottleneck`, but for rounding: for a masked reference min(d / scale, 1/2), d being its "
        "strongest missing forest edge, which pruning by magnitude reaches; else the largest difference of magnitudes "
        "/ scale. Network: the largest."
    ),
    "checked": _text("Checks that the round passed (docs/reports.md lists them)."),
    "quantity": _text(
        "Column that this row summarises over the seeds; with a `baseline`, its differences between two prunings."
    ),
    "n_seeds": _count("Seeds in which the quantity is defined."),
    "mean": _number("Mean over the seeds."),
    "mean_low": _number(
        "Lower end of the 95 % interval of the mean over the seeds, by Student's t; blank for one seed."
    ),
    "mean_high": _number(
        "Upper end of the 95 % interval of the mean over the seeds, by Student's t; blank for one seed."
    ),
    "standard_deviation": _number("Sample standard deviation over the seeds; blank for one seed."),
    "minimum": _number("Smallest value over the seeds."),
    "maximum": _number("Largest value over the seeds."),
    "undefined": _text("Reason why a value of this row is blank."),
    "n_off_path": _count(
        "Kept weights that lie on no path of kept weights from an input of the network to an output; blank where the "
        "graph of the network is unknown (docs/theory.md, section 12)."
    ),
    "effective_density": _share("(n_kept - n_off_path) / n_weights; blank as n_off_path."),
    "live_vertices": _count(
        "Vertices of the network as one graph (inputs, neurons, channels, outputs) that lie on a path of kept weights "
        "from an input to an output; blank where the graph is unknown."
    ),
    "beta0_glued": _count(
        "Connected components of the network as one graph, all its vertices counted; blank where the graph is unknown."
    ),
    "np_glued": _number(
        "Neural persistence of the network as one graph, its strengths divided by the largest of its layers: p-norm of "
        "1 - death, essential bars counting 1, over (vertices - 1)^(1/p), p being `p` (`chain` of barcode; "
        "docs/theory.md, section 12.6)."
    ),
    "np_deep": _number(
        "Deep graph persistence (Girrbach et al., 2023): neural persistence, as for np_glued, of the strongest paths "
        "from inputs to outputs, of standardised layers, divided by the strongest path; a stored zero is an edge as "
        "other weights. Blank if all weights of a layer are equal (`chain` of barcode; docs/theory.md, section 12.7)."
    ),
}

COLUMNS: Mapping[str, Column] = MappingProxyType(_COLUMNS)
"""Every column of a report, in the order in which CSV lists them."""
