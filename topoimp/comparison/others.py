"""The things that a reference is compared with: another checkpoint, a mask of the reference, or the reference itself.

A layer is compared piece by piece, and compared pieces are given back, so that little more than one of the two layers
is in memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, Self

import numpy as np

from topoimp.arrays import BoolArray
from topoimp.comparison.corresponding import corresponding
from topoimp.comparison.layer_pair import LayerPair
from topoimp.comparison.weight_differences import weight_differences
from topoimp.errors import CheckpointError
from topoimp.kernels.threads import pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.scored import ScoredLayers
from topoimp.layers.squared_norms import SquaredNorms, added_norms, squared_norms, squared_norms_of_part
from topoimp.pruning.applied_masks import MaskPruner
from topoimp.pruning.masks import Masks
from topoimp.pruning.preservation import graph_of_mask, preservation_of, preservation_under_mask
from topoimp.pruning.rules import Pruner, pruned_layer
from topoimp.topology.forest import Forest, spanning_forest


class Other(Protocol):
    """A thing to compare a reference with: ``OtherCheckpoint``, ``MaskedReference`` or ``ReferenceItself``."""

    def will_need(self, info: LayerInfo) -> None:
        """Start to fetch a layer from the disk; ``info`` is the reference's."""

    def pair(self, info: LayerInfo, layer: Layer, forest: Forest, threads: int) -> LayerPair:
        """Compare one layer of the reference, given with its forest."""

    def kept(self, info: LayerInfo, layer: Layer, threads: int) -> Callable[[int, int], BoolArray]:
        """Return the function that flags the weights kept of a part of a layer, by flat index."""

    @property
    def own_layers(self) -> Layers | None:
        """The layers of the other's network; None if its layers that are not compared are those of the reference."""

    def only(self, name: str) -> Self:
        """Return the part of this that compares one layer, by the layer's name in the reference."""


@dataclass(frozen=True)
class OtherCheckpoint:
    """Another checkpoint with the same layers: ``infos`` by name in the reference, and by tensor its masks, if any."""

    reference: Layers
    layers: Layers
    infos: Mapping[str, LayerInfo]
    masks: Masks = field(default_factory=dict)

    def will_need(self, info: LayerInfo) -> None:
        """Start to fetch a layer from the disk; ``info`` is the reference's."""
        self.layers.will_need(self.infos[info.name])

    def pair(self, info: LayerInfo, layer: Layer, forest: Forest, threads: int) -> LayerPair:
        """Compare one layer of the reference, given with its forest."""
        other_info = self.infos[info.name]
        other = self.layers.read(other_info)

        def before(start: int, stop: int) -> None:
            self.reference.have_ready(info, start, stop)
            self.layers.have_ready(other_info, start, stop)

        norms: dict[int, SquaredNorms] = {}

        def after(start: int, stop: int) -> None:
            norms[start] = _norms_of_part(layer, other, start, stop)
            self.reference.done_with(info, start, stop)

        # Weights, and in the view channel also edges, which are pairs of channels.
        weights = weight_differences(layer, other, threads=threads, before=before, after=after)
        edges = weights
        if layer.parallel is not None:
            edges = weight_differences(replace(layer, parallel=None), replace(other, parallel=None), threads=threads)

        # A mask keeps weights that are 0 by now, so that its forest is another than that of the weights.
        pair = _pair(info, layer, forest, other, added_norms(norms[start] for start in sorted(norms)), threads)
        mask = self.masks.get(other_info.tensor)
        if mask is not None:
            graph = graph_of_mask(other_info, mask, pair.other, threads)
            preservation = preservation_under_mask(forest, pair.other, graph, mask, other_info)
            pair = replace(pair, graph=graph, preservation=preservation)
            if graph is not pair.other:
                under_mask = pruned_layer(MaskPruner(mask, other_info.block), layer, threads)
                pair = replace(pair, squared_norms=squared_norms(layer, under_mask, threads))

        self.layers.done_with(other_info)
        is_masked = edges.is_masked(pair.other.n_edges)
        largest = edges.largest_difference
        return replace(pair, n_both=weights.n_both, is_masked=is_masked, largest_difference=largest)

    def kept(self, info: LayerInfo, layer: Layer, threads: int) -> Callable[[int, int], BoolArray]:  # noqa: ARG002  # of a protocol
        """Return the function that flags the weights kept of a part of a layer, by flat index."""
        other_info = self.infos[info.name]
        mask = self.masks.get(other_info.tensor)
        if mask is not None:
            return partial(mask.part_of, other_info.block)
        return present_in(self.layers.read(other_info))

    @property
    def own_layers(self) -> Layers:
        """The layers of the other's network."""
        return self.layers

    def only(self, name: str) -> Self:
        """Return the part of this that compares one layer, by the layer's name in the reference."""
        info = self.infos[name]
        masks = {info.tensor: self.masks[info.tensor]} if info.tensor in self.masks else {}
        reference, layers = self.reference.only([name]), self.layers.only([info.name])
        return replace(self, reference=reference, layers=layers, infos={name: info}, masks=masks)


