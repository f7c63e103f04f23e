"""The columns of training, of rounds with training between them, and of their statistics over seeds."""

from collections.abc import Mapping

from topoimp.reports.cells import Column
from topoimp.reports.described import count, flag, index, number, share, text

TRAINING: Mapping[str, Column] = {
    "epoch": index("Passes over the training set."),
    "step": count("Training steps from the beginning."),
    "train_loss": number("Mean cross-entropy over the epoch's training steps, in nats."),
    "test_loss": number("Mean cross-entropy on the test set, in nats."),
    "test_accuracy": share("Share of the test set that is classified correctly."),
    "round_beta0_kept": flag("Whether the round's mask kept beta0 of the weights that it was found on."),
    "round_barcode_kept": flag("Whether the round's mask kept all bars of the weights that it was found on."),
    "round_retention": share("Share of the forest of the weights before the round that the round's mask kept."),
    "round_squared_norm_kept": share("Share of the sum of w^2 before the round that the round's mask kept."),
    "round_retention_guaranteed": share(
        "Smallest round_retention of the n_kept strongest weights in any layer of this shape."
    ),
    "round_retention_iid": share(
        "Mean round_retention of the n_kept strongest weights if magnitudes before the round are independent and "
        "alike; blank where too many edges would be simulated."
    ),
    "round_retention_random": share("Mean round_retention of n_kept edges chosen at random."),
    "round_excess": share("round_retention - round_retention_iid."),
    "bytes_to_write": count(
        "Approximate bytes written by this round (`dry_run`); without training the mask comes with the last."
    ),
    "bytes": count("Bytes of the files with the pruned weights; blank in rounds that are not written."),
    "bytes_mask": count("Bytes of the mask file, one bit for each weight of the selected layers."),
    "bytes_zstd": count("Bytes of the same files as `bytes` under zstd, level 3 (`compressed_size`)."),
    "peak_memory": count("Approximate largest resident memory in bytes (`dry_run`)."),
}
"""Epochs, and the rounds of a pruning."""

STATISTICS: Mapping[str, Column] = {
    "checked": text("Checks that the round passed (docs/reports.md lists them)."),
    "quantity": text(
        "Column that this row summarises over the seeds; with a `baseline`, its differences between two prunings."
    ),
    "n_seeds": count("Seeds in which the quantity is defined."),
    "mean": number("Mean over the seeds."),
    "mean_low": number(
        "Lower end of the 95 % interval of the mean over the seeds, by Student's t; blank for one seed."
    ),
    "mean_high": number(
        "Upper end of the 95 % interval of the mean over the seeds, by Student's t; blank for one seed."
    ),
    "standard_deviation": number("Sample standard deviation over the seeds; blank for one seed."),
    "minimum": number("Smallest value over the seeds."),
    "maximum": number("Largest value over the seeds."),
    "undefined": text("Reason why a value of this row is blank."),
}
"""Checks of a round, statistics over the seeds, and reasons for blank values."""
