"""Whether the rounds of a pruning start from a given network: the forest of another seed is no reference for them."""

from collections.abc import Sequence
from pathlib import Path

from topoimp.checkpoint import open_checkpoint
from topoimp.comparison.others import OtherCheckpoint, other_checkpoint
from topoimp.comparison.weight_differences import weight_differences
from topoimp.errors import CheckpointError
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.tensors import select_layers
from topoimp.rounds.finished import ComparedFiles, earlier_round
from topoimp.rounds.run_folder import PruningFiles


def check_origin(reference: Layers, rounds: Sequence[ComparedFiles], threads: int) -> None:
    """Raise a CheckpointError unless the reference belongs to the seed of every pruning that has one of the rounds.

    It does if it lies in the folder of the seed, as initial or trained weights or as a round, or if its magnitudes are
    those of the pruning's round 0. Layers of other names or shapes are a LayerError.
    """
    place = reference.checkpoint.path.resolve()
    for pruning, file in {file.pruning: file for file in rounds}.items():
        if file.seed is not None and place.is_relative_to(pruning.parent.resolve()):
            continue

        if not PruningFiles(pruning).round(0).metrics.is_file():
            raise CheckpointError(
                f"{pruning}: has no finished round 0, which tells its network; `across_seeds` compares it all the same"
            )
        unpruned = select_layers(open_checkpoint(earlier_round(file, 0).path), reference.patterns)
        other = other_checkpoint(reference, unpruned)
        if not all(_is_same(info, other, threads) for info in reference.infos):
            of_seed = "" if file.seed is None else f" of seed {file.seed}"
            raise CheckpointError(_message(reference.checkpoint.path, of_seed, pruning))


def _message(path: Path, of_seed: str, pruning: Path) -> str:
    return (
        f"{path}: is not the network{of_seed} that {pruning} starts from; without a reference each round is compared "
        "with its own round 0, and `across_seeds` compares it with this one all the same"
    )


def _is_same(info: LayerInfo, other: OtherCheckpoint, threads: int) -> bool:
    """Return whether a layer has the same magnitudes in both."""
    other_info = other.infos[info.name]

    def after(start: int, stop: int) -> None:
        other.reference.done_with(info, start, stop)
        other.layers.done_with(other_info, start, stop)

    layer = other.reference.read(info)
    found = weight_differences(layer, other.layers.read(other_info), threads=threads, after=after)
    return found.largest_difference == 0
