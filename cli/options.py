"""The options that several commands share: one word, one meaning, one help text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topoimp.choices import NeuralPersistence, Scale, View

if TYPE_CHECKING:
    from topoimp.layers.catalogue import LayerPatterns


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


CheckpointPath = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT",
        help="A .safetensors file, a folder or index of shards, or a PyTorch file that is safe to load.",
        show_default=False,
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Only layers whose name matches: a glob, or re: and a regular expression. Repeatable.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Not the layers whose name matches; as --include. Repeatable."),
]
Embeddings = Annotated[
    bool,
    typer.Option("--embeddings", help="Embeddings and heads too (names with embed, wte, wpe or lm_head)."),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--groups",
        metavar="PATTERN=G",
        help="Tensors that hold G graphs along their first axis: grouped convolutions, stacked experts. Repeatable.",
    ),
]
ViewOption = Annotated[
    View,
    typer.Option("--view", help="Convolutions as matrices, or channel by channel: a kernel's strongest weight."),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", help="Cores to use; results do not depend on it.", show_default="all cores"),
]
ScaleOption = Annotated[
    Scale | None,
    typer.Option(
        "--scale",
        help="What deaths are divided by: the largest strength of the network or the layer, or nothing.",
        show_default="as --np needs",
    ),
]
Convention = Annotated[
    NeuralPersistence | None,
    typer.Option(
        "--np",
        help="Convention of the neural persistence shown; CSV and JSON have all three.",
        show_default="rieck",
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How the result is printed.")]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="R",
        help="Share of the remaining weights that one round removes, in (0, 1).",
        show_default="0.2",
    ),
]
FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        metavar="CONDITION",
        help="Exit with 3 if a row matches, as in 'barcode_kept==0' or 'network:retention<0.9'. Repeatable.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing outputs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="More notes on stderr: every tensor that was left out.")]


def layer_patterns(
    include: list[str] | None,
    exclude: list[str] | None,
    groups: list[str] | None,
    *,
    embeddings: bool,
    view: View = View.MATRIX,
) -> "LayerPatterns":
    """Give which layers are looked at, and how, from what the options say.

    Raises:
        OptionError: if groups are not written as PATTERN=G.
    """
    from topoimp.layers.catalogue import LayerPatterns

    parsed = tuple(map(_group, groups or ()))
    return LayerPatterns(tuple(include or ()), tuple(exclude or ()), embeddings=embeddings, groups=parsed, view=view)


def _group(text: str) -> tuple[str, int]:
    from topoimp.errors import OptionError

    pattern, _, number = text.rpartition("=")
    if not pattern or not re.fullmatch(r"[0-9]{1,9}", number) or int(number) < 1:
        raise OptionError(f"--groups is {text!r}; it must be a pattern and a number of groups, as in '*experts*=8'")
    return pattern, int(number)
