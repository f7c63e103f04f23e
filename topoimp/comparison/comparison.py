"""What other checkpoints, masks and rounds of pruning have of a checkpoint's topology, layer by layer.

A layer of the reference is read once, whatever it is compared with. It and another one are held against each other
piece by piece, and what has been looked at is given back, so that little more than one of the two is in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from topoimp.arrays import BoolArray
from topoimp.chance.forest_by_chance import ForestByChance, forests_by_chance
from topoimp.chance.shuffling import Null
from topoimp.comparison.weight_differences import agreement_of, n_shared_edges
from topoimp.errors import CheckpointError, LayerError
from topoimp.kernels.threads import pieces
from topoimp.layers.catalogue import LayerInfo, Layers
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.masks import Masks
from topoimp.pruning.preservation import Preservation, graph_of_mask, preservation_of, preservation_under_mask
from topoimp.pruning.rules import Pruner
from topoimp.topology.forest import Forest, spanning_forest

ByChance = Callable[[int], ForestByChance]
"""Returns how much of a layer's forest chance keeps, for the number of edges in the other checkpoint."""


@dataclass(frozen=True)
class LayerComparison:
    """One layer in the reference and in another checkpoint.

    Args:
        info: the layer, as the reference has it.
        reference: its forest in the reference.
        other: its forest in the other checkpoint.
        graph: a forest of what the other keeps: ``other``, unless a mask keeps weights that are 0 by now.
        left: what the other has of the reference.
        n_both: weights that both have.
        is_masked: whether the other is the reference under a mask: nothing there has another strength.
        largest_difference: the largest of | |w| - |w'| |; None if it is masked by a mask file.
        is_present: of each edge of the reference's forest, whether the other has it.
        chance: the forest edges that the other has, and those that as many edges would have by chance.
    """

    info: LayerInfo
    reference: Forest
    other: Forest
    graph: Forest
    left: Preservation
    n_both: int
    is_masked: bool
    largest_difference: float | None
    is_present: BoolArray
    chance: ForestByChance

    @cached_property
    def n_forest_shared(self) -> int:
        """Edges that are in both forests."""
        return n_shared_edges(self.reference, self.other)

    @property
    def strongest_missing(self) -> float:
        """Strength of the strongest edge of the reference's forest that the other lacks; 0 if it has all."""
        return float(np.max(self.reference.strengths[~self.is_present], initial=0.0))


class Other(Protocol):
    """What a reference is compared with: ``OtherCheckpoint`` or ``OtherMask``."""

    def will_need(self, info: LayerInfo) -> None:
        """Have a layer, as the reference knows it, fetched from the disk while something else is done."""

    def compared(
        self, info: LayerInfo, layer: Layer, forest: Forest, by_chance: ByChance, threads: int
    ) -> LayerComparison:
        """Compare one layer of the reference, whose forest is given."""


@dataclass(frozen=True)
class OtherCheckpoint:
    """Another checkpoint with the same layers.

    Args:
        reference: the layers of the reference.
        layers: those of the other.
        infos: by name in the reference, the layer in the other.
        masks: by tensor, the mask under which it was trained; what has none keeps what is not zero.
    """

    reference: Layers
    layers: Layers
    infos: Mapping[str, LayerInfo]
    masks: Masks = field(default_factory=dict)

    def will_need(self, info: LayerInfo) -> None:
        """Have a layer, as the reference knows it, fetched from the disk while something else is done."""
        self.layers.will_need(self.infos[info.name])

    def compared(
        self, info: LayerInfo, layer: Layer, forest: Forest, by_chance: ByChance, threads: int
    ) -> LayerComparison:
        """Compare one layer of the reference, whose forest is given."""
        there = self.infos[info.name]
        other = self.layers.read(there)

        def before(start: int, stop: int) -> None:
            self.reference.have_ready(info, start, stop)
            self.layers.have_ready(there, start, stop)

        def after(start: int, stop: int) -> None:
            self.reference.done_with(info, start, stop)

        agreement = agreement_of(layer, other, threads=threads, before=before, after=after)
        left = spanning_forest(other, threads=threads)
        is_present = _presence(forest, other)
        mask = self.masks.get(there.tensor)
        if mask is None:
            graph, kept = left, _preservation(layer, forest, other, left, is_present)
        else:
            graph = graph_of_mask(there, mask, left, threads)
            kept = preservation_under_mask(forest, left, graph, mask, there)
        joined = agreement
        if layer.parallel is not None:  # edges are pairs of channels there
            joined = agreement_of(replace(layer, parallel=None), replace(other, parallel=None), threads=threads)
        self.layers.done_with(there)
        chance = by_chance(graph.n_edges)
        return LayerComparison(
            info=info,
            reference=forest,
            other=left,
            graph=graph,
            left=kept,
            n_both=agreement.n_both,
            is_masked=joined.is_masked(left.n_edges),
            largest_difference=joined.largest_difference,
            is_present=is_present,
            chance=replace(chance, observed=kept.n_forest_kept),
        )


