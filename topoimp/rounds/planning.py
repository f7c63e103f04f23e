"""The plan of a pruning with training between the rounds: its options, completed by the recipe, and its rewinding."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from topoimp.architectures import parse_architecture
from topoimp.checkpoint import AnyPath, Checkpoint, as_local, open_checkpoint
from topoimp.choices import Preset, Scope, chosen
from topoimp.errors import OptionError
from topoimp.kernels.threads import available_threads, thread_count
from topoimp.layers.matching import matches_layer
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.tensors import select_layers
from topoimp.network.chain import patterns_on_chain
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.options import LAYER_TARGETS, PRESETS, PruningOptions, Scheme, contradicts_preset
from topoimp.reports.rows import pattern_settings
from topoimp.rounds.plan import Plan
from topoimp.rounds.recipe_file import read_toml
from topoimp.rounds.run_folder import PruningFiles, SeedFiles, pruning_name, sha256_of
from topoimp.rounds.run_graph import graph_of_recipe
from topoimp.training.recipes import PruningDefaults, Recipe

INITIAL, NO_REWINDING = "init", "none"
"""Words for rewinding to the initial weights, and for training on from the weights of the last round."""


@dataclass(frozen=True)
class Rewinding:
    """The start of each round's training: a step of the recipe, a checkpoint, or, without both, the last weights."""

    step: int | None = None
    checkpoint: Path | None = None

    def text(self) -> str:
        """Return the rewinding as reports and pruning.toml name it: ``step:K``, ``none``, or ``sha256:`` and a sum."""
        if self.checkpoint is not None:
            return f"sha256:{sha256_of_checkpoint(open_checkpoint(self.checkpoint))}"
        return NO_REWINDING if self.step is None else f"step:{self.step}"


def rewinding_of(
    rewind: str | None, rewind_from: AnyPath | None, recipe: Recipe | None, preset: Preset | str | None = None
) -> Rewinding:
    """Return the rewinding that a checkpoint or a word describes: ``init``, ``step:K``, ``none``, or the recipe's step.

    A preset fixes the word. Both together, another word, and training without a starting point are OptionErrors.
    """
    if preset is not None:
        rewind = rewind_of_preset(preset, rewind, rewind_from, has_recipe=recipe is not None)
    if rewind_from is not None and rewind is not None:
        raise OptionError(f"`rewind` is {rewind}, and `rewind_from` names weights; give only one of them")
    if rewind_from is not None:
        return Rewinding(checkpoint=as_local(rewind_from))
    if rewind == NO_REWINDING:
        return Rewinding()
    if recipe is None:
        ways = "`rewind_from` names the weights to rewind to, `rewind` none trains on"
        raise OptionError(f"training has no starting point; {ways}")

    if rewind is None:
        return Rewinding(recipe.rewind_at)
    if rewind == INITIAL:
        return Rewinding(0)
    word, _, step = rewind.partition(":")
    if word != "step" or not step.isdecimal() or len(step) > 9:
        raise OptionError(f"`rewind` is {rewind!r}; it must be init, none, or a step of training as in step:500")
    return Rewinding(int(step))


def rewind_of_preset(
    preset: Preset | str, rewind: str | None, rewind_from: AnyPath | None, *, has_recipe: bool
) -> str | None:
    """Return the word for the rewinding of a preset; None if a checkpoint has the weights to rewind to, or is needed.

    A recipe knows the initial weights; without one ``rewind_from`` names them. Another rewinding than that of the
    preset is an OptionError.
    """
    word = PRESETS[chosen(Preset, preset)].rewind
    takes_checkpoint = word == INITIAL and not has_recipe
    if rewind not in (None, word):
        raise contradicts_preset(preset, "rewind", word, rewind)
    if rewind_from is not None and not takes_checkpoint:
        raise contradicts_preset(preset, "rewind", word, "to the weights of `rewind_from`")
    return None if takes_checkpoint else word


