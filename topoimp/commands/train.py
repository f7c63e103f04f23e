"""Train small networks: a model and data in, a run folder with initial, rewind and trained weights out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from topoimp.architectures import parse_architecture
from topoimp.checkpoint import AnyPath, Staging, as_local
from topoimp.checkpoint.staging import check_is_here
from topoimp.choices import Data, Optimizer, Recipes, check_seed
from topoimp.commands.training_recipe import (
    check_inputs,
    check_sets,
    data_of,
    model_of,
    recipe_source,
    resolved_recipe,
)
from topoimp.commands.training_task import SeedTraining, new_folder, train_seed
from topoimp.commands.watching import check_watch_every, check_watched, watched_columns
from topoimp.data import load_images
from topoimp.engine.cluster import Cluster, SideBySide
from topoimp.errors import CheckpointError, OptionError, OutputError
from topoimp.kernels.threads import OnStep, available_threads
from topoimp.reports.cells import Row
from topoimp.reports.report import Report, rows_of_file
from topoimp.reports.rows import Settings
from topoimp.rounds.recipe_file import RunRecipe, is_same_toml
from topoimp.rounds.run_folder import RunFiles, sha256_of
from topoimp.training.recipes import Recipe


@dataclass(frozen=True)
class Training:
    """Networks that were trained.

    Args:
        report: a row per seed and epoch.
        folder: the run folder.
        seed_folders: the folders of the seeds, which hold the weights.
        n_new: number of seeds that this call trained; the others existed.
    """

    report: Report
    folder: Path
    seed_folders: Sequence[Path]
    n_new: int


def train_run(
    model: str | None = None,
    *,
    data: Data | AnyPath | None = None,
    data_dir: AnyPath | None = None,
    recipe: Recipes | AnyPath = Recipes.DEFAULT,
    sets: Mapping[str, object] | None = None,
    output: AnyPath | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    optimizer: Optimizer | str | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
    rewind_at: int | None = None,
    init: AnyPath | None = None,
    mask: AnyPath | None = None,
    watch: Sequence[str] = (),
    watch_every: int | None = None,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    jobs: int | None = None,
    cluster: Cluster | None = None,
    keep_going: bool = False,
    threads: int | None = None,
    device: str | None = None,
    force: bool = False,
    on_step: OnStep = lambda _step, _n_steps: None,
) -> Training:
    """Train a network, once or with several seeds, and write a run folder (see ``topoimp.rounds.run_folder``).

    Args:
        model: ``lenet-300-100``, ``resnet-20``, ... or widths as in ``mlp:64-32-10``; see ``parse_architecture``;
            that of the recipe file if None.
        data: a data set's name, or an .npz file of arrays; the recipe's data, or digits, if None.
        data_dir: folder of the data set's published files.
        recipe: the default of the data, the network's canonical (published) recipe, or that in fewer epochs; or a file
            that ends in .toml, such as recipe.toml of a run folder. Names that a file leaves out are of the default.
        sets: by name of a recipe file the value to set (``topoimp.commands.training_recipe.SETTABLE``), as in
            ``{"schedule": "cosine", "pruning.rate": 0.1}``.
        output: the run folder; ``<model>-<data>`` if None. Seeds of the same recipe share it.
        epochs: passes over the training set; the recipe's if None.
        batch_size: images per step; the recipe's if None.
        learning_rate: learning rate of the first step; the recipe's if None.
        optimizer: ``adam`` or ``sgd``; the recipe's if None.
        momentum: momentum of SGD, from 0 to below 1; the recipe's if None, and 0 with another optimizer.
        weight_decay: L2 penalty, at least 0; the recipe's if None.
        rewind_at: step after which the rewind weights are taken; 0 takes the initial weights; the recipe's if None.
        init: a safetensors file with every tensor of the network: the initial weights in place of those of the seed.
        mask: a mask file: weights that it prunes are zero from the start and stay zero. The recipe has the checksums of
            both files.
        watch: columns of ``barcode``, ``overlap``, or ``np`` for all neural persistences: topology.csv of each seed
            records them for every layer during training (``topoimp.commands.watching``).
        watch_every: steps between two records, at least 1; an epoch if None. Step 0 and the last are recorded too.
        seed: seed of the initial weights and of the order of the images; at least 0.
        seeds: several seeds in place of ``seed``; seeds that were trained already stay as they are.
        jobs: number of seeds trained at the same time; if None as many as have cores of their own, or on a cluster as
            many as it has room for.
        cluster: machines that train the seeds (``topoimp.engine.cluster``), which share the file system.
        keep_going: train the other seeds if one fails.
        threads: threads per seed, which the last bits of the weights depend on; if None the recipe file's, else 1 for
            networks of up to a million parameters, and all cores for larger ones.
        device: ``cpu``, ``cuda``, or ``auto`` for CUDA where there is any; the recipe file's, else ``auto``, if None.
        force: replace the weights of these seeds, and the recipe.
        on_step: called after each step with its number and the number of steps in all.

    Raises:
        OptionError: if an argument is out of range, unknown, or given twice, or the model does not take such images.
        DataError: if the data set cannot be read, or is another than that of the recipe file.
        CheckpointError: if a recipe file, initial weights or a mask cannot be read.
        TrainingError: if they are not those of the network, or training diverges.
        VerificationError: if a pruned weight is not zero at the end.
        OutputError: if the weights exist, or the folder has another recipe (without ``force``).
        EngineError: if the cluster cannot be used, or processes were killed again and again.
    """
    requested = [seed] if seeds is None else list(seeds)
    for each in requested:
        check_seed(each, n_bits=63)
    if not requested or len(set(requested)) < len(requested):
        raise OptionError(f"the seeds are {requested}; at least one is needed, and each once")
    side_by_side = SideBySide(jobs, cluster, keep_going)
    columns = watched_columns(watch)
    check_watch_every(watch_every, columns)

    options = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "rewind_at": rewind_at,
        "threads": threads,
        "device": device,
    }
    changes = {} if sets is None else sets
    source = recipe_source(recipe)
    check_sets(changes, {**options, "model": model, "data": data})
    check_inputs(source, {"init": init, "mask": mask})
    model = model_of(model, source, changes)
    parse_architecture(model)  # refuses an unknown model before any data are read
    images = load_images(data_of(data, source, changes, model), None if data_dir is None else Path(data_dir))
    resolved = resolved_recipe(source, model, images, options, changes)

    run = RunFiles(Path(f"{model.replace(':', '-')}-{images.name}") if output is None else Path(output))
    check_is_here(run.folder)
    inputs = {role: as_local(path) for role, path in (("init", init), ("mask", mask)) if path is not None}
    sums = {f"{role}_sha256": _sha256_of_input(path) for role, path in inputs.items()}
    text = RunRecipe(resolved, images.name, images.sha256(), **sums).to_toml()
    is_new = _is_new_recipe(run, requested, text, force=force)
    keeps_existing = seeds is not None and not force
    new = [each for each in requested if not (keeps_existing and run.seed(each).trained.is_file())]
    if not force:
        _refuse_existing(path for each in new for path in run.seed(each).in_order)
    replaces_recipe = is_new and run.recipe.exists()  # a recipe is replaced together with the weights
    new_recipe = text if replaces_recipe else None
    steps = resolved.steps_to_watch(len(images.train_labels), watch_every)
    tasks = [
        SeedTraining(
            run=run,
            seed=each,
            recipe=resolved,
            images=images,
            new_recipe=new_recipe,
            inputs=inputs,
            columns=columns,
            steps=steps,
            force=force,
        )
        for each in new
    ]
    for each in requested:
        if each not in new:
            check_watched(run.seed(each), columns, steps)

    with new_folder(run.folder, run.recipe):
        if is_new and not replaces_recipe:
            _write_recipe(run.recipe, text)
        side_by_side.run(train_seed, tasks, usual_jobs=max(1, available_threads() // resolved.threads), on_step=on_step)
        if not run.recipe.exists():  # another run that began with it has failed, and took it away
            _write_recipe(run.recipe, text)
    files = [run.seed(each) for each in requested]
    rows = [row for each in files for row in rows_of_file(each.metrics)]
    report = _report(rows, resolved, images.name, requested, columns, watch_every)
    notes = [] if len(new) == len(requested) else [_note_on_existing(len(requested) - len(new), len(requested))]
    notes += side_by_side.notes()
    report = replace(report, inputs=inputs, outputs={"run": run.folder}, notes=notes)
    return Training(report, run.folder, [each.folder for each in files], len(tasks))


def _refuse_existing(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise OutputError(f"{path}: exists already; `force` replaces it")


def _note_on_existing(n_existing: int, n_seeds: int) -> str:
    return f"{n_existing} of {n_seeds} seeds were trained already, and stay as they are"


def _sha256_of_input(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error


def _is_new_recipe(run: RunFiles, seeds: Sequence[int], text: str, *, force: bool) -> bool:
    """Whether recipe.toml is to be written; a recipe of other seeds is never replaced."""
    recipe = run.recipe
    try:
        if not recipe.exists():
            return True
        if is_same_toml(recipe, text):
            return False
        own = {run.seed(seed).folder.name for seed in seeds}
        other_seeds = sorted(set(run.seed_names()) - own)
    except OSError as error:
        raise OutputError(f"{recipe}: cannot be read: {error.strerror}") from error

    elsewhere = "`output` names a new folder"
    other = f"{recipe}: is another recipe"
    if other_seeds:
        raise OutputError(f"{other}, with which {other_seeds[0]} was made; {elsewhere}")
    if not force:
        raise OutputError(f"{other}; `output` names another folder, `force` replaces it")
    if len(seeds) > 1:
        raise OutputError(f"{other} than that of these seeds; {elsewhere}")
    return True


def _write_recipe(path: Path, text: str) -> None:
    """Write a new recipe, unless another run has just written the same."""
    try:
        with Staging([path], force=False) as staging:
            staging.partial(path).write_text(text, encoding="utf-8")
            staging.commit()
    except OutputError:
        if not path.is_file() or not is_same_toml(path, text):
            raise


def _report(
    rows: list[Row],
    recipe: Recipe,
    data: str,
    seeds: Sequence[int],
    columns: Sequence[str] = (),
    watch_every: int | None = None,
) -> Report:
    fields = recipe.plain().items()
    settings = {name: list(map(str, value)) if isinstance(value, list) else value for name, value in fields}
    watched: Settings = {"watch": list(columns), "watch_every": watch_every} if columns else {}
    of_run: Settings = {"data": data, "seeds": [str(seed) for seed in seeds], **watched}
    return Report("train", {}, {**settings, **of_run}, rows)
