"""Find the layers of a checkpoint by the rules of ``topoimp.layers.catalogue``, and those that the patterns select.

A layer is a floating-point tensor with two or more axes that flattens to at least two rows and two columns. A tensor
that holds several graphs is split into as many layers: along its first axis, as grouped convolutions and stacked
experts, or along its second, as projections that are stored as (inputs, outputs) and packed into one. The stacked gates
of recurrent layers, which torch's names tell (``topoimp.layers.recurrent``), are split too. Of tensors that share all
their data, the first is a layer.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from topoimp.checkpoint import Checkpoint, TensorInfo
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.choices import View
from topoimp.errors import LayerError, OptionError
from topoimp.layers.catalogue import NOT_ASKED_FOR, UNKNOWN_GATES, rule_for_graph, rule_for_tensor
from topoimp.layers.matching import as_meant, matches, matches_layer
from topoimp.layers.neighbours import Neighbours
from topoimp.layers.notes import why_no_layer
from topoimp.layers.records import Groups, LayerInfo, LayerPatterns, Layers, LeftOut, natural
from topoimp.layers.recurrent import gates_in, is_recurrent
from topoimp.layers.rule import Effect, Rule
from topoimp.layers.spatial_view import check_images, in_spatial_view


def select_layers(checkpoint: Checkpoint, patterns: LayerPatterns) -> Layers:
    """Return the layers of a checkpoint that the patterns select, and all other tensors with the reason.

    Raises:
        OptionError: if a pattern is no regular expression or matches no layer, a tensor has no such groups, or a
            convolution no image in the view ``spatial``.
        LayerError: if no layer is selected.
    """
    layers = sorted_tensors(checkpoint, patterns)
    if not layers.infos:
        raise LayerError(why_no_layer(layers))
    if patterns.view is View.SPATIAL:
        infos, _ = classify_tensors(checkpoint, patterns)
        check_images(layers.infos, infos, patterns.input_sizes)
    return layers


def sorted_tensors(checkpoint: Checkpoint, patterns: LayerPatterns) -> Layers:
    """Return the same as ``select_layers``, also of a checkpoint of which no layer is selected.

    Raises:
        OptionError: if a pattern is no regular expression or matches no layer, or a tensor has no such groups.
    """
    infos, left_out = classify_tensors(checkpoint, patterns)

    include, exclude = (
        tuple(as_meant(each, infos) for each in given) for given in (patterns.include, patterns.exclude)
    )
    meant = replace(patterns, include=include, exclude=exclude)
    for pattern, as_read in zip((*patterns.include, *patterns.exclude), (*include, *exclude), strict=True):
        if infos and not any(matches_layer(info, as_read) for info in infos):
            names = ", ".join(info.name for info in infos[:3]) + (", ..." if len(infos) > 3 else "")
            raise OptionError(f"pattern {pattern!r} matches no layer of {checkpoint.path}; its layers are {names}")

    naming = _naming(infos, meant)
    selected: list[LayerInfo] = []
    unselected: list[LayerInfo] = []
    for info in infos:
        rule = _rule_to_skip(info, meant, naming)
        if rule is None:
            selected.append(info)
            continue
        left_out.append(_left_out_layer(info, rule))
        if _is_of_network(info, meant):
            unselected.append(info)
    return Layers(checkpoint, tuple(selected), tuple(left_out), patterns, tuple(unselected))


def classify_tensors(checkpoint: Checkpoint, patterns: LayerPatterns) -> tuple[list[LayerInfo], list[LeftOut]]:
    """Return all layers of a checkpoint, and the other tensors with the reason, in the natural order of their names.

    Raises:
        OptionError: if no tensor matches a pattern of groups, or one that does cannot be split into them.
    """
    infos: list[LayerInfo] = []
    left_out: list[LeftOut] = []
    around = Neighbours(checkpoint.tensors, checkpoint.ties)
    for tensor in sorted(checkpoint.tensors.values(), key=lambda tensor: natural(tensor.name)):
        groups = next((groups for groups in patterns.all_groups if matches(tensor.name, groups.pattern)), None)
        rule = rule_for_tensor(tensor, around)
        if rule is not None and _forbids(rule, groups):
            left_out.append(_left_out(tensor, rule, around))
            continue

        if groups is None and is_recurrent(tensor.name, tensor.shape):
            n_gates = gates_in(tensor.name, around.shapes)
            # The one matrix of an RNN keeps its name.
            groups = Groups(tensor.name, n_gates) if n_gates is not None and n_gates > 1 else None
        rule = None if rule is UNKNOWN_GATES else rule  # the groups are known
        for info in _layers_in(tensor, groups, patterns, around.names_of(tensor)[1:], rule):
            too_small = rule_for_graph(info.n_rows, info.n_columns, info.n_parallel)
            if too_small is None:
                infos.append(info)
            else:
                left_out.append(_left_out_layer(info, too_small))

    # A pattern without an effect is a mistake, and so is a group with the name of a tensor.
    for pattern, *_ in patterns.groups:
        if not any(matches(name, pattern) for name in checkpoint.tensors):
            raise OptionError(f"`groups`: pattern {pattern!r} matches no tensor of {checkpoint.path}")
    for info in infos:
        if info.name != info.tensor and info.name in checkpoint.tensors:
            raise OptionError(f"`groups`: {info.name!r} is the name of a tensor of {checkpoint.path} already")
    return infos, left_out


def _layers_in(
    tensor: TensorInfo, groups: Groups | None, patterns: LayerPatterns, also: tuple[str, ...], rule: Rule | None
) -> list[LayerInfo]:
    """Return the layers in a tensor: itself, or its groups."""
    shape = tensor.shape
    if groups is not None:
        shape = _split(tensor, groups)

    n_rows = shape[0] if len(shape) > 1 else 1
    n_columns = shape[1] if len(shape) > 1 and patterns.view is View.CHANNEL else prod(shape) // n_rows
    names = [tensor.name] if groups is None else [f"{tensor.name}[{number}]" for number in range(groups.number)]

    # Groups of columns lie side by side in each row, groups of rows one after the other.
    is_of_columns = groups is not None and groups.axis == 1 and groups.number > 1
    n_apart = prod(shape[1:]) if is_of_columns else prod(shape)
    row_distance = prod(tensor.shape[1:]) if is_of_columns else None
    sides_and_type = n_rows, n_columns, NUMBER_FORMATS[tensor.dtype], patterns.view
    infos = [
        LayerInfo(name, tensor.name, shape, *sides_and_type, number * n_apart, row_distance, also=also, rule=rule)
        for number, name in enumerate(names)
    ]
    return in_spatial_view(infos, patterns.input_sizes) if patterns.view is View.SPATIAL else infos


def _split(tensor: TensorInfo, groups: Groups) -> tuple[int, ...]:
    """Return the shape of each group of a tensor."""
    shape = list(tensor.shape)
    axis = groups.axis
    if len(shape) <= axis or shape[axis] % groups.number:
        along = f" along axis {axis}" if axis else ""
        split = f"of shape {shape} cannot be split into {groups.number} groups{along}"
        raise OptionError(f"`groups`: tensor {tensor.name!r} {split}")

    shape[axis] //= groups.number
    is_stack = axis == 0 and shape[0] == 1 and len(shape) == 3  # stacked experts: each is one matrix
    return tuple(shape[1:] if is_stack else shape)


def _forbids(rule: Rule, groups: Groups | None) -> bool:
    """Whether a tensor for which a rule holds is never a layer."""
    return rule.effect is Effect.NEVER or (rule.effect is Effect.UNLESS_GROUPED and groups is None)


def _left_out(tensor: TensorInfo, rule: Rule, around: Neighbours) -> LeftOut:
    return LeftOut(tensor.name, tensor.shape, tensor.dtype, rule.reason_for(tensor, around), rule)


def _left_out_layer(info: LayerInfo, rule: Rule) -> LeftOut:
    dtype = info.number_format.name
    return LeftOut(info.name, info.shape, dtype, rule.reason, rule, info.is_pruned_by_default)


def _naming(infos: Sequence[LayerInfo], patterns: LayerPatterns) -> list[str]:
    """Return the patterns of ``include`` that match only layers left out by default, and so can mean no others."""
    by_default = [info for info in infos if _rule_by_default(info, patterns) is None]
    return [pattern for pattern in patterns.include if not any(matches_layer(info, pattern) for info in by_default)]


def _rule_to_skip(info: LayerInfo, patterns: LayerPatterns, naming: Sequence[str]) -> Rule | None:
    is_included = not patterns.include or any(matches_layer(info, pattern) for pattern in patterns.include)
    if not is_included or any(matches_layer(info, pattern) for pattern in patterns.exclude):
        return NOT_ASKED_FOR
    return None if any(matches_layer(info, pattern) for pattern in naming) else _rule_by_default(info, patterns)


def _is_of_network(info: LayerInfo, patterns: LayerPatterns) -> bool:
    """Whether a layer that is not selected is one of the network's all the same: a weight that no pattern excludes."""
    is_weight = info.rule is None or info.rule.effect is Effect.UNLESS_EMBEDDINGS
    return is_weight and not any(matches_layer(info, pattern) for pattern in patterns.exclude)


def _rule_by_default(info: LayerInfo, patterns: LayerPatterns) -> Rule | None:
    is_added = patterns.embeddings and info.rule is not None and info.rule.effect is Effect.UNLESS_EMBEDDINGS
    return None if is_added else info.rule
