"""The options of a pruning, under the names of the command line, and the scheme that they give for some layers.

Every pruning, of a file, a run folder or a module, follows such a scheme. Options are checked before any file is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from topoimp.choices import Method, Preset, PruningSchedule, Scope, chosen
from topoimp.errors import OptionError
from topoimp.layers.matching import matches_layer
from topoimp.layers.records import LayerInfo, LayerPatterns
from topoimp.pruning.block_pattern import BlockPattern, parse_pattern, refuse_amounts
from topoimp.pruning.erk import erk_counts
from topoimp.pruning.layer_amounts import (
    LayerSparsities,
    layer_sparsities,
    patterns_as_meant,
    with_layer_rates,
    with_layer_sparsities,
)
from topoimp.pruning.methods.magnitude import Magnitude
from topoimp.pruning.methods.method import PruningMethod
from topoimp.pruning.methods.naming import MethodOption, check_epsilon, method_of
from topoimp.pruning.methods.network_method import MethodOfPaths
from topoimp.pruning.methods.path_inputs import InputsOption, path_inputs
from topoimp.pruning.methods.path_switch import SwitchOption
from topoimp.pruning.methods.topological import Topological
from topoimp.pruning.schedule import (
    DEFAULT_RATE,
    ONE_ROUND,
    Schedule,
    check_amounts,
    plan_schedule,
    pruning_rate,
)

HALF, SAME = "half", "same"

LAYER_TARGETS = (Scope.LAYER, Scope.ROW)
"""The scopes in which each layer has a target of its own."""


@dataclass(frozen=True)
class PresetOptions:
    """The options that a preset fixes: the scope unless it is None, and whether all layers have the same rate."""

    schedule: PruningSchedule
    rewind: str
    scope: Scope | None = None
    has_one_rate: bool = False


PRESETS: Mapping[Preset, PresetOptions] = MappingProxyType(
    {
        Preset.PAPER: PresetOptions(PruningSchedule.LINEAR, "none", Scope.LAYER, has_one_rate=True),
        Preset.FRANKLE_CARBIN: PresetOptions(PruningSchedule.GEOMETRIC, "init"),
    }
)
"""By preset, its options; an explicit option that contradicts them is refused, so that the name of a preset holds.

