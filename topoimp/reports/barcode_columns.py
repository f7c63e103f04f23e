"""The columns of barcodes: their summaries, their distances, and the summaries of a network as one graph."""

from collections.abc import Mapping

from topoimp.reports.cells import Column
from topoimp.reports.described import count, flag, number, share

SUMMARIES: Mapping[str, Column] = {
    "np_rieck": number(
        "Neural persistence, convention `rieck`, at the checkpoint's own scale; network: mean over the layers; "
        "a convolution in the view `spatial`: mean over its filters."
    ),
    "np_rieck_reference": number(
        "Neural persistence of the reference, convention `rieck`, at its own scale; network: mean."
    ),
    "np_rieck_total": number(
        "Sum over the layers of np_rieck; of a convolution in the view `spatial` the sum over its filters; blank in "
        "other layer rows."
    ),
    "np_rieck_total_reference": number("Sum over the layers of np_rieck_reference; blank in a layer row."),
    "np_rieck_finite": number(
        "Neural persistence, convention `rieck-finite`, at the checkpoint's own scale; network: mean over the layers; "
        "a convolution in the view `spatial`: mean over its filters."
    ),
    "np_rieck_finite_reference": number(
        "Neural persistence of the reference, convention `rieck-finite`, at its own scale; network: mean."
    ),
    "np_rieck_finite_total": number(
        "Sum over the layers of np_rieck_finite; of a convolution in the view `spatial` the sum over its filters; "
        "blank in other layer rows."
    ),
    "np_rieck_finite_total_reference": number(
        "Sum over the layers of np_rieck_finite_reference; blank in a layer row."
    ),
    "np_balwani": number(
        "Neural persistence, convention `balwani`, at the layer's own scale; network: mean over the layers; "
        "a convolution in the view `spatial`: mean over its filters."
    ),
    "np_balwani_reference": number(
        "Neural persistence of the reference, convention `balwani`, at the layer's own scale; network: mean."
    ),
    "np_balwani_total": number(
        "Sum over the layers of np_balwani; of a convolution in the view `spatial` the sum over its filters; blank in "
        "other layer rows."
    ),
    "np_balwani_total_reference": number("Sum over the layers of np_balwani_reference; blank in a layer row."),
    "total_persistence": number(
        "Sum over all bars of persistence^p, without a root, at the row's scale; an essential bar has persistence 1 "
        "(with the scale `none` the network's largest magnitude); network: sum over the layers."
    ),
    "persistent_entropy": number(
        "Entropy in nats of the persistences divided by their sum, at the row's scale; an essential bar counts as in "
        "total_persistence; network: of the bars of all layers together."
    ),
    "gudhi_agrees": flag("Whether GUDHI finds the same bars (network: of every layer); blank if unchecked."),
}
"""Neural persistence and other summaries of one barcode."""

BARCODE_DISTANCES: Mapping[str, Column] = {
    "bottleneck": number(
        "Bottleneck distance between the barcode and the reference's, at the reference's scale; removed edges die at 0 "
        "(if essential bars never die, never); network: the largest."
    ),
    "sorted_linf": number("Largest difference of sorted persistences, at the reference's scale; network: largest."),
    "wasserstein_1": number(
        "Wasserstein distance W_1 of the barcodes at the reference's scale, summed over bars; network: largest."
    ),
    "wasserstein_2": number(
        "Wasserstein distance W_2 of the barcodes at the reference's scale, summed over bars; network: largest."
    ),
    "distance_bound": number(
        "Upper bound of `bottleneck`, but for rounding: for a masked reference min(d / scale, 1/2), d being its "
        "strongest missing forest edge, which pruning by magnitude reaches; else the largest difference of magnitudes "
        "/ scale. Network: the largest."
    ),
}
"""Distances between two barcodes."""

ONE_GRAPH: Mapping[str, Column] = {
    "n_off_path": count(
        "Kept weights that lie on no path of kept weights from an input of the network to an output; blank where the "
        "graph of the network is unknown (docs/theory.md, section 12)."
    ),
    "effective_density": share("(n_kept - n_off_path) / n_weights; blank as n_off_path."),
    "live_vertices": count(
        "Vertices of the network as one graph (inputs, neurons, channels, outputs) that lie on a path of kept weights "
        "from an input to an output; blank where the graph is unknown."
    ),
    "beta0_glued": count(
        "Connected components of the network as one graph, all its vertices counted; blank where the graph is unknown."
    ),
    "np_glued": number(
        "Neural persistence of the network as one graph, its strengths divided by the largest of its layers: p-norm of "
        "1 - death, essential bars counting 1, over (vertices - 1)^(1/p), p being `p` (`chain` of barcode; "
        "docs/theory.md, section 12.6)."
    ),
    "np_deep": number(
        "Deep graph persistence (Girrbach et al., 2023): neural persistence, as for np_glued, of the strongest paths "
        "from inputs to outputs, of standardised layers, divided by the strongest path; a stored zero is an edge as "
        "other weights. Blank if all weights of a layer are equal (`chain` of barcode; docs/theory.md, section 12.7)."
    ),
}
"""Facts of the network as one graph."""
