"""Compare the topology of a reference checkpoint with that of other checkpoints, masks and rounds of pruning.

Each layer of the reference is read once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from topoimp.arrays import BoolArray
from topoimp.chance.forest_by_chance import ForestByChance, forests_by_chance
from topoimp.chance.null import Null
from topoimp.chance.shuffling import strongest_weights
from topoimp.comparison.layer_pair import LayerPair
from topoimp.comparison.others import Other, OtherCheckpoint
from topoimp.kernels.threads import pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.streaming import LayerStream
from topoimp.topology.forest import Forest, spanning_forest


@dataclass(frozen=True)
class LayerComparison:
    """One layer in the reference and in another checkpoint, beside the forest edges that chance would keep."""

    pair: LayerPair
    chance: ForestByChance


def compare_layers(
    reference: LayerStream, others: Sequence[Other], *, nulls: Sequence[Null] = (), seed: int = 0
) -> list[list[LayerComparison]]:
    """Compare the layers of a reference with each of several others, at least one, in one pass over the reference.

    ``nulls`` are null models of the reference; ``seed`` is that of all simulations, at least 0.

    Returns:
        for each other, its layers in the order of the reference.

    Raises:
        CheckpointError: if a file cannot be read.
        LayerError: if a weight is NaN or infinite.
    """
    compared = reference.each_with(_BesideEach(seed), _by_layer(reference.layers, others, nulls))
    return [[of_layer[number] for of_layer in compared.values()] for number in range(len(others))]


SomeOther = TypeVar("SomeOther", bound=Other)


@dataclass(frozen=True)
class _Compared(Generic[SomeOther]):
    """One layer of a reference, the others that it is compared with, and the null models."""

    info: LayerInfo
    others: Sequence[SomeOther]
    nulls: Sequence[Null]


def _by_layer(layers: Layers, others: Sequence[Other], nulls: Sequence[Null]) -> dict[str, _Compared[Other]]:
    return {
        info.name: _Compared(
            info, [other.only(info.name) for other in others], [null.only(info.name) for null in nulls]
        )
        for info in layers.infos
    }


@dataclass(frozen=True)
class _BesideEach:
    """Compares a layer of the reference with the same layer of each other; ``seed`` is that of simulations."""

    seed: int

    def __call__(self, layer: Layer, compared: _Compared[Other], threads: int) -> list[LayerComparison]:
        info, others, nulls = compared.info, compared.others, compared.nulls
        others[0].will_need(info)
        forest = spanning_forest(layer, threads=threads)

        # The next layer is fetched while this one is compared.
        pairs = []
        for other, following in zip(others, [*others[1:], None], strict=True):
            if following is not None:
                following.will_need(info)
            pairs.append(other.pair(info, layer, forest, threads))

        n_kept = [pair.n_kept for pair in pairs]
        chances = forests_by_chance(layer, forest, n_kept, nulls=nulls, seed=self.seed, threads=threads)
        return [
            LayerComparison(pair, _observed(chance, pair, other, layer, threads))
            for pair, chance, other in zip(pairs, chances, others, strict=True)
        ]


def compare_in_turn(
    first: LayerStream, others: Sequence[OtherCheckpoint], *, nulls: Sequence[Null] = (), seed: int = 0
) -> list[list[LayerComparison]]:
    """Compare each of several others, at least one, with the one before it, and the first with ``first``.

    The reference of each other is the one before. The layers of one name are compared before those of the next are
    read, so that two layers are in memory, and each forest is found once. The rest is as in ``compare_layers``.
    """
    compared = first.each_with(_InTurn(seed), _by_layer_in_turn(first.layers, others, nulls))
    return [[of_layer[number] for of_layer in compared.values()] for number in range(len(others))]


def _by_layer_in_turn(
    layers: Layers, others: Sequence[OtherCheckpoint], nulls: Sequence[Null]
) -> dict[str, _Compared[OtherCheckpoint]]:
    """Return the others of each layer; each other knows the layer by its name in the one before."""
    by_layer = {}
    for info in layers.infos:
        name, of_layer = info.name, []
        for other in others:
            of_layer.append(other.only(name))
            name = other.infos[name].name
        by_layer[info.name] = _Compared(info, of_layer, [null.only(info.name) for null in nulls])
    return by_layer


@dataclass(frozen=True)
class _InTurn:
    """Compares a layer of each other with that of the one before; ``seed`` is that of simulations."""

    seed: int

    def __call__(self, layer: Layer, compared: _Compared[OtherCheckpoint], threads: int) -> list[LayerComparison]:
        info, nulls = compared.info, compared.nulls
        forest = spanning_forest(layer, threads=threads)
        found = []
        for other in compared.others:
            other.will_need(info)
            pair = other.pair(info, layer, forest, threads)
            (chance,) = forests_by_chance(layer, forest, [pair.n_kept], nulls=nulls, seed=self.seed, threads=threads)
            found.append(LayerComparison(pair, _observed(chance, pair, other, layer, threads)))
            other.reference.done_with(info)

            # The other is the reference of the next one.
            info = other.infos[info.name]
            layer = other.layers.read(info)
            forest = pair.other
        return found


def _observed(chance: ForestByChance, pair: LayerPair, other: Other, layer: Layer, threads: int) -> ForestByChance:
    """Return the numbers by chance beside those of another checkpoint.

    Only null models need to know whether it keeps the strongest weights, which takes one more look at both layers.
    """
    is_strongest = not chance.nulls or keeps_strongest(
        replace(layer, parallel=None), pair.reference, other.kept(pair.info, layer, threads), pair.n_kept, threads
    )
    return replace(chance, observed=pair.preservation.n_forest_kept, is_strongest=is_strongest)


def keeps_strongest(
    layer: Layer, forest: Forest, kept: Callable[[int, int], BoolArray], n_kept: int, threads: int
) -> bool:
    """Return whether the kept weights are the ``n_kept`` strongest edges of a layer, equal ones ordered by index."""
    (strongest,) = strongest_weights(layer, forest, [n_kept], threads)
    write = strongest.on(layer, threads)
    return all(
        np.array_equal(write(start, np.empty(stop - start, layer.codes.dtype)), kept(start, stop))
        for start, stop in pieces(0, layer.codes.size)
    )
