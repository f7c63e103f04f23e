"""Report how pruning or training changed the topology of a checkpoint, beside chance."""

from pathlib import Path

from topoimp.chance.shuffling import Null, parse_null
from topoimp.checkpoint import AnyPath, open_checkpoint
from topoimp.choices import Essential, check_seed, chosen
from topoimp.commands.compare_rows import comparison_rows
from topoimp.comparison.comparison import MaskedReference, Other, compare_layers, other_checkpoint
from topoimp.errors import CheckpointError, OptionError
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.catalogue import LayerPatterns, Layers
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.pruning.masks import is_mask, masks_for, read_masks
from topoimp.reports.columns import Row
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings, left_out, pattern_settings
from topoimp.rounds.finished import ComparedFiles, files_of


def comparison_report(
    reference: AnyPath,
    *others: AnyPath,
    patterns: LayerPatterns | None = None,
    null: Null | str | None = None,
    seed: int = 0,
    essential: Essential | str = Essential.DIES_AT_ZERO,
    p: float = 2.0,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report, layer by layer, how much others have of a reference's topology, and how much chance would keep.

    Everything is measured at the scale of the reference, so that all rows compare. The numbers of chance are those of
    ``topoimp.chance.forest_by_chance``, which ``bound`` with densities has too.

    Args:
        reference: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        others: at least one. A checkpoint with the same layers, whose types may differ; a mask, which stands for the
            reference under it; or a folder of rounds of pruning (``topoimp.rounds.finished``), which stands for each of
            its rounds. The mask of a round says which weights it keeps, and its weights give the bars.
        patterns: which layers; all but embeddings and heads if None.
        null: shuffles of the reference, as in ``shuffle:20``; only those that replace a closed form if None.
        seed: of all shuffles, at least 0.
        essential: death of essential bars in distances.
        p: of the norm of neural persistences, at least 1.
        threads: cores to use; all if None. The result does not depend on it.
        on_step: called after each layer.

    Returns:
        a row for each layer and one for the network; of several others, or a folder of rounds, one after the other,
        with the column ``other``.

    Raises:
        OptionError: if there is nothing to compare with, or an argument is out of range.
        LayerError: if layers differ in name or shape.
        TopoimpError: if a file, layer or pattern cannot be used.
    """
    patterns = patterns or LayerPatterns()
    essential = chosen(Essential, essential)
    null = parse_null(null) if isinstance(null, str) else null
    check_seed(seed)
    if not others:
        raise OptionError(f"{reference}: there is nothing to compare it with; at least one other is needed")

    opened = open_checkpoint(reference)
    if is_mask(opened):
        raise CheckpointError(f"{opened.path}: is a mask; the reference needs weights")
    files = [found for other in others for found in files_of(Path(other))]
    layers = select_layers(opened, patterns)
    stream = LayerStream(layers, thread_count(threads), counted(on_step, len(layers.infos)))
    compared = compare_layers(stream, [_opened(file, layers) for file in files], null=null, seed=seed)

    # A single checkpoint or mask needs no column that names it.
    is_one = len(files) == 1 and files[0].round is None
    has_rounds = any(file.round is not None for file in files)
    rows: list[Row] = []
    for file, pairs in zip(files, compared, strict=True):
        of_round: Row = {"seed": file.seed, "round": file.round} if has_rounds else {}
        name: Row = {} if is_one else {"other": file.name, **of_round}
        rows += [{**row, **name} for row in comparison_rows(pairs, essential, p, stream.threads)]

    chance: Settings = {"null": None if null is None else str(null), "seed": seed}
    settings = {**pattern_settings(patterns), **chance, "essential": essential, "p": p}
    names = ["other"] if len(others) == 1 else [f"other-{number + 1}" for number in range(len(others))]
    inputs = dict(zip(["reference", *names], map(Path, (reference, *others)), strict=True))
    return Report("compare", inputs, settings, rows, left_out(layers))


def _opened(file: ComparedFiles, reference: Layers) -> Other:
    """Open a checkpoint or mask to compare the reference with."""
    opened = open_checkpoint(file.path)
    patterns = reference.patterns
    if not is_mask(opened):
        masks = None if file.mask is None else read_masks(file.mask)
        return other_checkpoint(reference, select_layers(opened, patterns), masks)
    patterns.check_matrix_view(f"{opened.path} is a mask, and needs")
    return MaskedReference(reference, masks_for(reference, opened))
