"""The record of a round of pruning: targets, the weights that the layers keep, and the targets that floors miss."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from topoimp.errors import GateError, VerificationError
from topoimp.layers.notes import first_names
from topoimp.layers.squared_norms import SquaredNorms
from topoimp.pruning.block_pattern import LayerBlocks
from topoimp.pruning.lines import LineKeep
from topoimp.pruning.pattern_keep import PatternKeep
from topoimp.pruning.preservation import Preservation, total_preservation
from topoimp.pruning.rules import Keep
from topoimp.topology.forest import Forest

LayerKeep: TypeAlias = Keep | LineKeep | PatternKeep
"""The weights that a layer keeps."""


@dataclass(frozen=True)
class LayerRound:
    """One layer after one round: its topology, and the weights that are kept whatever the target.

    The target is None if all layers share one. Protected are the weights of the floor, or fewer with an epsilon.
    ``n_forest_added`` counts the edges of the forest that ``topological`` keeps and ``magnitude`` drops at the same
    targets; None for other methods. ``squared_norms`` are known before a round is written where the type is narrow and
    the method by strength. ``n_forest_unfit`` counts the edges of the forest that do not fit in the ``blocks`` of a
    pattern; both are None without a pattern.
    """

    target: int | None
    preservation: Preservation
    n_protected: int
    n_forest_added: int | None = None
    squared_norms: SquaredNorms | None = None
    n_forest_unfit: int | None = None
    blocks: LayerBlocks | None = None

    @property
    def floor_binds(self) -> bool:
        """Whether only protected weights are kept: the target is below their number, or a shared one leaves no more."""
        if self.target is None:
            return self.preservation.n_kept == self.n_protected > 0
        return self.target < self.n_protected


@dataclass(frozen=True)
class Round:
    """All selected layers after one round: its number, from 1, the weights to keep in all, and the layers by name."""

    number: int
    target: int
    keeps: Mapping[str, LayerKeep]
    layers: Mapping[str, LayerRound]

    @property
    def preservation(self) -> Preservation:
        """The topology that all layers keep together."""
        return total_preservation([layer.preservation for layer in self.layers.values()])

    @property
    def n_protected(self) -> int:
        """Weights of all layers that are kept whatever the target."""
        return sum(layer.n_protected for layer in self.layers.values())

    @property
    def n_forest_added(self) -> int | None:
        """Edges of all forests that ``topological`` keeps and ``magnitude`` drops; 0 if both keep the same weights."""
        return _sum_of_known([layer.n_forest_added for layer in self.layers.values()])

    @property
    def n_forest_unfit(self) -> int | None:
        """Edges of all forests that do not fit in the blocks of a pattern; None without a pattern."""
        return _sum_of_known([layer.n_forest_unfit for layer in self.layers.values()])

    @property
    def shared(self) -> "Round":
        """The same round of the layers that share a target: the part that the targets of the others leave."""
        own = sum(layer.target for layer in self.layers.values() if layer.target is not None)
        layers = {name: layer for name, layer in self.layers.items() if layer.target is None}
        return replace(self, target=self.target - own, layers=layers)

    @property
    def missed(self) -> list[str]:
        """The layers that keep more than their target, as it is below their floor, or ``all layers together``."""
        own = [name for name, layer in self.layers.items() if layer.target is not None and layer.floor_binds]
        shared = self.shared
        if shared.layers and shared.preservation.n_kept > shared.target:
            own.append("all layers together" if len(shared.layers) == len(self.layers) else "all other layers together")
        return own

    def beside(self, other: "Round", names: Iterable[str]) -> "Round":
        """Return the same round of these layers and those of another, in the order of names."""
        keeps = {**self.keeps, **other.keeps}
        layers = {**self.layers, **other.layers}
        ordered = [name for name in names if name in layers]
        target = self.target + other.target
        return Round(self.number, target, {n: keeps[n] for n in ordered}, {n: layers[n] for n in ordered})


@dataclass(frozen=True)
class Sweep:
    """All rounds of a pruning without training, in order, and by layer name the forests of the input.

    ``is_of_network`` says that the order of a method of whole networks decided the last round, not that of the method
    before it.
    """

    rounds: Sequence[Round]
    forests: Mapping[str, Forest]
    is_of_network: bool = False


def refuse_missed_targets(rounds: Sequence[Round], consequence: str) -> None:
    """Raise a ``GateError`` that ends in ``consequence`` for the first target below the floor of its layers."""
    for round_ in rounds:
        if round_.missed:
            name = round_.missed[0]
            part = round_.layers.get(name, round_.shared)
            floor = f"below its floor of {part.n_protected}"
            raise GateError(f"round {round_.number} asks {name} for {part.target or 0} weights, {floor}; {consequence}")


def refuse_unfit_forests(round_: Round, consequence: str) -> None:
    """Raise a ``GateError`` that ends in ``consequence`` if edges of a forest do not fit in the blocks of a pattern."""
    unfit = {name: layer for name, layer in round_.layers.items() if layer.n_forest_unfit}
    if unfit:
        blocks = next(iter(unfit.values())).blocks
        n_edges = sum(layer.preservation.floor for layer in unfit.values())
        room = f"has no room for {round_.n_forest_unfit:,} of {n_edges:,} forest edges: {first_names(list(unfit))}"
        raise GateError(f"the pattern {blocks.pattern if blocks else ''} {room}; {consequence}")


def check_counts(round_: Round) -> None:
    """Compare a round's counts with its targets; no layer can keep more than its edges.

    Raises:
        VerificationError: if they differ; that is a defect of topoimp.
    """
    shared = round_.shared
    parts: dict[str, LayerRound | Round] = {
        f"layer {name!r}": layer for name, layer in round_.layers.items() if layer.target is not None
    }
    if shared.layers:
        parts["all other layers" if parts else "all layers"] = shared
    for name, part in parts.items():
        n_kept = part.preservation.n_kept
        target = min(max(part.target or 0, part.n_protected), part.preservation.n_edges)
        if n_kept != target:
            kept = f"{n_kept} weights are kept in round {round_.number}"
            raise VerificationError(f"{name}: {kept}; {target} were to be kept")


def _sum_of_known(counts: Sequence[int | None]) -> int | None:
    """Return the sum of the counts of layers; None if one is unknown."""
    known = [n for n in counts if n is not None]
    return sum(known) if len(known) == len(counts) else None
