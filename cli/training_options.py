"""The options of training and of its replicates, shared by ``train`` and ``prune``."""

from pathlib import Path
from typing import Annotated

import typer

TRAINING = "Training (of prune: rounds of a run folder, or with --trainer)"
"""Title of these options in the help."""

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Folder of the data set's published files, or with a folder of its name in it, as torchvision's root; for "
        "prune also an .npz.",
        show_default="TOPOIMP_DATA_DIR, or the Hugging Face hub",
        rich_help_panel=TRAINING,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="N|A,B,...",
        help="Number of replicates, from 1 to 1000, with seeds from 0, or a list of seeds.",
        show_default="--seed; of prune all seeds of the run",
        rich_help_panel=TRAINING,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        help="Number of replicates at the same time, from 1.",
        show_default="as many as have cores of their own",
        rich_help_panel=TRAINING,
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS|local:N|slurm|FILE.yaml",
        help="Machines that do the replicates: the scheduler of a Dask cluster (tcp://..., tls://..., or a .json file "
        "with its address), local:N processes here, jobs of slurm, pbs, lsf or sge, or a file of settings for these.",
        show_default="TOPOIMP_CLUSTER, or this machine",
        rich_help_panel=TRAINING,
    ),
]
KeepGoing = Annotated[
    bool,
    typer.Option(
        "--keep-going",
        help="Finish the other replicates if one fails.",
        show_default="end them",
        rich_help_panel=TRAINING,
    ),
]


def parse_seeds(text: str | None) -> list[int] | None:
    """Return the seeds of a number of replicates, or of a list.

    Raises:
        OptionError: if it is neither, or a seed is named twice.
    """
    from topoimp.errors import OptionError

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and not parts[-1]:  # "3," is a list of one
        parts.pop()
    if not all(part.isdecimal() and len(part) < 19 for part in parts):
        raise OptionError(f"--seeds is {text!r}; it must be a number of seeds, or a list of them as in 0,3,7")
    if "," not in text:
        if not 1 <= int(text) <= 1000:
            raise OptionError(f"--seeds is {text!r}; it must be at least 1 and at most 1000, or a list as in {text},")
        return list(range(int(text)))
    if len(set(map(int, parts))) < len(parts):
        raise OptionError(f"--seeds is {text!r}; each seed is named once")
    return list(map(int, parts))


def parse_sets(texts: list[str] | None) -> dict[str, object]:
    """Return the values that --set names, each as TOML reads it; a word that is no TOML stands for itself.

    Raises:
        OptionError: if a text is no name and value, or a name is set twice.
    """
    from tomllib import TOMLDecodeError, loads

    from topoimp.errors import OptionError

    values: dict[str, object] = {}
    for text in texts or []:
        name, separator, value = (part.strip() for part in text.partition("="))
        if not name or not separator or not value:
            raise OptionError(f"--set is {text!r}; it must be a name and a value, as in epochs=3")
        if name in values:
            raise OptionError(f"--set names {name!r} twice; name it once")
        try:
            (values[name],) = loads(f"value = {value}").values()
        except (TOMLDecodeError, ValueError):  # a word, or several lines
            values[name] = value
    return values
