"""What a reference is compared with, found from a path: a checkpoint, a mask, or every round of some prunings."""

import re
from dataclasses import dataclass
from pathlib import Path

from topoimp.errors import CheckpointError
from topoimp.layers.catalogue import natural
from topoimp.rounds.run_folder import RoundFiles, is_run_folder


@dataclass(frozen=True)
class OtherFiles:
    """One thing that a reference is compared with.

    Args:
        path: a checkpoint or a mask.
        name: what a report calls it.
        mask: the mask under which the checkpoint was trained, if it is one of a round.
        seed: of the round.
        round: its number, 0 for the unpruned network.
    """

    path: Path
    name: str
    mask: Path | None = None
    seed: int | None = None
    round: int | None = None


def files_of(path: Path) -> list[OtherFiles]:
    """Give what a path stands for.

    Args:
        path: a checkpoint or a mask, which stands for itself; a run folder, one of ``prune --trainer``, or the folder
            of one of its seeds or prunings: then for all finished rounds in it, seed by seed.

    Raises:
        CheckpointError: if it is such a folder without a finished round.
    """
    prunings = _prunings(path)
    if not prunings and not is_run_folder(path):
        return [OtherFiles(path, str(path))]
    found = [other for folder in prunings for other in _rounds(folder)]
    if not found:
        raise CheckpointError(f"{path}: holds no finished round of pruning; topoimp prune makes them")
    return found


def _prunings(path: Path) -> list[Path]:
    """Give the folders of prunings in a folder, which may be one itself."""
    patterns = ("pruning.toml", "*/pruning.toml", "seed-*/*/pruning.toml")
    found = [settings.parent for pattern in patterns for settings in path.glob(pattern)] if path.is_dir() else []
    return sorted(found, key=lambda folder: natural(str(folder)))


def _rounds(folder: Path) -> list[OtherFiles]:
    """Give the finished rounds of a pruning; one that was removed hides none of those after it."""
    _, _, seed = folder.resolve().parent.name.partition("seed-")
    found = []
    for number in _finished(folder):
        files = RoundFiles(folder)
        if not files.model(number).exists():  # the input was a folder
            files = RoundFiles(folder, suffix="")
        found.append(
            OtherFiles(
                path=files.model(number),
                name=str(files.round(number)),
                mask=files.mask(number),
                seed=int(seed) if seed.isdecimal() else None,
                round=number,
            )
        )
    return found


def _finished(folder: Path) -> list[int]:
    """Give the numbers of the finished rounds of a pruning: those with metrics."""
    names = (metrics.parent.name for metrics in folder.glob("round-*/metrics.json"))
    return sorted(int(name.removeprefix("round-")) for name in names if re.fullmatch("round-[0-9]{2,}", name))
