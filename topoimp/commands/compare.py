"""Report how pruning or training changed the topology of a checkpoint, beside chance."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from topoimp.chance.null import NULLS_OF_EDGES, Null, parse_nulls
from topoimp.checkpoint import AnyPath, Content, Staging, as_place, open_checkpoints
from topoimp.choices import Essential, PictureSize, RoundReference, check_seed, chosen
from topoimp.commands.compare_evaluation import evaluated_files
from topoimp.commands.compare_graph import facts_of_other
from topoimp.commands.compare_measures import Measures
from topoimp.commands.compare_own import own_report
from topoimp.commands.compare_pictures import FIGURES, CompareResults, Deaths
from topoimp.commands.compare_rows import notes_on_chance
from topoimp.commands.compare_run import (
    check_selection,
    opened_other,
    selected,
)
from topoimp.commands.initial_weights import with_initial_weights
from topoimp.commands.pages import Page, PictureFiles
from topoimp.commands.pictures import Picture
from topoimp.comparison.comparison import compare_layers
from topoimp.comparison.matched_deaths import MatchedDeaths
from topoimp.comparison.others import MaskedReference, OtherCheckpoint
from topoimp.comparison.retention_columns import with_holm
from topoimp.comparison.scales import scales_of
from topoimp.engine.cluster import Cluster, notes_on_cluster, workers_on
from topoimp.errors import CheckpointError, OptionError
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.notes import notes_on, notes_on_files
from topoimp.layers.records import LayerPatterns
from topoimp.layers.scored import with_scores
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.network.chain import Chain, graph_of_chain, notes_on_chain, patterns_on_chain
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.masks import is_mask
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import with_evaluation
from topoimp.reports.report import Report
from topoimp.reports.rows import (
    chain_settings,
    key_settings,
    left_out,
    left_out_of_files,
    score_settings,
)
from topoimp.rounds.finished import RoundSelection, check_paths, files_of, holds_rounds
from topoimp.rounds.origin import check_origin
from topoimp.rounds.run_graph import graph_of_run
from topoimp.writing.outputs import check_files


def comparison_report(
    *paths: AnyPath,
    reference: RoundReference | str | None = None,
    rounds: Sequence[int | str] | None = None,
    seeds: Sequence[int] | None = None,
    method: str | None = None,
    across_seeds: bool = False,
    key: str | None = None,
    patterns: LayerPatterns | None = None,
    chain: Chain | None = None,
    scores: AnyPath | None = None,
    null: Null | str | Sequence[Null | str] | None = None,
    seed: int = 0,
    essential: Essential | str = Essential.DIES_AT_ZERO,
    p: float = 2.0,
    evaluate: Evaluation | None = None,
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    report: AnyPath | None = None,
    force: bool = False,
    threads: int | None = None,
    cluster: Cluster | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report, layer by layer, how much others have of a reference's topology, and how much chance would keep.

    Distances are measured at the scale of the reference, so that all rows compare; neural persistences each at the
    scale of its own checkpoint, so that they are those of ``barcode``. The scale of a checkpoint is its own,
    ``topoimp.topology.own_scale``: layers that are not compared, such as embeddings, are read for it once. The numbers
    of chance are those of ``topoimp.chance.forest_by_chance``, which ``bound`` with densities has too.

    Args:
        paths: a reference, and at least one other to compare it with; or only folders of rounds of pruning
            (``topoimp.rounds.finished``), in which every round has a reference of its own. A reference is a checkpoint,
            as ``topoimp.checkpoint.open_checkpoint`` takes it. Another is a checkpoint with the same layers, whose
            types may differ; a mask, which stands for the reference under it; or a folder of rounds, which stands for
            each of them. The mask of a round says which weights it keeps, and its weights give the bars.
        reference: of each round where no path is one: ``round-0``, the unpruned network of the same seed, also if
            None; or ``previous``, the trained weights of the round before, on which the round's mask was found. Round 0
            has none before it, and no rows then.
        rounds: numbers of the rounds to compare, and ``last`` for the last of each pruning; all if None.
        seeds: networks whose rounds are compared; all if None.
        method: method whose rounds are compared; all if None.
        across_seeds: compare a reference also with rounds that start from another network.
        key: the state dict to read of PyTorch files that hold several (``topoimp.checkpoint.open_checkpoint``). A file
            without it must have no choice: a single state dict, or a safetensors file.
        patterns: which layers; all but embeddings and heads if None.
        chain: the layers of the network in their order, each behind the one before, for the columns of paths
            (``topoimp.network.chain``). They alone are compared, unless the patterns include layers by name.
        scores: a file of scores (``topoimp.layers.scored``), which take the place of |w| in all that is compared.
        null: a null model of the reference, as in ``columns:200``, or several; the closed form alone if None.
        seed: of all simulations, at least 0.
        essential: death of essential bars in distances.
        p: of the norm of neural persistences, at least 1.
        evaluate: a command that prints numbers about a checkpoint (``topoimp.programs.evaluation``): about each
            reference and each other, which is no mask then.
        plot: an .svg, .pdf or .png file for a picture (``topoimp.commands.compare_pictures``).
        figure: name of the picture's figure; the first that goes with the paths if None.
        size: width of the picture; ``column`` if None.
        report: an .html file for a page with this report and all figures (``topoimp.pages``).
        force: replace existing files.
        threads: cores to use; all if None. The result does not depend on it.
        cluster: machines that look at the layers in place of this one (``topoimp.engine.cluster``).
        on_step: called after each layer.

    Returns:
        a row for each layer and one for the network; of several others, or a folder of rounds, one after the other,
        with the column ``other``. Rounds also have ``seed`` and ``round``; with a reference of its own each also has
        ``pruning``. With null models all rows are repeated for each, which the column ``null`` names.

    Raises:
        OptionError: if there is nothing to compare with, or an argument is out of range or means nothing.
        LayerError: if layers differ in name or shape.
        CheckpointError: if a reference is not the network that rounds start from (without ``across_seeds``), or there
            is no such round, seed or method.
        EvaluationError: if the evaluation fails.
        OutputError: if a file exists (without ``force``) or cannot be written, or a picture has no matplotlib.
        EngineError: if the cluster cannot be used.
        TopoimpError: if a file, layer or pattern cannot be used.
    """
    check_paths(paths)
    measures = Measures(
        patterns=patterns or LayerPatterns(),
        nulls=parse_nulls(null),
        seed=seed,
        essential=chosen(Essential, essential),
        p=p,
        threads=thread_count(threads),
        on_step=on_step,
        is_drawn=plot is not None or report is not None,
        evaluate=evaluate,
    )
    check_seed(seed)
    measures.patterns.check_edges_are_weights("a comparison is of weights, and needs")
    for each in measures.nulls:
        if each.model not in NULLS_OF_EDGES:
            measures.patterns.check_matrix_view(f"the null {each} is of weights, and needs")
    selection = RoundSelection(rounds, seeds, method)
    files = PictureFiles(Picture(FIGURES, plot, figure, size), Page(FIGURES, report))
    outputs = list(files.by_role.values())

    with workers_on(cluster) as workers, Staging(outputs, force=force) as staging:
        measures = replace(measures, workers=workers)
        if reference is not None or (paths and holds_rounds(Path(paths[0]))):
            if across_seeds:
                raise OptionError("`across_seeds` is given, but each round has a reference of its own seed")
            if chain is not None:
                raise OptionError("`chain` is given, but rounds without REFERENCE have the graph of their run folder")
            if scores is not None:
                raise OptionError("`scores` are of one reference; rounds without REFERENCE have several")
            if key is not None:
                raise OptionError("`key` is given, but the checkpoints of rounds are safetensors files")
            of_rounds = chosen(RoundReference, reference or RoundReference.ROUND_0)
            found, deaths = own_report(paths, of_rounds, selection, measures)
        else:
            found, deaths = _reference_report(
                paths,
                selection,
                measures,
                outputs=outputs,
                key=key,
                across_seeds=across_seeds,
                chain=chain,
                scores=scores,
            )
        found = replace(found, notes=[*found.notes, *notes_on_cluster(cluster)])
        found = files.write(staging, found, CompareResults(found.rows, deaths))
        if outputs:
            staging.commit()
    return found


