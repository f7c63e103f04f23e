"""The options of ``topoimp prune`` that do not go together, and the columns that its reports have."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .options import refuse
from .picture_options import PictureArguments

if TYPE_CHECKING:
    from topoimp.commands.pruning_columns import Columns


def check_training(options: Mapping[str, object], *, has_training: bool) -> None:
    """Raise an OptionError if an option belongs to rounds of the other kind.

    Args:
        options: by flag, the options of prune.
        has_training: whether the rounds are trained, by the recipe of a run folder or by --trainer.
    """
    of_files = (
        "--apply-mask",
        "--repair",
        "--mask-out",
        "--emit-rounds",
        "--seed",
        "--pattern",
        "--key",
        "--scores",
        "--compressed-size",
    )
    of_training = ("--rewind", "--timeout", "--seeds", "--jobs", "--keep-going")
    if has_training:
        refuse({flag: options[flag] for flag in of_files}, "does not go with rounds that are trained")
    else:
        reason = "does not go with pruning without training (a run folder or --trainer has some)"
        refuse({flag: options[flag] for flag in of_training}, reason)


def check_mask(options: Mapping[str, object]) -> None:
    """Raise an OptionError if there are two masks, or one is to be shuffled and there is none."""
    if options["--apply-mask"] is not None:
        refuse({"--repair": options["--repair"]}, "takes the place of --apply-mask; give only one of them")
    elif options["--repair"] is None:
        refuse({"--shuffle-mask": options["--shuffle-mask"]}, "needs --apply-mask or --repair")


def check_given_mask(options: Mapping[str, object]) -> None:
    """Raise an OptionError if an option of rounds or methods is given beside a mask."""
    of_shuffle = () if options["--shuffle-mask"] is None else ("--seed",)
    given = {
        flag: options[flag] for flag in (*_OF_ROUNDS, "--strict", "--dry-run", "--cluster") if flag not in of_shuffle
    }
    mask = "--apply-mask" if options["--repair"] is None else "--repair"
    refuse({**given, "--epsilon": options["--epsilon"] or None}, f"does not go with {mask}: the mask decides alone")


_OF_ROUNDS = (
    *("--rounds", "--sparsity", "--rate", "--schedule", "--preset", "--layer-rate", "--layer-sparsity"),
    *(
        "--output-rate",
        "--output-layer",
        "--output-columns",
        "--pattern",
        "--method",
        "--paths-below",
        "--inputs",
        "--scope",
        "--seed",
    ),
    *("--emit-rounds", "--rewind-from"),
)
"""Options without a default that belong to rounds."""


def check_dry_run(pictures: PictureArguments, evaluate: str | None, *, compressed_size: bool) -> None:
    """Raise an OptionError if something is to be drawn or evaluated that a dry run does not write."""
    refuse({f"--{name}": value for name, value in pictures.items()}, "does not go with --dry-run, which draws nothing")
    refuse({"--compressed-size": compressed_size}, "does not go with --dry-run, which writes nothing")
    refuse({"--eval": evaluate}, "does not go with --dry-run, which writes no checkpoint to run it on")


def columns_of_report(options: Mapping[str, object], *, has_training: bool) -> "Columns":
    """Return the columns of the rows that gates look at, by level."""
    from topoimp.commands.pruning_columns import columns_of

    flags = {"--repair": "repair", "--apply-mask": "apply_mask", "--pattern": "pattern"}
    by = next((name for flag, name in flags.items() if options[flag] is not None), None)
    return columns_of(by, is_trained=has_training, compressed_size=bool(options["--compressed-size"]))
