"""The options that several commands share: one word, one meaning, one help text."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import NeuralPersistence, Scale


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


CheckpointPath = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A .safetensors file.", show_default=False)]
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
Force = Annotated[bool, typer.Option("--force", help="Replace existing outputs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="More notes on stderr: every tensor that was left out.")]