@dataclass(frozen=True)
class ReferenceItself:
    """The reference beside itself, such as round 0 of a pruning; it is not read again."""

    def will_need(self, info: LayerInfo) -> None:
        """Do nothing: the layer is in memory."""

    def pair(self, info: LayerInfo, layer: Layer, forest: Forest, threads: int) -> LayerPair:
        """Compare one layer of the reference, given with its forest."""
        pair = _pair(info, layer, forest, layer, squared_norms(layer, layer, threads), threads)
        return replace(pair, n_both=pair.preservation.n_kept)  # weights, also where edges are pairs of channels

    def kept(self, info: LayerInfo, layer: Layer, threads: int) -> Callable[[int, int], BoolArray]:  # noqa: ARG002  # of a protocol
        """Return the function that flags the weights kept of a part of a layer, by flat index."""
        return present_in(layer)

    @property
    def own_layers(self) -> None:
        """None, as all other layers are those of the reference."""

    def only(self, name: str) -> Self:  # noqa: ARG002  # of a protocol
        """Return itself."""
        return self


@dataclass(frozen=True)
class MaskedReference:
    """The reference itself under a mask; ``pruners`` holds, by layer name, the mask of the layer.

    Layers that are not selected are as in the reference, which is how ``prune`` leaves them.
    """

    reference: Layers
    pruners: Mapping[str, Pruner]

    def will_need(self, info: LayerInfo) -> None:
        """Do nothing: a mask is small."""

    def pair(self, info: LayerInfo, layer: Layer, forest: Forest, threads: int) -> LayerPair:
        """Compare one layer of the reference, given with its forest."""
        self.reference.done_with(info)
        norms: list[SquaredNorms] = []
        masked = self._masked(info, layer, threads, norms)
        return _pair(info, layer, forest, masked, added_norms(norms), threads)

    def kept(self, info: LayerInfo, layer: Layer, threads: int) -> Callable[[int, int], BoolArray]:
        """Return the function that flags the weights kept of a part of a layer, by flat index."""
        return present_in(self._masked(info, layer, threads, []))

    @property
    def own_layers(self) -> None:
        """None, as all other layers are those of the reference."""

    def only(self, name: str) -> Self:
        """Return the part of this that compares one layer, by the layer's name."""
        return replace(self, reference=self.reference.only([name]), pruners={name: self.pruners[name]})

    def _masked(self, info: LayerInfo, layer: Layer, threads: int, norms: list[SquaredNorms]) -> Layer:
        """Return the layer under its mask, and add the squared norms of its pieces to a list.

        Each piece of the reference is given back once it is copied.
        """
        pruned = np.empty(layer.n_weights, layer.codes.dtype)
        write = self.pruners[info.name].on(layer, threads)
        for start, stop in pieces(0, layer.n_weights):
            self.reference.have_ready(info, start, stop)
            write(start, pruned[start:stop])
            norms.append(squared_norms_of_part(layer.number_format, layer.weights[start:stop], pruned[start:stop]))
            self.reference.done_with(info, start, stop)
        return replace(layer, codes=pruned.reshape(layer.codes.shape))


def other_checkpoint(reference: Layers, other: Layers, masks: Masks | None = None) -> OtherCheckpoint:
    """Return another checkpoint to compare a reference with.

    Types may differ, as strengths are compared exactly; names and shapes may not. ``masks`` holds, by tensor of the
    other checkpoint, the mask under which it was trained.

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
    infos = corresponding(reference, other)
    if isinstance(reference, ScoredLayers):
        other = reference.scored_alike(infos, other)
        infos = {name: other.by_name[info.name] for name, info in infos.items()}
    return OtherCheckpoint(reference, other, infos, masks)


def present_in(layer: Layer) -> Callable[[int, int], BoolArray]:
    """Return the function that flags the edges of a part of a layer, by flat index."""
    codes = layer.codes.reshape(-1)
    return lambda start, stop: np.not_equal(layer.number_format.magnitudes(codes[start:stop]), 0)


def _norms_of_part(layer: Layer, other: Layer, start: int, stop: int) -> SquaredNorms:
    """Return the squared norms of a part of a layer, and of its weights that are not zero in another of any type."""
    others = other.weights[start:stop]
    if other.number_format != layer.number_format:
        others = np.not_equal(other.number_format.magnitudes(others), 0).astype(layer.codes.dtype)
    return squared_norms_of_part(layer.number_format, layer.weights[start:stop], others)


def _pair(info: LayerInfo, layer: Layer, forest: Forest, other: Layer, norms: SquaredNorms, threads: int) -> LayerPair:
    """Compare a layer, given with its forest, with the same layer under a mask."""
    other_forest = forest if other is layer else spanning_forest(other, threads=threads)
    codes = other.codes.reshape(-1)[forest.indices]
    is_present = np.not_equal(other.number_format.magnitudes(codes), 0)
    preservation = preservation_of(
        forest,
        other_forest,
        n_weights=layer.n_weights,
        n_forest_kept=int(np.count_nonzero(is_present)),
        n_edges=layer.n_edges_in_parallel(),
        n_kept=other.n_edges_in_parallel(),
    )
    return LayerPair(info, forest, other_forest, other_forest, preservation, other_forest.n_edges, norms, is_present)
