"""The checkpoints and masks that a path stands for in a comparison: one file, or the finished rounds in a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeVar

from topoimp.errors import CheckpointError, OptionError
from topoimp.rounds.run_folder import PruningFiles, is_run_folder, prunings_in

LAST = "last"
"""Word for the last finished round of each pruning."""

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class ComparedFiles:
    """A checkpoint or a mask that is compared with a reference, and its name in reports.

    A round, counted from 0, has a seed and the mask under which the checkpoint was trained.
    """

    path: Path
    name: str
    mask: Path | None = None
    seed: int | None = None
    round: int | None = None

    @property
    def pruning(self) -> Path:
        """Folder of the pruning that a round belongs to."""
        return Path(self.name).parent

    def is_of(self, method: str) -> bool:
        """Return whether a round belongs to a pruning by a method, which the name of its folder begins with."""
        return f"{self.pruning.name}-".startswith(f"{method}-")


@dataclass(frozen=True)
class RoundSelection:
    """Rounds to select among the finished ones of a folder; each field None selects all.

    Args:
        rounds: numbers of rounds, and ``last`` for the last finished round of each pruning.
        seeds: seeds of the networks.
        method: method of the prunings.
    """

    rounds: Sequence[int | str] | None = None
    seeds: Sequence[int] | None = None
    method: str | None = None

    def __post_init__(self) -> None:
        for name, values in (("rounds", self.rounds), ("seeds", self.seeds)):
            if values is not None and not values:
                raise OptionError(f"`{name}` is empty; it must name at least one")
        wrong = [word for word in self.rounds or () if not (word == LAST or (isinstance(word, int) and word >= 0))]
        if wrong:
            raise OptionError(f"`rounds` names {wrong[0]!r}; it must be numbers from 0 on, or {LAST}")

    def of(self, found: Sequence[ComparedFiles], path: Path) -> list[ComparedFiles]:
        """Return the selected rounds, in their order; a CheckpointError names a value that selects none at ``path``."""
        methods = None if self.method is None else [self.method]
        found = _matching(found, self.seeds, lambda file, seed: file.seed == seed, f"{path}: has no round of seed")
        found = _matching(found, methods, lambda file, method: file.is_of(method), f"{path}: has no round of method")

        last = {file.pruning: file.round for file in found}  # rounds come in order
        return _matching(
            found,
            self.rounds,
            lambda file, number: file.round == (last[file.pruning] if number == LAST else number),
            f"{path}: has no finished round",
        )


def _matching(
    found: Sequence[ComparedFiles],
    values: Sequence[_Value] | None,
    matches: Callable[[ComparedFiles, _Value], bool],
    message: str,
) -> list[ComparedFiles]:
    """Return the files that match one of the values, each of which must match one; all for None."""
    if values is None:
        return list(found)
    for value in values:
        if not any(matches(file, value) for file in found):
            raise CheckpointError(f"{message} {value}")
    return [file for file in found if any(matches(file, value) for value in values)]


def check_paths(paths: Sequence[object]) -> None:
    """Raise an OptionError for a module or an array in place of a path."""
    for path in paths:
        if not isinstance(path, str | PathLike):
            needed = "paths of checkpoints, masks or rounds are needed (`mask_report` takes a module)"
            raise OptionError(f"`paths` has a {type(path).__name__}; {needed}")


def files_of(path: Path, selection: RoundSelection | None = None) -> list[ComparedFiles]:
    """Return the checkpoint or mask at a path, or the selected finished rounds of a folder, seed by seed.

    Such a folder is a run folder, one that ``prune_with_trainer`` wrote, or in these the folder of a seed or a pruning.
    A round that was removed hides none of those after it. A folder without finished rounds, or without a selected
    seed, method or round, is a CheckpointError.
    """
    prunings = prunings_in(path)
    if not prunings and not is_run_folder(path):
        return [ComparedFiles(path, str(path))]

    found = [_files_of_round(pruning, number) for pruning in prunings for number in pruning.finished()]
    if not found:
        raise CheckpointError(f"{path}: holds no finished round of pruning; topoimp prune makes them")
    return (selection or RoundSelection()).of(found, path)


def holds_rounds(path: Path) -> bool:
    """Return whether ``files_of`` takes a path as a folder of rounds."""
    return is_run_folder(path) or bool(prunings_in(path))


def earlier_round(file: ComparedFiles, number: int) -> ComparedFiles:
    """Return an earlier round of the pruning that a round belongs to; a CheckpointError if it is not finished."""
    pruning = PruningFiles(file.pruning)
    if not pruning.round(number).metrics.is_file():
        raise CheckpointError(f"{pruning.folder}: has no finished round {number}, the reference of round {file.round}")
    return _files_of_round(pruning, number)


def _files_of_round(pruning: PruningFiles, number: int) -> ComparedFiles:
    round_ = pruning.round(number)
    if not round_.model.exists():  # the input was a folder
        round_ = PruningFiles(pruning.folder, suffix="").round(number)
    return ComparedFiles(round_.model, str(round_.folder), round_.mask, pruning.seed, number)
