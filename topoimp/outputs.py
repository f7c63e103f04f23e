"""Where a pruning writes: what its outputs are called, and what they may replace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import Checkpoint, open_checkpoint
from topoimp.errors import CheckpointError, OptionError, OutputError

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Outputs:
    """Where a pruning writes.

    Args:
        checkpoint: the pruned checkpoint: a file, or a folder if the input is one.
        mask: which weights it keeps, packed.
        table: a row per round and layer, CSV.
        rounds: by round, a checkpoint of that round.
        are_folders: whether checkpoints are folders.
    """

    checkpoint: Path
    mask: Path
    table: Path
    rounds: Mapping[int, Path]
    are_folders: bool

    @property
    def in_order(self) -> list[Path]:
        """All of them, the checkpoint last: it is there only if the others are."""
        return [self.mask, self.table, *self.checkpoints]

    def by_role(self) -> dict[str, Path]:
        """Give each path with what it is."""
        rounds = {f"round_{number}": path for number, path in self.rounds.items()}
        return {"checkpoint": self.checkpoint, "mask": self.mask, "table": self.table, **rounds}

    @property
    def checkpoints(self) -> list[Path]:
        """Those of rounds, and the last one."""
        return [*self.rounds.values(), self.checkpoint]

    def refuse_inputs(self, sources: Sequence[Path]) -> None:
        """Make sure that no output is one of the inputs.

        Raises:
            OptionError: if one is.
        """
        for target in self.in_order:
            if any(_is_same(target, source) for source in sources):
                raise OptionError(f"{target}: is the input; an output needs another name")

    def refuse_foreign_folders(self, source: Path) -> None:
        """Make sure that no folder is replaced that holds the input, or anything that topoimp did not write.

        Raises:
            OptionError: if an output holds the input.
            OutputError: if it is a folder that topoimp did not write.
        """
        for target in self.checkpoints if self.are_folders else ():
            _refuse_foreign_folder(target, source)


def plan_outputs(
    checkpoint: Checkpoint, output: Path | None, mask_output: Path | None, emit_rounds: Sequence[int], n_rounds: int
) -> Outputs:
    """Give where the pruning of a checkpoint writes.

    Args:
        checkpoint: the input.
        output: the pruned checkpoint; beside the input, named after it, if None.
        mask_output: the mask; beside the output if None.
        emit_rounds: rounds of which a checkpoint is written too.
        n_rounds: how many rounds there are.

    Raises:
        OptionError: if a name does not fit what is written, or there is no such round.
    """
    folder, path = checkpoint.found.folder, checkpoint.path
    suffix = SUFFIX if folder is None else ""
    if output is not None:
        target = Path(output)
    elif folder is None:
        target = path.with_name(f"{path.stem}.pruned{SUFFIX}")
    else:
        named = folder if folder.name not in ("", "..") else folder.resolve()
        target = named.with_name(f"{named.name}.pruned")
    if folder is None and target.suffix != SUFFIX:
        raise OptionError(f"the output is named {target}; the name of a checkpoint ends in {SUFFIX}")
    if folder is not None and target.suffix == SUFFIX:
        raise OptionError(f"the output is named {target}; the input is a folder, and so is the output")
    for number in emit_rounds:
        if not 1 <= number <= n_rounds:
            raise OptionError(f"round {number} is to be written; there are rounds 1 to {n_rounds}")
    stem = target.stem if folder is None else target.name
    return Outputs(
        checkpoint=target,
        mask=target.with_name(f"{stem}.mask{SUFFIX}") if mask_output is None else Path(mask_output),
        table=target.with_name(f"{stem}.csv"),
        rounds={n: target.with_name(f"{stem}.round-{n:02}{suffix}") for n in sorted(set(emit_rounds))},
        are_folders=folder is not None,
    )


def _is_same(target: Path, path: Path) -> bool:
    try:
        return target.resolve() == path.resolve() or (target.exists() and path.exists() and target.samefile(path))
    except (OSError, RuntimeError):  # a path that cannot be followed is said to be one where it is opened
        return False


def _refuse_foreign_folder(target: Path, path: Path) -> None:
    """Refuse to replace a folder with anything in it that topoimp did not write, or one that holds the input."""
    if path.resolve().is_relative_to(target.resolve()):
        raise OptionError(f"{target}: holds the input; an output needs another name")
    if not target.is_dir() or not any(target.iterdir()):
        return
    try:
        is_ours = "topoimp.version" in open_checkpoint(target).metadata
    except CheckpointError:
        is_ours = False
    if not is_ours:
        raise OutputError(f"{target}: exists already, and topoimp did not write it; name another output")
