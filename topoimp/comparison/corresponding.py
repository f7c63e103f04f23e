"""The layer of another checkpoint that corresponds to each layer of a reference: the same part of the same tensor.

Names may differ by the parts that wrappers of a module add. A tied tensor is the layer that it is tied to.
"""

from collections.abc import Mapping, Sequence

from topoimp.errors import LayerError
from topoimp.layers.catalogue import NOT_ASKED_FOR
from topoimp.layers.records import LayerInfo, Layers
from topoimp.layers.wrapped_names import matched_names


def corresponding(reference: Layers, other: Layers) -> dict[str, LayerInfo]:
    """Return, by name in the reference, the layers of the other.

    Raises:
        LayerError: if a layer is in only one of them, or has another shape.
    """
    matched = _matched(reference, other)
    _check_none_missing(reference, matched, other)
    _check_none_missing(other, _matched(other, reference), reference)
    for info in reference.infos:
        if matched[info.name].shape != info.shape:
            raise LayerError(
                f"{other.checkpoint.path}: layer {info.name!r} has the shape {list(matched[info.name].shape)}; "
                f"{reference.checkpoint.path} has {list(info.shape)}"
            )
    return matched


def _matched(layers: Layers, other: Layers) -> dict[str, LayerInfo]:
    """Return, by name, the layers of another checkpoint at the same places in tensors of the same names."""
    in_other = other.by_place()
    names = matched_names([info.tensor for info in layers.infos], dict.fromkeys(tensor for tensor, _ in in_other))
    places = {info.name: (names.get(info.tensor, info.tensor), info.first) for info in layers.infos}
    return {name: in_other[place] for name, place in places.items() if place in in_other}


def _check_none_missing(layers: Layers, matched: Mapping[str, LayerInfo], other: Layers) -> None:
    missing = [info for info in layers.infos if info.name not in matched]
    if missing:
        raise LayerError(_why_missing(missing, layers, other))


def _why_missing(missing: Sequence[LayerInfo], layers: Layers, other: Layers) -> str:
    """Return the message about layers that another checkpoint lacks, with the cause of the first.

    The cause is the other's tensor of that name: its shape, its number of graphs, or the rule that leaves it out.
    """
    first = missing[0]
    place, own_place = other.checkpoint.path, layers.checkpoint.path
    lacks = f"{place}: lacks layer {first.name!r} of {own_place} ({len(missing)} of {len(layers.infos)} in all)"
    select = f"{lacks}; `include` and `exclude` select the same layers of both"

    names = matched_names([info.tensor for info in layers.infos], other.checkpoint.tensors)
    if first.tensor not in names:
        return select
    tensor = other.checkpoint.tensors[names[first.tensor]]
    own = layers.checkpoint.tensors[first.tensor]
    if tensor.shape != own.shape:
        return f"{place}: tensor {tensor.name!r} has the shape {list(tensor.shape)}; {own_place} has {list(own.shape)}"

    part = first.name.removeprefix(first.tensor)
    left_out = {each.name: each for each in other.left_out}
    rule_of = left_out.get(tensor.name + part) or left_out.get(tensor.name)
    if rule_of is not None:
        return select if rule_of.rule is NOT_ASKED_FOR else f"{lacks}: there it is left out ({rule_of.reason})"

    n_graphs, n_own = len(other.by_tensor()[tensor.name]), len(layers.by_tensor()[own.name])
    read_as = f"{place}: tensor {tensor.name!r} is read as {n_graphs} graph{'s' if n_graphs > 1 else ''}"
    return f"{read_as}; {own_place} has {n_own}, and `groups` must name both"
