"""The options that several commands share: one word, one meaning, one help text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topoimp.choices import NeuralPersistence, Scale, View
from topoimp.errors import OptionError

from .image_sizes import parse_input_sizes

if TYPE_CHECKING:
    from topoimp.layers.records import LayerPatterns


@dataclass(frozen=True)
class Command:
    """A command: its name, its function, and the example that ends its help."""

    name: str
    function: Callable[..., None]
    epilog: str


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    GITHUB = "github"


CheckpointPaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="CHECKPOINT",
        help="Checkpoints to read: .safetensors files, folders or indices of shards, PyTorch files that are safe to "
        "load, or addresses as in hf://org/model and s3://bucket/folder. Of several, the table has the networks, and "
        "CSV and JSON also have the layers.",
        show_default=False,
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="State dict to read of a PyTorch file that holds several, as in ema_state_dict or model.ema.",
        show_default="state_dict, model or another usual key",
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Select only layers whose name matches: a glob, or re: and a regular expression. A pattern that matches "
        "only tensors left out by default selects these; 'qkv*[0]' names a group. Repeatable.",
        show_default="all",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        help="Leave out layers whose name matches, a pattern as for --include. Repeatable.",
        show_default="none",
    ),
]
Embeddings = Annotated[
    bool,
    typer.Option(
        "--embeddings", help="Select embeddings and heads over a vocabulary too, by the names of docs/layers.md."
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--groups",
        metavar="PATTERN=G",
        help="Read matching tensors as G graphs along their first axis, G from 1: grouped convolutions, stacked "
        "experts, gates. G@1 cuts the columns into G blocks instead, each with all rows. Repeatable.",
        show_default="one graph, or one for each gate of an RNN, GRU or LSTM",
    ),
]
ViewOption = Annotated[
    View,
    typer.Option(
        "--view",
        help="Read a convolution as a matrix, channel by channel (a kernel's strongest weight), or as one filter "
        "unrolled over its image (spatial; in bound and barcode).",
    ),
]
InputSizes = Annotated[
    list[str] | None,
    typer.Option(
        "--input-size",
        metavar="PATTERN=HxW",
        help="Image under matching convolutions, for --view spatial; :STRIDE:PADDING may follow. Repeatable.",
        show_default="stride 1, padding same",
    ),
]
Chain = Annotated[
    str | None,
    typer.Option(
        "--chain",
        metavar="NAME,...",
        help="Layers of the network from the inputs to the outputs, each behind the one before, as in fc1,fc2,fc3 or "
        "'fc*', for the columns of the network as one graph, in which norms do not count. Without --include, the "
        "command selects these layers alone.",
        show_default="none; prune and compare know that of a run folder",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        help="Number of cores to use, from 1; no result depends on it.",
        show_default="all cores",
    ),
]
ClusterOfLayers = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS|local:N|slurm|FILE.yaml",
        help="Machines that look at the layers: the scheduler of a Dask cluster (tcp://..., tls://..., or a .json file "
        "with its address), local:N processes here, a job of slurm, pbs, lsf or sge, or a file of settings for these.",
        show_default="TOPOIMP_CLUSTER, or this machine",
    ),
]
ScaleOption = Annotated[
    Scale | None,
    typer.Option(
        "--scale",
        help="Divisor of strengths: the largest strength of the network or of the layer, or none.",
        show_default="as --np-convention needs",
    ),
]
NpConvention = Annotated[
    NeuralPersistence | None,
    typer.Option(
        "--np-convention",
        "--np",
        help="Convention of the neural persistence in the table; CSV and JSON have all three.",
        show_default="rieck",
    ),
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="Format of the result on stdout; github prints no result, and errors as annotations of GitHub Actions.",
    ),
]
Scores = Annotated[
    Path | None,
    typer.Option(
        "--scores",
        metavar="FILE",
        help="File of scores, which take the place of |w|: for each layer a tensor of its shape, or factors of |w| for "
        "its columns or rows.",
        show_default="none",
    ),
]
OutputColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--output-columns",
        metavar="PATTERN",
        help="Layers whose outputs are their columns, for the scope row and for --pattern, as in the Conv1D of GPT-2. "
        "Repeatable.",
        show_default="none",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="R",
        help="Share of the remaining weights that one round removes, in (0, 1); prune also takes 0.",
        show_default="0.2",
    ),
]
FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        metavar="CONDITION",
        help="Exit with 3 if a row matches, as in 'layer:beta0>1' or 'retention<0.9'. prune looks at the rows of the "
        "last round, and its outputs stay. Repeatable.",
        show_default="no condition",
    ),
]
Junit = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        metavar="FILE.xml",
        help="Write the result of each --fail-if at each row to this file, as JUnit XML for CI systems. A file that "
        "topoimp wrote there before is replaced.",
        show_default="not written",
    ),
]
Nulls = Annotated[
    list[str] | None,
    typer.Option(
        "--null",
        metavar="MODEL[:N]",
        help="Compare also with a null model, in N simulations: shuffled weights (edges, block, rows, columns), graphs "
        "with the same degrees (degrees) or row and column scales (scales), independent weights (iid); or with random "
        "masks (random, exact), or the weights before training (initial in a run folder, else initial:FILE). "
        "Repeatable.",
        show_default="none",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing outputs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no notes and no progress on stderr.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more notes on stderr: every tensor that was left out.")
]


def layer_patterns(
    include: list[str] | None,
    exclude: list[str] | None,
    groups: list[str] | None,
    *,
    embeddings: bool,
    view: View = View.MATRIX,
    input_sizes: list[str] | None = None,
) -> "LayerPatterns":
    """Return the patterns that the options name.

    Raises:
        OptionError: if groups are not written as PATTERN=G or PATTERN=G@AXIS, or images not as PATTERN=HxW.
    """
    from topoimp.layers.records import LayerPatterns

    return LayerPatterns(
        tuple(include or ()),
        tuple(exclude or ()),
        embeddings=embeddings,
        groups=tuple(map(_groups, groups or ())),
        view=view,
        input_sizes=parse_input_sizes(input_sizes),
    )


_GROUPS = re.compile(r"(.+)=(0*[1-9][0-9]{0,8})(?:@([01]))?", re.DOTALL)


def _groups(text: str) -> tuple[str, int, int]:
    found = _GROUPS.fullmatch(text)
    if found is None:
        raise OptionError(
            f"--groups is {text!r}; it must be a pattern and a number of groups, as in '*experts*=8', or in "
            "'*c_attn*=3@1' for groups of columns"
        )
    pattern, number, axis = found.groups()
    return pattern, int(number), int(axis or 0)


def parse_numbers(text: str | None, flag: str) -> list[float]:
    """Return the numbers that a text such as ``0.5,0.1`` names; none if there is no text.

    Raises:
        OptionError: if it is not written so.
    """
    try:
        return [] if text is None else [float(part) for part in text.split(",")]
    except ValueError as error:
        raise OptionError(f"{flag} is {text!r}; it must be numbers with commas, as in 0.5,0.1") from error


def refuse(options: Mapping[str, object], reason: str) -> None:
    """Raise an OptionError that names the first given option, as in ``--levels needs --curve``."""
    given = [flag for flag, value in options.items() if value is not None and value is not False]
    if given:
        raise OptionError(f"{given[0]} {reason}")
