"""The outputs of a pruning: their names, and the files that they may replace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import Checkpoint, files_of_copy, open_checkpoint
from topoimp.errors import CheckpointError, OptionError, OutputError
from topoimp.pruning.masks import is_mask

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Outputs:
    """The paths of a pruning's outputs.

    Args:
        checkpoint: the pruned checkpoint: a file, or a folder if the input is one.
        mask: the mask file.
        table: the CSV of the report.
        rounds: by round, the checkpoint of that round.
        are_folders: whether the checkpoints are folders.
    """

    checkpoint: Path
    mask: Path
    table: Path
    rounds: Mapping[int, Path]
    are_folders: bool

    @property
    def in_order(self) -> list[Path]:
        """All outputs, the checkpoint last, as the commit mark."""
        return [self.mask, self.table, *self.checkpoints]

    def by_role(self) -> dict[str, Path]:
        """Return the outputs by role."""
        rounds = {f"round_{number}": path for number, path in self.rounds.items()}
        return {"checkpoint": self.checkpoint, "mask": self.mask, "table": self.table, **rounds}

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoints: those of rounds, and the last one."""
        return [*self.rounds.values(), self.checkpoint]

    def check(self, checkpoint: Checkpoint, *others: Checkpoint) -> None:
        """Check that the outputs replace nothing that they must not; symbolic links are resolved first.

        Args:
            checkpoint: the checkpoint to prune.
            others: the other inputs.

        Raises:
            OptionError: if an output has no name, is an input, contains one, or lies inside one or another output.
            OutputError: if an output is a link, or a folder with a file that topoimp did not write.
        """
        for target in self.in_order:
            if target.name in ("", ".."):
                raise OptionError(f"the output is named {str(target)!r}; it needs a name of its own")

        try:
            self._check_apart()
            for source in (checkpoint, *others):
                for target in reversed(self.in_order):
                    _check_apart_from(target, source)
            for target in self.in_order:
                if target.is_symlink():
                    raise OutputError(f"{target}: is a link; name what it leads to")
            for target in self.checkpoints if self.are_folders else ():
                _refuse_foreign_folder(target, checkpoint)
        except (OSError, RuntimeError) as error:  # a name too long, a loop of links, a folder that cannot be read
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"{self.checkpoint}: cannot be written: {reason}") from error

    def _check_apart(self) -> None:
        for target in self.in_order:
            for folder in self.checkpoints if self.are_folders else ():
                if target != folder and _is_inside(target, folder):
                    raise OptionError(f"{target}: lies inside the output {folder}; it needs another place")


def plan_outputs(
    checkpoint: Checkpoint, output: Path | None, mask_output: Path | None, emit_rounds: Sequence[int], n_rounds: int
) -> Outputs:
    """Return the outputs of the pruning of a checkpoint.

    Args:
        checkpoint: the input.
        output: the pruned checkpoint; if None, it lies beside the input and is named after it.
        mask_output: the mask; if None, it lies beside the output.
        emit_rounds: the rounds whose checkpoints are written too.
        n_rounds: number of rounds.

    Raises:
        OptionError: if a name does not fit the type of the output, or a round does not exist.
    """
    folder, path = checkpoint.paths.folder, checkpoint.path
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
    if target.name in ("", ".."):
        raise OptionError(f"the output is named {str(target)!r}; it needs a name of its own")
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


def check_files(targets: Sequence[Path], checkpoint: Checkpoint) -> None:
    """Check that output files are no part of a checkpoint, and no links.

    Raises:
        OptionError: if a file is the input, contains it, or lies inside it.
        OutputError: if a file is a link, or its path cannot be read.
    """
    for target in targets:
        try:
            _check_apart_from(target, checkpoint)
            if target.is_symlink():
                raise OutputError(f"{target}: is a link; name what it leads to")
        except (OSError, RuntimeError) as error:  # as above
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"{target}: cannot be written: {reason}") from error


def _check_apart_from(target: Path, source: Checkpoint) -> None:
    """Check that neither an output nor an input contains the other; symbolic links are resolved first."""
    paths = source.paths
    parts = [source.path, *paths.weights, *filter(None, (paths.index, paths.folder))]
    if any(_is_same(target, part) for part in parts):
        raise OptionError(f"{target}: is the input; an output needs another name")
    if any(_is_inside(part, target) for part in parts):
        raise OptionError(f"{target}: holds the input; an output needs another name")
    if paths.folder is not None and _is_inside(target, paths.folder):
        raise OptionError(f"{target}: lies inside the input {paths.folder}; an output needs another place")


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder, by its name or after resolving links."""
    parents = (path.absolute().parent.resolve(), path.resolve().parent)
    return any(parent == folder.resolve() or folder.resolve() in parent.parents for parent in parents)


def _refuse_foreign_folder(target: Path, source: Checkpoint) -> None:
    """Refuse to replace a folder with a file in it that topoimp did not write."""
    if not target.is_dir() or not any(target.iterdir()):
        return
    try:
        existing = open_checkpoint(target)
    except CheckpointError:
        existing = None
    if existing is None or "topoimp.version" not in existing.metadata or is_mask(existing):
        raise OutputError(f"{target}: exists already, and topoimp did not write it; name another output")

    weights = [file.name for file in (*existing.paths.weights, existing.paths.index) if file is not None]
    own = {*files_of_copy(source), *weights}
    names = sorted(str(file.relative_to(target)) for file in target.rglob("*") if file.is_file())
    foreign = [name for name in names if name not in own]
    if foreign:
        raise OutputError(f"{target}: holds {foreign[0]}, which topoimp did not write; name another output")
