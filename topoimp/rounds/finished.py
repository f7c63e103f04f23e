"""The checkpoints and masks that a path stands for in a comparison: one file, or the finished rounds in a folder."""

from dataclasses import dataclass
from pathlib import Path

from topoimp.errors import CheckpointError
from topoimp.rounds.run_folder import PruningFiles, is_run_folder, prunings_in


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


def files_of(path: Path) -> list[ComparedFiles]:
    """Return the checkpoint or mask at a path, or all finished rounds of a folder, seed by seed.

    Such a folder is a run folder, one that ``prune_with_trainer`` wrote, or in these the folder of a seed or a pruning.
    A round that was removed hides none of those after it. A folder without finished rounds is a CheckpointError.
    """
    prunings = prunings_in(path)
    if not prunings and not is_run_folder(path):
        return [ComparedFiles(path, str(path))]

    found = [_files_of_round(pruning, number) for pruning in prunings for number in pruning.finished()]
    if not found:
        raise CheckpointError(f"{path}: holds no finished round of pruning; topoimp prune makes them")
    return found


def _files_of_round(pruning: PruningFiles, number: int) -> ComparedFiles:
    round_ = pruning.round(number)
    if not round_.model.exists():  # the input was a folder
        round_ = PruningFiles(pruning.folder, suffix="").round(number)
    return ComparedFiles(round_.model, str(round_.folder), round_.mask, pruning.seed, number)
