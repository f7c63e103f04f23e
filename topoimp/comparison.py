"""What a checkpoint has of another one's topology, layer by layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from topoimp.catalogue import LayerInfo, Layers
from topoimp.errors import LayerError
from topoimp.forest import Forest, spanning_forest
from topoimp.layers import Layer
from topoimp.preservation import Preservation, count_present, preservation_of
from topoimp.pruning import Pruner, pruned_layer
from topoimp.streaming import LayerStream


@dataclass(frozen=True)
class LayerComparison:
    """One layer in two checkpoints.

    Args:
        info: the layer, as the reference has it.
        reference: its forest in the reference.
        other: its forest in the other checkpoint.
        left: what the other has of the reference.
    """

    info: LayerInfo
    reference: Forest
    other: Forest
    left: Preservation


def compare_layers(reference: LayerStream, other: Layers) -> list[LayerComparison]:
    """Compare the selected layers of two checkpoints, in the order of the reference.

    Types may differ (strengths are compared exactly); names and shapes may not.

    Raises:
        LayerError: if a layer is in only one of them, or has another shape.
    """
    others = _corresponding(reference.layers, other)

    def there(layer: Layer, _threads: int) -> Layer:
        return other.read(others[layer.name])

    def done(name: str) -> None:
        other.done_with(others[name])

    return _compared(reference, there, done)


def compare_with_mask(reference: LayerStream, masks: Mapping[str, Pruner]) -> list[LayerComparison]:
    """Compare the selected layers of a checkpoint with what masks leave of them.

    Args:
        reference: the checkpoint.
        masks: by layer name, what is kept of it.
    """

    def there(layer: Layer, threads: int) -> Layer:
        return pruned_layer(masks[layer.name], layer, threads)

    return _compared(reference, there, lambda _name: None)


def _compared(
    reference: LayerStream, there: Callable[[Layer, int], Layer], done: Callable[[str], None]
) -> list[LayerComparison]:
    infos = {info.name: info for info in reference.layers.infos}

    def look(layer: Layer, threads: int) -> LayerComparison:
        forest, n_edges = spanning_forest(layer, threads=threads), layer.n_edges_in_parallel()
        reference.layers.done_with(infos[layer.name])  # so that no more than one of the two is in memory
        other = there(layer, threads)
        left = spanning_forest(other, threads=threads)
        kept = preservation_of(
            forest,
            left,
            n_weights=layer.n_weights,
            n_forest_kept=count_present(forest, other),
            n_edges=n_edges,
            n_kept=other.n_edges_in_parallel(),
        )
        done(layer.name)
        return LayerComparison(infos[layer.name], forest, left, kept)

    return reference.each(look)


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