Source: Balwani & Krzyston, PMLR 196, 2022, sections 2.1 and 3.4; Frankle & Carbin, "The Lottery Ticket Hypothesis",
ICLR 2019, section 2: their scope and their rates of single layers depend on the network, and are those of its recipe.
"""


@dataclass(frozen=True)
class Scheme:
    """The options of a pruning, worked out and checked for given layers."""

    schedule: Schedule
    method: PruningMethod
    scope: Scope
    epsilon: float = 0.0
    seed: int = 0
    patterns: LayerPatterns = field(default_factory=LayerPatterns)
    preset: Preset | None = None
    output_columns: tuple[str, ...] = ()
    pattern: BlockPattern | None = None

    @property
    def has_layer_targets(self) -> bool:
        """Whether each layer has a target of its own, whatever the other layers are."""
        return self.scope in LAYER_TARGETS

    def has_output_columns(self, info: LayerInfo) -> bool:
        """Whether the outputs of a layer are its columns."""
        return any(matches_layer(info, pattern) for pattern in self.output_columns)

    @property
    def protects_forests(self) -> bool:
        """Whether every layer keeps its whole forest, and with it its barcode, whatever the target."""
        return self.method.protects_forest and self.epsilon == 0 and self.pattern is None

    def layer_targets(self, infos: Sequence[LayerInfo], n_edges: Mapping[str, int]) -> dict[str, list[int]]:
        """Return the targets of all rounds by layer name, where each layer has its own, from the edges at round 0."""
        if self.scope is not Scope.ERK:
            return {info.name: self.schedule.targets_of(info, n_edges[info.name]) for info in infos}
        shared = [erk_counts(infos, n_edges, target) for target in self.schedule.shared_targets(infos, n_edges)]
        return {info.name: [counts[info.name] for counts in shared] for info in infos}

    def layer_amounts(self) -> dict[str, list[str]]:
        """Return the rates and sparsities of single layers, each as PATTERN=NUMBER; the first that matches counts."""
        amounts = {"layer_rates": self.schedule.layer_rates, "layer_sparsity": self.schedule.layer_sparsities}
        return {name: [f"{pattern}={float(each)!r}" for pattern, each in own] for name, own in amounts.items() if own}


@dataclass(frozen=True, kw_only=True)
class PruningOptions:
    """The amounts, the method and the layers of a pruning.

    Two of ``rounds``, ``sparsity`` and ``rate`` give the third; without a rate it is 0.2.

    Args:
        rounds: number of rounds, from 1 to 1000.
        sparsity: share of all selected weights that is zero after the last round, above 0 and below 1.
        rate: share of the remaining weights (linear: of the nonzero weights at round 0) that one round removes, at
            least 0 and below 1; at 0 all weights stay, and the report says what is there.
        schedule: ``geometric``, each round removes the same share of the remaining weights, or ``linear``, each removes
            the same number; None is the preset's, else geometric.
        preset: ``paper``, the procedure of Balwani & Krzyston: linear, without rewinding, a target for each layer and
            one rate; or ``frankle-carbin``: geometric, rewound to the initial weights.
        method: rule by which weights are kept: a word of ``Method``, a function of the weights that returns scores, or
            ``FILE.py:FUNCTION``, which runs that file (docs/own-method.md).
        epsilon: share of the largest |w| up to which ``topological`` protects no death, in [0, 1]; 0 protects all.
        paths_below: density, in [0, 1], from which down ``paths`` keeps whole paths; above it, it keeps the strongest
            weights. ``off-path:S``: from the first round in which more than the share S of the weights kept by
            magnitude would be on no path. ``auto``, or None: S is 0, and 0.015 with training between the rounds.
        inputs: strength of each input at the start of its paths, for ``paths``: ``ones``, ``data``, its deviation over
            the training images, or an array or a .npy file with all of them
            (``topoimp.pruning.methods.path_inputs``). None is ``data`` where topoimp trains the rounds, else ``ones``.
        scope: ``layer``, a target for each layer; ``row``, the same split evenly over its outputs, its rows
            (``topoimp.pruning.lines``); ``global``, one for all; ``erk``, one for all, split by the shapes of the
            layers (``topoimp.pruning.erk``). None is that of the preset or the recipe, else ``layer``. ``lamp`` and
            ``synflow-l2`` have ``global`` alone.
        layer_rates: rates of single layers, by pattern; the first that matches counts.
        layer_sparsity: sparsities that single layers land on, from 0 to 1, by pattern, or a CSV file with them
            (``topoimp.pruning.layer_sparsities``). The others are pruned as ``sparsity`` or ``rate`` says; without
            both they are left as they are. Without ``rounds`` it is one round.
        output_rate: rate of the output layer: ``half`` the rate of the others, the ``same``, or a number.
        output_layer: name of the output layer; a run folder's recipe knows it.
        output_columns: in the scope ``row`` and under a ``pattern``, patterns of the layers whose outputs are their
            columns, as in the Conv1D of GPT-2, which stores (in, out).
        pattern: N:M, as in 2:4: of every M consecutive weights of a row (of a column, in a layer of
            ``output_columns``) N are kept (``topoimp.pruning.block_pattern``), in one round; it takes the place of all
            amounts and of the scope, and goes with ``topological``, forest edges first, and ``magnitude``.
        seed: seed of the permutations of the method ``random``; in a run folder each network has its own.
        patterns: layers to prune; by default all but embeddings and heads.

    Raises:
        OptionError: if a value is out of range or contradicts another.

    >>> options = PruningOptions(rounds=10, method="magnitude", scope="global")
    >>> options.pruning_schedule().targets(n_weights=1000, n_edges=1000)
    [800, 640, 512, 410, 328, 262, 210, 168, 134, 107]
    """

    rounds: int | None = None
    sparsity: float | None = None
    rate: float | None = None
    schedule: PruningSchedule | str | None = None
    preset: Preset | str | None = None
    method: MethodOption = Method.TOPOLOGICAL
    epsilon: float = 0.0
    paths_below: SwitchOption | None = None
    inputs: InputsOption | None = None
    scope: Scope | str | None = None
    layer_rates: Mapping[str, float] = field(default_factory=dict)
    layer_sparsity: LayerSparsities = field(default_factory=dict)
    output_rate: float | str | None = None
    output_layer: str | None = None
    output_columns: Sequence[str] = ()
    pattern: str | None = None
    seed: int = 0
    patterns: LayerPatterns = field(default_factory=LayerPatterns)

    def __post_init__(self) -> None:
        check_amounts(rounds=self.rounds, sparsity=self.sparsity, rate=self.rate)
        chosen(Scope, self.scope or Scope.LAYER)
        chosen(PruningSchedule, self.schedule or PruningSchedule.GEOMETRIC)
        object.__setattr__(self, "layer_sparsity", layer_sparsities(self.layer_sparsity))  # a file is read once
        if self.layer_sparsity and (self.layer_rates or self.output_rate not in (None, SAME)):
            raise OptionError("single layers have rates or sparsities; give `layer_sparsity` or the rates of layers")
        self._apply_preset()
        if self.inputs is not None:  # a file is read once
            object.__setattr__(self, "inputs", path_inputs(self.inputs))
        method = self._method()
        check_epsilon(self.epsilon, method)
        self._check_pattern(method)
        if method.only_scope is not None:
            if self.scope not in (None, method.only_scope):
                raise OptionError(f"the method {method.name} has the scope {method.only_scope} alone, not {self.scope}")
            object.__setattr__(self, "scope", method.only_scope)
        if self.output_columns and self.scope != Scope.ROW and self.pattern is None:
            raise OptionError(f"`output_columns` goes with the scope row, not with {self.scope or Scope.LAYER}")
        self.patterns.check_matrix_view("pruning is of weights, and needs")

        if self.output_layer is not None and self.output_rate is None:
            raise OptionError("`output_layer` goes with `output_rate`, the rate of that layer")
        if self.output_rate not in (None, HALF, SAME):
            _output_rate(self.output_rate)

    def of_preset(self) -> PresetOptions | None:
        """Return the options that the preset fixes; None without a preset."""
        return None if self.preset is None else PRESETS[chosen(Preset, self.preset)]

    def pruning_schedule(self) -> Schedule:
        """Return the rounds and their targets, without the rates of single layers, or raise an ``OptionError``."""
        if self.pattern is not None:
            return ONE_ROUND
        form = chosen(PruningSchedule, self.schedule or PruningSchedule.GEOMETRIC)
        rounds, rate = self.rounds, self.rate
        if self.layer_sparsity and self.sparsity is None:
            rounds, rate = 1 if rounds is None else rounds, 0.0 if rate is None else rate
        return plan_schedule(rounds=rounds, sparsity=self.sparsity, rate=rate, form=form)

    def scheme(self, infos: Sequence[LayerInfo]) -> Scheme:
        """Return the scheme for the layers to prune.

        Raises:
            OptionError: if rounds and sparsity are missing, amounts contradict each other, or a rate fits no layer.
        """
        scope = chosen(Scope, self.scope or Scope.LAYER)
        schedule = with_layer_rates(self.pruning_schedule(), self._own_rates(), infos, scope)
        schedule = with_layer_sparsities(schedule, self._own_sparsities(), infos, scope)
        preset = None if self.preset is None else chosen(Preset, self.preset)
        columns = tuple(patterns_as_meant(self.output_columns, infos).values())
        pattern = None if self.pattern is None else parse_pattern(self.pattern)
        return Scheme(schedule, self._method(), scope, self.epsilon, self.seed, self.patterns, preset, columns, pattern)

    def _method(self) -> PruningMethod:
        """Return the method with the options that it alone has."""
        method = method_of(self.method)
        if isinstance(method, MethodOfPaths):
            return method.with_options(paths_below=self.paths_below, inputs=self.inputs)
        given = {"paths_below": self.paths_below, "inputs": self.inputs}
        for name, value in given.items():
            if value is not None:
                raise OptionError(f"`{name}` goes with the method paths, not with {method.name}")
        return method

    def _check_pattern(self, method: PruningMethod) -> None:
        """Raise an OptionError if the pattern is none, or an option or the method does not go with it."""
        if self.pattern is None:
            return
        parse_pattern(self.pattern)
        names = ("preset", "rounds", "sparsity", "rate", "schedule", "scope", "output_rate", "output_layer")
        by_layer = {"layer_rates": self.layer_rates or None, "layer_sparsity": self.layer_sparsity or None}
        refuse_amounts({**{name: getattr(self, name) for name in names}, **by_layer, "epsilon": self.epsilon or None})
        if not isinstance(method, Topological | Magnitude):
            raise OptionError(f"`pattern` goes with the methods topological and magnitude, not with {method.name}")

    def _apply_preset(self) -> None:
        """Set the options that the preset fixes; raise an OptionError for a given one that contradicts it."""
        preset = self.of_preset()
        if preset is None:
            return
        fixed = {"schedule": preset.schedule, "scope": preset.scope}
        for name, value in fixed.items():
            given = getattr(self, name)
            if value is not None and given not in (None, value):
                raise contradicts_preset(self.preset, name, value, str(given))
            object.__setattr__(self, name, value or given)
        has_own = self.layer_rates or self.layer_sparsity or self.output_rate not in (None, SAME)
        if preset.has_one_rate and has_own:
            raise OptionError(f"the preset {self.preset} has one rate for all layers; leave `preset` or the others out")

    def _own_sparsities(self) -> Mapping[str, float]:
        return self.layer_sparsity if isinstance(self.layer_sparsity, Mapping) else {}

    def _own_rates(self) -> dict[str, float]:
        """Return the rates of single layers, the output layer's first."""
        if self.output_rate is None:
            return dict(self.layer_rates)
        if self.output_layer is None:
            raise OptionError("`output_rate` needs `output_layer`: a checkpoint does not say which layer that is")

        others = {pattern: rate for pattern, rate in self.layer_rates.items() if pattern != self.output_layer}
        if self.output_rate == SAME:
            return others
        half = (DEFAULT_RATE if self.rate is None else self.rate) / 2
        return {self.output_layer: half if self.output_rate == HALF else _output_rate(self.output_rate), **others}


def contradicts_preset(preset: Preset | str | None, name: str, fixed: str, given: str) -> OptionError:
    """Return the error of an option that differs from the one that a preset fixes."""
    return OptionError(f"the preset {preset} has the {name} {fixed}, not {given}; leave `preset` or `{name}` out")


def _output_rate(text: float | str | None) -> float:
    try:
        rate = float(text or 0)
    except ValueError as error:
        raise OptionError(f"`output_rate` is {text!r}; it must be half, same, or a rate as in 0.1") from error
    return float(pruning_rate(rate))
