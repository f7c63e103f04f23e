"""The options that only ``topoimp prune`` has."""

from pathlib import Path
from typing import Annotated

import typer

from topoimp.choices import MaskShuffle, Method, Preset, PruningSchedule, Scope

from .training_options import TRAINING

PruningInput = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT|RUN",
        help="A checkpoint as for the other commands, or a run folder of train, whose rounds are trained.",
        show_default=False,
    ),
]
Rounds = Annotated[
    int | None,
    typer.Option(
        "--rounds",
        metavar="N",
        help="Number of rounds, from 1 to 1000.",
        show_default="as many as --sparsity needs",
    ),
]
Sparsity = Annotated[
    float | None,
    typer.Option(
        "--sparsity",
        metavar="S",
        help="Share of the selected weights that is zero after the last round, in (0, 1).",
        show_default="as --rounds gives",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Path of the pruned checkpoint, or of the rounds of --trainer. A PyTorch file becomes a PyTorch file, or "
        "a safetensors file if OUT ends in .safetensors.",
        show_default="the name of CHECKPOINT with .pruned before its ending",
    ),
]
ScheduleOption = Annotated[
    PruningSchedule | None,
    typer.Option(
        "--schedule",
        help="Whether a round removes the share --rate of the remaining weights, or the same number in each round "
        "(linear: --rate is then the share of the weights at round 0).",
        show_default="geometric",
    ),
]
PresetOption = Annotated[
    Preset | None,
    typer.Option(
        "--preset",
        help="Published procedure: paper (Balwani & Krzyston) is --schedule linear, --rewind none, --scope layer and "
        "one rate; frankle-carbin is --schedule geometric and --rewind init. Options that contradict it are refused.",
        show_default="none",
    ),
]
MethodOption = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="METHOD|FILE.py:FUNCTION",
        help=f"Rule by which weights are kept: {', '.join(Method)}, or a function of your own, which is run as code.",
        show_default="topological",
    ),
]
Epsilon = Annotated[
    float,
    typer.Option(
        "--epsilon",
        metavar="E",
        help="Share of the largest |w| up to which topological protects no death, in [0, 1]: 0 protects all, 1 none.",
    ),
]
PathsBelow = Annotated[
    str | None,
    typer.Option(
        "--paths-below",
        metavar="auto|D|off-path:S",
        help="Density D, in [0, 1], from which down the method paths keeps whole paths; above it, it keeps the "
        "strongest weights, as magnitude does. off-path:S: from the first round in which more than the share S of "
        "the weights that magnitude would keep is on no path. auto: S is 0, or 0.015 with training between the rounds.",
        show_default="auto",
    ),
]
Inputs = Annotated[
    str | None,
    typer.Option(
        "--inputs",
        metavar="ones|data|FILE.npy",
        help="Strength of the inputs for the method paths: 1 each, the deviation of each over the training images, or "
        "the numbers in a file, one for each input.",
        show_default="data where topoimp trains, else ones",
    ),
]
ScopeOption = Annotated[
    Scope | None,
    typer.Option(
        "--scope",
        help="Whether each layer has a target, its outputs share it evenly (row), all layers share one (global), or "
        "the shapes of the layers split a shared one (erk, Erdos-Renyi-kernel densities).",
        show_default="the preset's or the recipe's, else layer",
    ),
]
LayerRate = Annotated[
    list[str] | None,
    typer.Option(
        "--layer-rate",
        metavar="PATTERN=R",
        help="Rate R, in [0, 1), of the layers that match PATTERN. Repeatable.",
        show_default="the recipe's, or --rate",
    ),
]
LayerSparsity = Annotated[
    list[str] | None,
    typer.Option(
        "--layer-sparsity",
        metavar="PATTERN=S|FILE.csv",
        help="Sparsity S, in [0, 1], on which the layers that match PATTERN land; repeatable. Or a table of layers "
        "with a column sparsity or safe_sparsity, as bound --format csv prints it. One round unless --rounds says "
        "more; other layers stay as they are without --sparsity and --rate.",
        show_default="--sparsity",
    ),
]
OutputRate = Annotated[
    str | None,
    typer.Option(
        "--output-rate",
        metavar="half|same|R",
        help="Rate of the output layer: half of --rate, the same, or R, in [0, 1).",
        show_default="the recipe's, or --rate",
    ),
]
OutputLayer = Annotated[
    str | None,
    typer.Option(
        "--output-layer",
        metavar="NAME",
        help="Layer that classifies; pruned at --output-rate.",
        show_default="the recipe's; a checkpoint has none",
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        metavar="N:M",
        help="Of every M consecutive weights of a row, or of a column of the layers of --output-columns, at most N are "
        "kept, as in 2:4; M is at most 32. It takes the place of rounds, amounts and scope.",
        show_default="rounds",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="S",
        help="Seed of the method random, of --shuffle-mask, and of the simulations of --dry-run, at least 0.",
        show_default="0",
    ),
]
MaskOut = Annotated[
    Path | None,
    typer.Option(
        "--mask-out", metavar="FILE", help="Path of the mask.", show_default="beside OUT, as STEM.mask.safetensors"
    ),
]
EmitRounds = Annotated[
    str | None,
    typer.Option(
        "--emit-rounds",
        metavar="K,...",
        help="Rounds whose checkpoints are written too, as in 3,7.",
        show_default="none",
    ),
]
ApplyMask = Annotated[
    Path | None,
    typer.Option(
        "--apply-mask",
        metavar="FILE",
        help="Prune by this mask, of any tool, or by the zeros of this checkpoint, in place of rounds.",
        show_default="rounds",
    ),
]
RepairMask = Annotated[
    Path | None,
    typer.Option(
        "--repair",
        metavar="FILE",
        help="Prune by this mask as --apply-mask does, changed as little as keeps every barcode: missing edges of the "
        "forests come back, and as many of the weakest others go.",
        show_default="rounds",
    ),
]
ShuffleMask = Annotated[
    MaskShuffle | None,
    typer.Option(
        "--shuffle-mask",
        help="Keep as many weights as the mask of --apply-mask in random places of --seed: over each layer, within its "
        "rows, within its columns, or with the number of each row and column.",
        show_default="no shuffle",
    ),
]
Rewind = Annotated[
    str | None,
    typer.Option(
        "--rewind",
        metavar="init|step:K|none",
        help="Weights from which the training of each round starts: the initial ones, those after step K, or those of "
        "the last round.",
        show_default="the recipe's step",
        rich_help_panel=TRAINING,
    ),
]
RewindFrom = Annotated[
    Path | None,
    typer.Option(
        "--rewind-from",
        metavar="FILE",
        help="Checkpoint from which the training of each round starts; without training its weights are written "
        "under the mask.",
        show_default="none",
        rich_help_panel=TRAINING,
    ),
]
TrainerOption = Annotated[
    str | None,
    typer.Option(
        "--trainer",
        metavar="'CMD {init} {mask} {out}'",
        help="Command that trains each round (docs/trainers.md).",
        show_default="training by the recipe",
        rich_help_panel=TRAINING,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="Longest time in seconds that --trainer may take for one round, above 0.",
        show_default="no limit",
        rich_help_panel=TRAINING,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Exit with 3 where a target is below a floor, or a forest does not fit in --pattern, and write nothing of "
        "that round.",
    ),
]
CompressedSize = Annotated[
    bool,
    typer.Option(
        "--compressed-size",
        help="Report the bytes of the written checkpoint under zstd, level 3, too; needs the extra zstd of topoimp.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the rounds, their floors and barcodes, disk space and memory; write nothing."
    ),
]
ClusterOfPruning = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS|local:N|slurm|FILE.yaml",
        help="Machines that do the replicates of a run, or look at the layers of a checkpoint and write its shards: as "
        "for train and barcode.",
        show_default="TOPOIMP_CLUSTER, or this machine",
    ),
]
