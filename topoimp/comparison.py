"""What a checkpoint has of another one's topology, layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass

from topoimp.errors import LayerError
from topoimp.forest import Forest, spanning_forest
from topoimp.layers import LayerInfo, Layers
from topoimp.preservation import Preservation, preservation_of


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


def compare_layers(reference: Layers, other: Layers) -> Iterator[LayerComparison]:
    """Compare the selected layers of two checkpoints, in the order of the reference.

    Types may differ (strengths are compared exactly); names and shapes may not.

    Raises:
        LayerError: if a layer is in only one of them, or has another shape.
    """
    _check_same_layers(reference, other)
    others = {info.name: info for info in other.infos}
    for info in reference.infos:
        here, there = reference.read(info), other.read(others[info.name])
        forest, other_forest = spanning_forest(here), spanning_forest(there)
        yield LayerComparison(info, forest, other_forest, preservation_of(forest, other_forest, there.edges()))


def _check_same_layers(reference: Layers, other: Layers) -> None:
    shapes = {info.name: info.shape for info in reference.infos}
    other_shapes = {info.name: info.shape for info in other.infos}
    for has, lacks, there, here in (
        (shapes, other_shapes, reference.checkpoint.path, other.checkpoint.path),
        (other_shapes, shapes, other.checkpoint.path, reference.checkpoint.path),
    ):
        missing = [name for name in has if name not in lacks]
        if missing:
            raise LayerError(
                f"{here}: lacks layer {missing[0]!r} of {there} ({len(missing)} of {len(has)} in all); "
                "both need the same layers, --include and --exclude choose them"
            )
    for name, shape in shapes.items():
        if other_shapes[name] != shape:
            raise LayerError(
                f"{other.checkpoint.path}: layer {name!r} has the shape {list(other_shapes[name])}; "
                f"{reference.checkpoint.path} has {list(shape)}"
            )
