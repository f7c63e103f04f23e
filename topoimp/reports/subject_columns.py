"""The columns that say which layer, checkpoint, pruning or round a row is about."""

from collections.abc import Mapping

from topoimp.reports.cells import Column
from topoimp.reports.described import count, flag, index, number, text

SUBJECTS: Mapping[str, Column] = {
    "level": text(
        "Subject of the row: `layer`, `network` (all selected layers), `density` (`bound`), or the sum of all "
        "`convolutions` or all `dense` layers (`bound` in the view `spatial`)."
    ),
    "method": text("Rule that chooses the weights to keep: a built-in method, or the name of a function of the user."),
    "epsilon": number(
        "Share of the largest magnitude of the pruned layers up to which `topological` protects no death; blank for "
        "other methods."
    ),
    "scope": text(
        "`layer` if each layer has its own target; `global` if all layers share one target; `erk` if the shapes of the "
        "layers split a shared one."
    ),
    "schedule": text("`geometric` if a round removes a share of the remaining weights; `linear` if the same number."),
    "rewind": text(
        "Weights from which each round's training starts: `step:K` of the recipe, `none` for those of the last round, "
        "or the checksum of a checkpoint."
    ),
    "seed": index("Seed of the initial weights, of the image order, and of the permutations of `random`."),
    "round": index("Round of pruning, counted from 1; round 0 is the unpruned network."),
    "pruning": text(
        "Name of a pruning's folder: the method, with epsilon, scope, schedule and rewinding if not usual."
    ),
    "baseline": text("Name of the pruning that is subtracted from `pruning`, seed by seed."),
    "checkpoint": text("Path of the checkpoint, if several are given (`barcode`, `bound`)."),
    "other": text("Path of the checkpoint or mask that is compared with the reference; a round's folder."),
    "layer": text("Name of the layer; blank in a network row."),
    "rows": count(
        "Rows of the layer: the length of its first axis (a convolution's output positions in the view `spatial`)."
    ),
    "columns": count(
        "Columns of the layer: its other axes together (input channels in the view `channel`; positions of a "
        "convolution's padded input in the view `spatial`)."
    ),
    "shape": text("Shape of the tensor, as in 64x3x3x3."),
    "dtype": text("Number format of the weights, as safetensors names it."),
    "view": text("View in which the tensor is a graph: `matrix`, `channel` or `spatial`."),
    "selected": flag("Whether the command reads the tensor as a layer."),
    "pruned_by_default": flag("Whether `prune`, without options that select layers, takes the tensor as a layer."),
    "rule": text("Name of the rule that decided (docs/layers.md); `weights` if the tensor is pruned by default."),
    "reason": text("Reason why the tensor is left out, or is not pruned by default."),
}
"""What a row is about."""
