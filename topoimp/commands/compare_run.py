"""Compare the rounds of prunings with their own unpruned network, or each round with the one before."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from topoimp.chance.null import Null
from topoimp.checkpoint import Checkpoint, open_checkpoint
from topoimp.choices import RoundReference
from topoimp.commands.initial_weights import with_initial_weights
from topoimp.comparison.comparison import LayerComparison, compare_in_turn, compare_layers
from topoimp.comparison.others import MaskedReference, Other, OtherCheckpoint, ReferenceItself, other_checkpoint
from topoimp.comparison.scales import Scales, scales_in_turn, scales_of
from topoimp.errors import OptionError
from topoimp.layers.records import LayerPatterns, Layers
from topoimp.layers.streaming import LayerStream, Workers
from topoimp.layers.tensors import select_layers
from topoimp.pruning.applied_masks import is_mask_of, masks_for
from topoimp.pruning.masks import is_mask, read_masks
from topoimp.reports.rows import Settings
from topoimp.rounds.finished import ComparedFiles, RoundSelection, earlier_round


@dataclass(frozen=True)
class Pass:
    """Rounds that are compared in one pass over their weights: the reference of the first, or of all of them."""

    reference: ComparedFiles
    rounds: Sequence[ComparedFiles]

    def layers(self, patterns: LayerPatterns) -> Layers:
        """Return the selected layers of the reference."""
        return select_layers(open_checkpoint(self.reference.path), patterns)


def passes_over(rounds: Sequence[ComparedFiles], reference: RoundReference) -> list[Pass]:
    """Return the passes that compare rounds with their references, pruning by pruning.

    With the reference ``previous``, rounds that follow each other share a pass, and round 0 has no reference.
    Raises a CheckpointError if a reference is missing.
    """
    if reference is RoundReference.ROUND_0:
        prunings = [list(group) for _, group in groupby(rounds, key=lambda file: file.pruning)]
        return [Pass(earlier_round(group[0], 0), group) for group in prunings]

    pruned = [file for file in rounds if file.round]
    places = enumerate(pruned)
    chains = groupby(places, key=lambda place: (place[1].pruning, (place[1].round or 0) - place[0]))
    in_turn = [[file for _, file in chain] for _, chain in chains]
    return [Pass(earlier_round(chain[0], (chain[0].round or 1) - 1), chain) for chain in in_turn]


def reference_of(file: ComparedFiles, reference: RoundReference) -> Path:
    """Return the checkpoint that a round is compared with."""
    number = 0 if reference is RoundReference.ROUND_0 else (file.round or 1) - 1
    return earlier_round(file, number).path


def compare_rounds(
    passes: Sequence[Pass],
    reference: RoundReference,
    patterns: LayerPatterns,
    *,
    nulls: Sequence[Null],
    seed: int,
    threads: int,
    workers: Workers | None,
    on_layer: Callable[[], None],
) -> Iterator[tuple[ComparedFiles, list[LayerComparison], Scales]]:
    """Yield each round, its layers beside those of its reference, and their scales.

    A pass is read when its first round is asked for, each weight once. ``on_layer`` is called after each layer of a
    pass.
    """
    for each in passes:
        stream = LayerStream(each.layers(patterns), threads, on_layer, workers)
        of_seed = with_initial_weights(nulls, stream.layers)
        if reference is RoundReference.PREVIOUS:
            in_turn = _in_turn(each.rounds, stream.layers)
            compared = compare_in_turn(stream, in_turn, nulls=of_seed, seed=seed)
            scales = scales_in_turn(stream, in_turn, compared)
        else:
            others = [ReferenceItself() if file.round == 0 else _opened(file, stream.layers) for file in each.rounds]
            compared = compare_layers(stream, others, nulls=of_seed, seed=seed)
            scales = scales_of(stream, others, compared)
        yield from zip(each.rounds, compared, scales, strict=True)


def opened_round(file: ComparedFiles, opened: Checkpoint, reference: Layers) -> OtherCheckpoint:
    """Return the weights of a round, opened, with its mask, if it has one, to compare a reference with."""
    masks = None if file.mask is None else read_masks(file.mask)
    return other_checkpoint(reference, select_layers(opened, reference.patterns), masks)


def opened_other(file: ComparedFiles, opened: Checkpoint, reference: Layers) -> Other:
    """Return a checkpoint or mask as it is compared with the reference."""
    if not is_mask(opened) and (file.round is not None or not is_mask_of(reference, opened)):
        return opened_round(file, opened, reference)
    reference.patterns.check_matrix_view(f"{opened.path} is a mask, and needs")
    return MaskedReference(reference, masks_for(reference, opened))


def _opened(file: ComparedFiles, reference: Layers) -> OtherCheckpoint:
    return opened_round(file, open_checkpoint(file.path), reference)


def _in_turn(rounds: Sequence[ComparedFiles], first: Layers) -> list[OtherCheckpoint]:
    """Open rounds, each to be compared with the one before it."""
    others: list[OtherCheckpoint] = []
    for file in rounds:
        others.append(_opened(file, others[-1].layers if others else first))
    return others


def check_selection(selection: RoundSelection, finished: Sequence[ComparedFiles], *, across_seeds: bool) -> None:
    """Raise an OptionError if an argument about rounds is given, and no folder of rounds."""
    given = [name for name, value in selected(selection).items() if value is not None]
    given += ["across_seeds"] if across_seeds else []
    if given and not finished:
        raise OptionError(f"`{given[0]}` is about rounds of pruning, and none is compared")


def selected(selection: RoundSelection) -> Settings:
    """Return the settings that select rounds."""
    rounds = None if selection.rounds is None else [str(number) for number in selection.rounds]
    seeds = None if selection.seeds is None else [str(seed) for seed in selection.seeds]
    return {"rounds": rounds, "seeds": seeds, "method": selection.method}