def plan_of(
    options: PruningOptions,
    trained: Checkpoint,
    recipe: Recipe | None,
    *,
    chain: NetworkGraph | None = None,
    threads: int,
    strict: bool = False,
) -> tuple[Plan, Layers]:
    """Return the plan that all rounds share, and the layers of one unpruned network, which are those of all seeds.

    The recipe of a run folder completes the options, and tells the graph of the network; without a recipe a chain may.
    An OptionError says that the options do not fit.
    """
    if options.seed:
        raise OptionError(f"`seed` is {options.seed}; rounds that are trained have `seeds`, one for each network")

    if options.pattern is not None:
        raise OptionError("`pattern` does not go with rounds that are trained")

    if recipe is not None and not options.patterns.include:
        excluded = (*options.patterns.exclude, *recipe.pruning.exclude)
        options = replace(options, patterns=replace(options.patterns, exclude=excluded))
    options = replace(options, patterns=patterns_on_chain(options.patterns, chain))
    layers = select_layers(trained, options.patterns)
    if recipe is not None:
        options = _completed(options, recipe, layers.infos)
    graph = chain if recipe is None else graph_of_recipe(recipe, trained)
    return Plan(options.scheme(layers.infos), thread_count(threads), strict, graph), layers


def threads_of(threads: int | None, jobs: int) -> int:
    """Return the number of cores that each of several seeds uses: all cores shared evenly if it is left open."""
    return max(1, available_threads() // jobs) if threads is None else threads


def _completed(options: PruningOptions, recipe: Recipe, infos: Sequence[LayerInfo]) -> PruningOptions:
    """Return the options with a recipe's scope, rates and output layer where they are left open."""
    usual = recipe.pruning
    scope = Scope(options.scope or usual.scope)

    rate = options.rate
    says_how_much = bool(options.layer_sparsity) or options.sparsity is not None
    if rate is None and not options.layer_sparsity and (options.rounds is None or options.sparsity is None):
        rate = usual.rate
    layer_rates = options.layer_rates
    preset = options.of_preset()
    has_own_rates = preset is None or not preset.has_one_rate
    if not (layer_rates or says_how_much) and has_own_rates and scope in LAYER_TARGETS:
        layer_rates = _usual_layer_rates(usual, rate, infos)

    output_layer = options.output_layer
    if options.output_rate is not None and output_layer is None:
        output_layer = parse_architecture(recipe.model).output_layer
    return replace(options, scope=scope, rate=rate, layer_rates=layer_rates, output_layer=output_layer)


def _usual_layer_rates(usual: PruningDefaults, rate: float | None, infos: Sequence[LayerInfo]) -> dict[str, float]:
    """Return a recipe's rates of single layers, in proportion to the rate of all."""
    factor = 1.0 if rate is None or rate == usual.rate else rate / usual.rate
    rates = usual.layer_rates.items()
    return {pattern: own * factor for pattern, own in rates if any(matches_layer(info, pattern) for info in infos)}


def rounds_of(
    files: SeedFiles, scheme: Scheme, settings: Mapping[str, object], suffix: str, *, is_usual: bool
) -> PruningFiles:
    """Return the folder of the rounds of a seed, named after its rewinding unless that is the usual one.

    Folders of earlier versions have no rewinding in their names; a pruning with the same rewinding goes on there.
    """
    which = (scheme.method.name, scheme.epsilon, scheme.scope, scheme.schedule.form)
    plain = files.pruning(pruning_name(*which), suffix=suffix)
    rewind = str(settings["rewind"])
    if is_usual or (plain.settings.is_file() and read_toml(plain.settings).get("rewind") == rewind):
        return plain
    return files.pruning(pruning_name(*which, rewind), suffix=suffix)


def deciding_settings(scheme: Scheme) -> dict[str, object]:
    """Return the settings that decide the rounds, as pruning.toml holds them.

    The number of rounds is one of them only where the targets depend on it, so that rounds can be added.
    """
    patterns = {name: value for name, value in pattern_settings(scheme.patterns).items() if name != "view"}
    method = {"method": scheme.method.name, "epsilon": scheme.epsilon, "scope": scheme.scope.value}
    settings: dict[str, object] = {**method, **scheme.method.provenance(), **patterns}

    schedule = scheme.schedule
    if schedule.is_linear:
        settings["schedule"] = schedule.form.value
    if schedule.rate is not None:
        settings["rate"] = float(schedule.rate)
    if schedule.sparsity is not None:
        settings |= {"sparsity": float(schedule.sparsity), "rounds": schedule.n_rounds}
    if schedule.layer_sparsities:
        settings["rounds"] = schedule.n_rounds
    if scheme.output_columns:
        settings["output_columns"] = list(scheme.output_columns)
    return {**settings, **scheme.layer_amounts()}


def sha256_of_checkpoint(checkpoint: Checkpoint) -> str:
    """Return a checksum of the files of a checkpoint."""
    sums = [bytes.fromhex(sha256_of(file)) for file in checkpoint.paths.weights]
    return hashlib.sha256(b"".join(sums)).hexdigest()
