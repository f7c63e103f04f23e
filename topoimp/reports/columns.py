"""The columns of all reports: their order, their meaning, and the kind of value that they hold.

A row maps columns to values. An undefined value is None: null in JSON, blank in CSV. No report has a column that is
not described here, so names and meanings stay stable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


class Kind(StrEnum):
    """The kind of value that a column holds; an index is an integer that names something, such as a seed."""

    TEXT = "text"
    FLAG = "flag"
    INDEX = "index"
    COUNT = "count"
    SHARE = "share"
    NUMBER = "number"

    def holds(self, value: Cell) -> bool:
        """Check whether a column of this kind may hold a value; every column may hold None."""
        if value is None:
            return True
        return isinstance(value, _TYPES[self]) and isinstance(value, bool) == (self is Kind.FLAG)

    def parse(self, text: str) -> Cell:
        """Read a value as CSV writes it.

        Raises:
            ValueError: if the text is no value of this kind.

        >>> Kind.FLAG.parse("true"), Kind.COUNT.parse("7"), Kind.SHARE.parse("0.5"), Kind.TEXT.parse("7")
        (True, 7, 0.5, '7')
        """
        if self is Kind.TEXT:
            return text
        if self is Kind.FLAG:
            return bool(("false", "true").index(text))
        return int(text) if self in (Kind.INDEX, Kind.COUNT) else float(text)


TEXT, FLAG, INDEX, COUNT, SHARE, NUMBER = Kind

_TYPES: Mapping[Kind, tuple[type, ...]] = MappingProxyType(
    {TEXT: (str,), FLAG: (bool,), INDEX: (int,), COUNT: (int,), SHARE: (int, float), NUMBER: (int, float)}
)


@dataclass(frozen=True)
class Column:
    """The meaning of a column, a sentence that stands alone, and the kind of its values."""

    meaning: str
    kind: Kind


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "level": Column("Subject of the row: `layer`, `network` (all selected layers) or `density` (`bound`).", TEXT),
        "method": Column("Rule that chooses the weights to keep: `topological`, `magnitude` or `random`.", TEXT),
        "epsilon": Column(
            "Share of the scale up to which `topological` leaves deaths unprotected; blank for other methods.", NUMBER
        ),
        "scope": Column("`layer` if each layer has its own target; `global` if all layers share one target.", TEXT),
        "seed": Column("Seed of the initial weights, of the image order, and of the permutations of `random`.", INDEX),
        "round": Column("Round of pruning, counted from 1; round 0 is the unpruned network.", INDEX),
        "other": Column("Path of the checkpoint or mask that is compared with the reference; a round's folder.", TEXT),
        "layer": Column("Name of the layer; blank in a network row.", TEXT),
        "rows": Column("Rows of the layer: the length of its first axis.", COUNT),
        "columns": Column(
            "Columns of the layer: its other axes together (input channels in the view `channel`).", COUNT
        ),
        "shape": Column("Shape of the tensor, as in 64x3x3x3.", TEXT),
        "dtype": Column("Number format of the weights, as safetensors names it.", TEXT),
        "view": Column("View in which the tensor is a matrix: `matrix` or `channel`.", TEXT),
        "selected": Column("Whether the command reads the tensor as a layer.", FLAG),
        "reason": Column("Reason why the tensor is left out.", TEXT),
        "n_vertices": Column("Vertices of the layer's graph: its rows and columns together.", COUNT),
        "n_weights": Column("Weights, stored zeros included.", COUNT),
        "n_edges": Column("Weights of the input (in `compare`: of the reference) that are not zero.", COUNT),
        "target": Column("Weights to keep in this round; blank in a layer row of scope `global`.", COUNT),
        "n_kept": Column("Weights kept, or nonzero in the other checkpoint; a stored zero is not kept.", COUNT),
        "density": Column(
            "n_kept / n_weights; in `barcode` n_edges / n_weights; in `bound` the requested share.", SHARE
        ),
        "sparsity": Column("1 - density.", SHARE),
        "compression_ratio": Column("1 / density.", NUMBER),
        "beta0": Column("Connected components of the kept graph; an isolated row or column is a component.", COUNT),
        "beta0_reference": Column("Connected components of the reference.", COUNT),
        "beta1": Column("Independent cycles of the kept graph.", COUNT),
        "floor": Column("Fewest weights that can keep the barcode: the edges of the (reference's) forest.", COUNT),
        "floor_binds": Column(
            "Whether the floor holds the layer above its target (scope `layer`), or only its forest is left (scope "
            "`global`); network: whether a target was missed because of a floor.",
            FLAG,
        ),
        "critical_density": Column(
            "floor / n_edges: the smallest share of the edges that can keep the barcode.", SHARE
        ),
        "critical_compression": Column("n_edges / floor: the largest compression that can keep the barcode.", NUMBER),
        "largest": Column("Largest magnitude of a weight.", NUMBER),
        "scale": Column("Number by which magnitudes are divided to give deaths; 1 with the scale `none`.", NUMBER),
        "median_death": Column("Median death of the finite bars; a death is magnitude / scale.", NUMBER),
        "last_death": Column("Death of the last finite bar: tau / scale.", NUMBER),
        "tau": Column(
            "Magnitude of the forest's weakest edge: dropping the weights below t keeps the barcode if and only if "
            "t <= tau.",
            NUMBER,
        ),
        "certificate": Column(
            "Smallest, over the rows and columns with an edge, of their largest magnitude: an upper bound of tau.",
            NUMBER,
        ),
        "certificate_tight": Column(
            "Whether certificate equals tau; if not, the forest's last edge joins two larger components.", FLAG
        ),
        "safe_count": Column(
            "Fewest strongest weights that keep the barcode; network: the sum, each layer pruned alone.", COUNT
        ),
        "safe_sparsity": Column("1 - safe_count / n_weights.", SHARE),
        "safe_count_global": Column(
            "Fewest strongest weights of the whole network that keep the barcode of every layer.", COUNT
        ),
        "safe_sparsity_global": Column("1 - safe_count_global / n_weights.", SHARE),
        "binding_layer": Column("Layer whose last forest edge comes latest in the order of all weights.", TEXT),
        "binding_vertex": Column(
            "Row or column that the forest's last edge attaches; blank if it joins two larger components.", TEXT
        ),
        "rate": Column("Share of the remaining weights that one round removes.", SHARE),
        "rounds_to_floor": Column("Rounds at `rate` that fit above the floor; network: above every floor.", COUNT),
        "rounds_to_floor_global": Column("Rounds at `rate` that fit above the floors with one target for all.", COUNT),
        "safe_rounds": Column(
            "Rounds of magnitude pruning at `rate` that keep the barcode; network: every layer's barcode.", COUNT
        ),
        "safe_rounds_global": Column(
            "Rounds of magnitude pruning at `rate`, scope `global`, that keep the barcode of every layer.", COUNT
        ),
        "input_size": Column(
            "Image under a convolution: sides, stride and padding (`same`: as many outputs as inputs at stride 1).",
            TEXT,
        ),
        "spatial_inputs": Column("Positions of a convolution's padded input.", COUNT),
        "spatial_outputs": Column("Positions of a convolution's output.", COUNT),
        "spatial_edges": Column("Edges of one filter laid over the image: each output to the inputs it reads.", COUNT),
        "spatial_floor": Column("Edges of the forest of the filter's graph, for a kernel without zeros.", COUNT),
        "spatial_compression": Column(
            "spatial_edges / spatial_floor: a ratio of edges, many of which share one weight of the kernel.", NUMBER
        ),
        "forest_guaranteed": Column("Forest edges among the n_kept strongest weights, at least, of any layer.", COUNT),
        "forest_random": Column("Forest edges that a random mask of n_kept edges keeps on average.", NUMBER),
        "forest_iid": Column(
            "Forest edges among the n_kept strongest weights, on average, if magnitudes are independent and alike; "
            "blank where too many edges would be simulated.",
            NUMBER,
        ),
        "forest_kept": Column("Forest edges among the n_kept strongest weights.", COUNT),
        "random_connected": Column(
            "Approximate probability that a random mask of density n_kept / n_edges leaves all rows and columns with "
            "edges connected; blank if zeros lie among them.",
            SHARE,
        ),
        "random_threshold": Column(
            "Density near which random masks begin to disconnect the layer; blank if it has zeros.", SHARE
        ),
        "beta0_kept": Column("Whether beta0 equals that of the reference.", FLAG),
        "barcode_kept": Column("Whether all bars are exactly those of the reference.", FLAG),
        "retention": Column("Share of the reference's forest edges that are kept.", SHARE),
        "retention_guaranteed": Column(
            "Smallest retention that the n_kept strongest weights of any layer of this shape can have.", SHARE
        ),
        "retention_iid": Column(
            "Mean retention of the n_kept strongest weights if magnitudes are independent and alike; blank where too "
            "many edges would be simulated.",
            SHARE,
        ),
        "retention_random": Column("Mean retention of n_kept edges chosen at random.", SHARE),
        "retention_null": Column(
            "Mean retention of the n_kept strongest weights after shuffling the reference (`null`).", SHARE
        ),
        "excess": Column("retention - retention_null; without `null` retention - retention_iid.", SHARE),
        "z_score": Column("excess in standard deviations of the shuffles.", NUMBER),
        "mask_overlap": Column("Weights that are nonzero in both / weights that are nonzero in either.", SHARE),
        "forest_overlap": Column("Edges in both forests / edges in either: the reference's and the other's.", SHARE),
        "dead_rows": Column("Rows without an edge.", COUNT),
        "dead_columns": Column("Columns without an edge.", COUNT),
        "dead_rows_reference": Column("Rows of the reference without an edge.", COUNT),
        "dead_columns_reference": Column("Columns of the reference without an edge.", COUNT),
        "np_rieck": Column("Neural persistence, convention `rieck`; network: mean over the layers.", NUMBER),
        "np_rieck_reference": Column("Neural persistence of the reference, convention `rieck`.", NUMBER),
        "np_rieck_finite": Column(
            "Neural persistence, convention `rieck-finite`; network: mean over the layers.", NUMBER
        ),
        "np_rieck_finite_reference": Column("Neural persistence of the reference, convention `rieck-finite`.", NUMBER),
        "np_balwani": Column("Neural persistence, convention `balwani`; network: mean over the layers.", NUMBER),
        "np_balwani_reference": Column("Neural persistence of the reference, convention `balwani`.", NUMBER),
        "total_persistence": Column(
            "Sum over all bars of persistence^p, without a root, at the row's scale; an essential bar has "
            "persistence 1 (with the scale `none` the network's largest magnitude); network: sum over the layers.",
            NUMBER,
        ),
        "persistent_entropy": Column(
            "Entropy in nats of the persistences divided by their sum, at the row's scale; an essential bar counts as "
            "in total_persistence; network: of the bars of all layers together.",
            NUMBER,
        ),
        "gudhi_agrees": Column(
            "Whether GUDHI finds the same bars (a difference is an error); blank if unchecked; network: whether it "
            "does for every layer.",
            FLAG,
        ),
        "epoch": Column("Passes over the training set.", INDEX),
        "step": Column("Training steps from the beginning.", COUNT),
        "train_loss": Column("Mean cross-entropy over the epoch's training steps, in nats.", NUMBER),
        "test_loss": Column("Mean cross-entropy on the test set, in nats.", NUMBER),
        "test_accuracy": Column("Share of the test set that is classified correctly.", SHARE),
        "round_beta0_kept": Column("Whether the round's mask kept beta0 of the weights that it was found on.", FLAG),
        "round_barcode_kept": Column(
            "Whether the round's mask kept all bars of the weights that it was found on.", FLAG
        ),
        "round_retention": Column(
            "Share of the forest of the weights before the round that the round's mask kept.", SHARE
        ),
        "bytes_to_write": Column(
            "Approximate bytes that this round would write (`dry_run`); without training the last round "
            "includes the mask.",
            COUNT,
        ),
        "peak_memory": Column("Approximate largest resident memory in bytes (`dry_run`).", COUNT),
        "bottleneck": Column(
            "Bottleneck distance between the barcode and the reference's, at the reference's scale; removed edges die "
            "at 0 (if essential bars never die, never); network: the largest.",
            NUMBER,
        ),
        "sorted_linf": Column(
            "Largest difference of the sorted persistences, at the reference's scale; network: the largest.", NUMBER
        ),
        "wasserstein_1": Column(
            "Wasserstein distance W_1 between the barcodes at the reference's scale: a sum over bars, not a mean; "
            "network: the largest.",
            NUMBER,
        ),
        "wasserstein_2": Column(
            "Wasserstein distance W_2 between the barcodes at the reference's scale: a sum over bars, not a mean; "
            "network: the largest.",
            NUMBER,
        ),
        "distance_bound": Column(
            "Upper bound of `bottleneck`, but for rounding. For a masked reference it is min(d / scale, 1/2), d being "
            "the strongest missing forest edge, and pruning by magnitude reaches it; for other weights it is the "
            "largest difference of magnitudes / scale. Network: the largest.",
            NUMBER,
        ),
        "checked": Column("Checks that the round passed (docs/reports.md lists them).", TEXT),
        "quantity": Column("Column that this row summarises over the seeds.", TEXT),
        "n_seeds": Column("Seeds in which the quantity is defined.", COUNT),
        "mean": Column("Mean over the seeds.", NUMBER),
        "standard_deviation": Column("Sample standard deviation over the seeds; blank for one seed.", NUMBER),
        "minimum": Column("Smallest value over the seeds.", NUMBER),
        "maximum": Column("Largest value over the seeds.", NUMBER),
        "undefined": Column("Reason why a value of this row is blank.", TEXT),
    }
)
"""Every column of a report, in the order in which CSV lists them."""