def _reference_report(
    paths: Sequence[AnyPath],
    selection: RoundSelection,
    measures: Measures,
    *,
    outputs: Sequence[Path],
    key: str | None,
    across_seeds: bool,
    chain: Chain | None,
    scores: AnyPath | None,
) -> tuple[Report, Deaths]:
    """Report checkpoints, masks and rounds, all beside the first path, with the deaths for a picture."""
    if len(paths) < 2:
        given = f"{paths[0]}: there is nothing to compare it with" if paths else "there is nothing to compare"
        raise OptionError(f"{given}; at least one other is needed")
    reference, *others = paths

    files = [found for other in others for found in files_of(as_place(other), selection)]
    opened, *opened_files = open_checkpoints(
        reference, [file.path for file in files], key=key, content=Content.WEIGHTS_OR_MASK
    )
    if is_mask(opened):
        raise CheckpointError(f"{opened.path}: is a mask; the reference needs weights")
    check_files(outputs, opened, *opened_files)
    finished = [file for file in files if file.round is not None]
    check_selection(selection, finished, across_seeds=across_seeds)

    on_chain = None if chain is None else graph_of_chain(opened, chain)
    measures = replace(measures, patterns=patterns_on_chain(measures.patterns, on_chain))
    layers = select_layers(opened, measures.patterns)
    if not across_seeds:
        check_origin(layers, finished, measures.threads)
    layers = with_scores(layers, scores)
    check_files(outputs, *layers.files)
    stream = LayerStream(layers, measures.threads, counted(measures.on_step, len(layers.infos)), measures.workers)
    opened_others = [opened_other(file, each, layers) for file, each in zip(files, opened_files, strict=True)]
    masks = [file.path for file, other in zip(files, opened_others, strict=True) if isinstance(other, MaskedReference)]
    evaluated = evaluated_files(measures.evaluate, dict.fromkeys(files, as_place(reference)), masks)
    nulls = with_initial_weights(measures.nulls, layers)
    compared = compare_layers(stream, opened_others, nulls=nulls, seed=measures.seed)
    scales = scales_of(stream, opened_others, compared)

    # A single checkpoint or mask needs no column that names it.
    is_one = len(files) == 1 and not finished
    rows: list[Row] = []
    deaths: dict[tuple[str, str], MatchedDeaths] = {}
    graph = on_chain or graph_of_run(opened)
    for file, other, pairs, of_pair in zip(files, opened_others, compared, scales, strict=True):
        of_round: Row = {"seed": file.seed, "round": file.round} if finished else {}
        names: Row = {} if is_one else {"other": file.name, **of_round}
        facts = facts_of_other(graph, other, measures.threads)
        whole = other.layers.checkpoint if isinstance(other, OtherCheckpoint) else opened  # a mask is of the reference
        found = measures.rows(pairs, of_pair, whole, facts)
        rows += [{**row, **names} for row in with_evaluation(found, evaluated.get(file.name, {}))]
        deaths |= measures.deaths(file.name, pairs, of_pair)

    of_inputs = {**key_settings(key, opened), **score_settings(layers)}
    settings = {**of_inputs, **measures.settings(), **chain_settings(on_chain)}
    if finished:
        settings |= {"across_seeds": across_seeds, **selected(selection)}
    roles = ["other"] if len(others) == 1 else [f"other-{number + 1}" for number in range(len(others))]
    inputs = dict(zip(["reference", *roles], map(as_place, paths), strict=True))
    inputs |= {} if scores is None else {"scores": as_place(scores)}
    passed_over = left_out(layers) | {
        f"{each.path}: {name}": why for each in opened_files for name, why in left_out_of_files(each).items()
    }
    of_others = [f"{each.path}: {note}" for each in opened_files for note in notes_on_files(each)]
    notes = [*notes_on(layers), *notes_on_chain(layers, on_chain), *of_others, *notes_on_chance(rows, measures.nulls)]
    return Report("compare", inputs, settings, with_holm(rows), passed_over, notes=notes), deaths