@dataclass(frozen=True)
class OtherMask:
    """What masks leave of the reference.

    Args:
        reference: the layers of the reference.
        masks: by layer name, what is kept of it.
    """

    reference: Layers
    masks: Mapping[str, Pruner]

    def will_need(self, info: LayerInfo) -> None:
        """A mask is small."""

    def compared(
        self, info: LayerInfo, layer: Layer, forest: Forest, by_chance: ByChance, threads: int
    ) -> LayerComparison:
        """Compare one layer of the reference, whose forest is given."""
        self.reference.done_with(info)
        other = self._masked(info, layer, threads)
        left = spanning_forest(other, threads=threads)
        is_present = _presence(forest, other)
        kept = _preservation(layer, forest, other, left, is_present)
        return LayerComparison(
            info=info,
            reference=forest,
            other=left,
            graph=left,
            left=kept,
            n_both=left.n_edges,
            is_masked=True,
            largest_difference=None,
            is_present=is_present,
            chance=replace(by_chance(left.n_edges), observed=kept.n_forest_kept),
        )

    def _masked(self, info: LayerInfo, layer: Layer, threads: int) -> Layer:
        """Give a copy of a layer without what is not kept, giving back what has been copied."""
        pruned, write = np.empty(layer.n_weights, layer.codes.dtype), self.masks[info.name].on(layer, threads)
        for start, stop in pieces(0, layer.n_weights):
            self.reference.have_ready(info, start, stop)
            write(start, pruned[start:stop])
            self.reference.done_with(info, start, stop)
        return replace(layer, codes=pruned.reshape(layer.codes.shape))


def other_checkpoint(reference: Layers, other: Layers, masks: Masks | None = None) -> OtherCheckpoint:
    """Give another checkpoint as what a reference is compared with.

    Types may differ (strengths are compared exactly); names and shapes may not.

    Args:
        reference: the layers of the reference.
        other: those of the other.
        masks: by tensor of the other, the mask under which it was trained, where there is one.

    Raises:
        LayerError: if a layer is in only one of them, or has another shape.
        CheckpointError: if a mask does not fit.
    """
    masks = masks or {}
    tensors = other.checkpoint.tensors
    for name, mask in masks.items():
        if name in tensors and mask.shape != tensors[name].shape:
            raise CheckpointError(
                f"{other.checkpoint.path}: tensor {name!r} has the shape {list(tensors[name].shape)}; the mask beside "
                f"it has {list(mask.shape)}"
            )
    return OtherCheckpoint(reference, other, _corresponding(reference, other), masks)


def compare_layers(
    reference: LayerStream, others: Sequence[Other], *, null: Null | None = None, seed: int = 0
) -> list[list[LayerComparison]]:
    """Compare the selected layers of a checkpoint with each of some others, in one pass over the reference.

    Args:
        reference: the layers of the reference.
        others: what they are compared with; at least one.
        null: shuffles of the reference to simulate; none if None.
        seed: of all simulations, at least 0.

    Returns:
        for each other, its layers in the order of the reference.

    Raises:
        CheckpointError: if a file cannot be read.
        LayerError: if a weight is NaN or infinite.
    """
    infos = reference.layers.by_name

    def look(layer: Layer, threads: int) -> list[LayerComparison]:
        info, found = infos[layer.name], []
        others[0].will_need(info)
        forest = spanning_forest(layer, threads=threads)

        def by_chance(n_edges: int) -> ForestByChance:
            n_kept = [min(n_edges, forest.n_edges)]
            return forests_by_chance(layer, forest, n_kept, null=null, seed=seed, threads=threads)[0]

        for number, other in enumerate(others):
            if number + 1 < len(others):
                others[number + 1].will_need(info)
            found.append(other.compared(info, layer, forest, by_chance, threads))
        return found

    by_layer = reference.each(look)
    return [[layer[number] for layer in by_layer.values()] for number in range(len(others))]


def _presence(forest: Forest, other: Layer) -> BoolArray:
    """Give, of each edge of a forest, whether it is an edge of another layer of the same shape."""
    there = other.codes.reshape(-1)[forest.indices]
    return np.not_equal(other.number_format.magnitudes(there), 0)


def _preservation(layer: Layer, forest: Forest, other: Layer, left: Forest, is_present: BoolArray) -> Preservation:
    return preservation_of(
        forest,
        left,
        n_weights=layer.n_weights,
        n_forest_kept=int(np.count_nonzero(is_present)),
        n_edges=layer.n_edges_in_parallel(),
        n_kept=other.n_edges_in_parallel(),
    )


def _corresponding(reference: Layers, other: Layers) -> dict[str, LayerInfo]:
    """Give, by name in the reference, the layers of the other; a tied tensor is the layer that it is tied to."""
    here, there = reference.by_place(), other.by_place()
    _check_none_missing(reference, there, other)
    _check_none_missing(other, here, reference)
    for info in reference.infos:
        if there[info.place].shape != info.shape:
            raise LayerError(
                f"{other.checkpoint.path}: layer {info.name!r} has the shape {list(there[info.place].shape)}; "
                f"{reference.checkpoint.path} has {list(info.shape)}"
            )
    return {info.name: there[info.place] for info in reference.infos}


def _check_none_missing(has: Layers, lacks: Mapping[tuple[str, int], LayerInfo], other: Layers) -> None:
    missing = [info.name for info in has.infos if info.place not in lacks]
    if missing:
        raise LayerError(
            f"{other.checkpoint.path}: lacks layer {missing[0]!r} of {has.checkpoint.path} "
            f"({len(missing)} of {len(has.infos)} in all); both need the same layers, "
            "--include and --exclude choose them"
        )
