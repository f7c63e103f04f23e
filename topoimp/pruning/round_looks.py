"""What a sweep over layers does with each of them (``topoimp.pruning.one_shot``); workers may be given these looks.

Each takes a layer, the facts of that layer alone, and the number of threads to use.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from topoimp.arrays import BoolArray
from topoimp.choices import Scope
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import InHand
from topoimp.pruning.block_pattern import LayerBlocks
from topoimp.pruning.layer_rounds import layer_rounds, protects_forest
from topoimp.pruning.lines import keep_lines
from topoimp.pruning.methods.method import Rule
from topoimp.pruning.options import Scheme
from topoimp.pruning.pattern_keep import keep_blocks
from topoimp.pruning.round import LayerKeep, LayerRound
from topoimp.pruning.rules import keep_each, kept_of
from topoimp.pruning.selection import Ranking
from topoimp.topology.forest import Forest, spanning_forest

OnKept = Callable[[Layer, Forest, Sequence[int], int], None]
"""Called with each layer in memory, its forest, the number of weights that each round keeps, and threads to use."""


def ignore(_layer: Layer, _forest: Forest, _n_kept: Sequence[int], _threads: int) -> None:
    """Do nothing with a layer and its counts."""


@dataclass(frozen=True)
class OwnTargets:
    """A layer and the facts of it that are known: its forest, its edges at round 0, its targets of all rounds."""

    info: LayerInfo
    forest: Forest | None
    n_edges: int | None
    targets: Sequence[int] | None


@dataclass(frozen=True)
class InRounds:
    """Does the chosen rounds of a layer with targets of its own."""

    scheme: Scheme
    rule: Rule
    chosen: slice
    on_kept: OnKept

    def __call__(
        self, layer: Layer, own: OwnTargets, threads: int
    ) -> tuple[Forest, Sequence[LayerKeep], list[LayerRound]]:
        """Return the forest of the layer, and for each round the weights that it keeps and their topology."""
        scheme, rule, info = self.scheme, self.rule, own.info
        forest = own.forest or spanning_forest(layer, threads=threads)
        n_edges = forest.n_edges if own.n_edges is None else own.n_edges
        targets = (own.targets or scheme.schedule.targets_of(info, n_edges))[self.chosen]
        by_column = scheme.has_output_columns(info)

        keeps: Sequence[LayerKeep]
        if scheme.pattern is not None:
            keep = keep_blocks(layer, forest, rule, LayerBlocks(scheme.pattern, by_column), threads)
            keeps, targets = [keep], [keep.n_kept]
        elif scheme.scope is Scope.ROW:
            keeps = keep_lines(info, layer, forest, targets, rule, by_column=by_column, threads=threads)
        else:
            in_hand = InHand(layer, threads)
            kept = keep_each(
                [info], {layer.name: forest}, targets, rule, in_hand, beside_unprotected=protects_forest(rule)
            )
            keeps = [keep[layer.name] for keep in kept]
        self.on_kept(layer, forest, [keep.n_kept for keep in keeps], threads)
        return forest, keeps, layer_rounds(layer, forest, targets, keeps, threads)


@dataclass(frozen=True)
class KnownForest:
    """A layer, and its forest if that is known."""

    info: LayerInfo
    forest: Forest | None


@dataclass(frozen=True)
class Ranked:
    """Finds the forest and the ranking of a layer."""

    rule: Rule

    def __call__(self, layer: Layer, known: KnownForest, threads: int) -> tuple[Forest, Ranking]:
        """Return the forest and the ranking, with the counts that later passes would need."""
        forest = known.forest or spanning_forest(layer, threads=threads)
        ranking = self.rule.ranking(known.info, forest)
        ranking.prepare(layer, threads)
        return forest, ranking


@dataclass(frozen=True)
class KeptInRounds:
    """The forest of a layer, and the weights that it keeps in each round."""

    forest: Forest
    keeps: Sequence[LayerKeep]


@dataclass(frozen=True)
class ComparedInRounds:
    """Compares a layer after each round with the unpruned one."""

    on_kept: OnKept

    def __call__(self, layer: Layer, kept: KeptInRounds, threads: int) -> list[LayerRound]:
        """Return the topology after each round."""
        self.on_kept(layer, kept.forest, [keep.n_kept for keep in kept.keeps], threads)
        return layer_rounds(layer, kept.forest, [None] * len(kept.keeps), kept.keeps, threads)


def flags_kept(layer: Layer, keep: LayerKeep, threads: int) -> BoolArray:
    """Return a flag for each weight of a layer, true for kept."""
    return kept_of(keep, layer, threads)
