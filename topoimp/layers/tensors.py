"""Decide which tensors of a checkpoint are layers, and which of these the patterns select.

A layer is a floating-point tensor with two or more axes that flattens to at least two rows and two columns. A tensor
that holds several graphs, as grouped convolutions and stacked experts do, is split along its first axis into as many
layers. So are the stacked gates of recurrent layers, which torch's names tell (``topoimp.layers.recurrent``). Of
tensors that share all their data, the first is a layer.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from math import prod

from topoimp.checkpoint import Checkpoint, TensorInfo
from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.choices import View
from topoimp.errors import LayerError, OptionError
from topoimp.layers.records import (
    EMBEDDINGS,
    LayerInfo,
    LayerPatterns,
    Layers,
    LeftOut,
    matches,
    matches_layer,
    natural,
)
from topoimp.layers.recurrent import gates_in, is_recurrent
from topoimp.layers.spatial_view import check_images, in_spatial_view

SKIPPED_EMBEDDING = "an embedding or a head"
SINGLE_CHANNEL = "a single input channel"
SKIPPED_BY_PATTERN = "not asked for"
UNKNOWN_GATES = "a recurrent weight whose number of gates does not follow from the shapes"


def select_layers(checkpoint: Checkpoint, patterns: LayerPatterns) -> Layers:
    """Return the layers of a checkpoint that the patterns select, and all other tensors with the reason.

    Raises:
        OptionError: if a pattern is no regular expression or matches no layer, a tensor has no such groups, or a
            convolution no image in the view ``spatial``.
        LayerError: if no layer is selected.
    """
    infos, left_out = classify_tensors(checkpoint, patterns)

    for pattern in (*patterns.include, *patterns.exclude):
        if infos and not any(matches_layer(info, pattern) for info in infos):
            names = ", ".join(info.name for info in infos[:3]) + (", ..." if len(infos) > 3 else "")
            raise OptionError(f"pattern {pattern!r} matches no layer of {checkpoint.path}; its layers are {names}")

    reasons = [(info, _reason_to_skip(info, patterns)) for info in infos]
    selected = tuple(info for info, reason in reasons if reason is None)
    left_out += [LeftOut(info.name, info.shape, info.number_format.name, reason) for info, reason in reasons if reason]
    if not selected:
        raise LayerError(_no_layer_left(checkpoint, infos, left_out))
    if patterns.view is View.SPATIAL:
        check_images(selected, infos, patterns.input_sizes)
    return Layers(checkpoint, selected, tuple(left_out), patterns)


def classify_tensors(checkpoint: Checkpoint, patterns: LayerPatterns) -> tuple[list[LayerInfo], list[LeftOut]]:
    """Return all layers of a checkpoint, and the other tensors with the reason, in the natural order of their names.

    Raises:
        OptionError: if no tensor matches a pattern of groups, or one that does cannot be split into them.
    """
    infos: list[LayerInfo] = []
    left_out: list[LeftOut] = []
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
    for tensor in sorted(checkpoint.tensors.values(), key=lambda tensor: natural(tensor.name)):
        reason = _reason_not_weights(tensor, checkpoint.ties)
        if reason:
            left_out.append(LeftOut(tensor.name, tensor.shape, tensor.dtype, reason))
            continue
        n_groups = next((n for pattern, n in patterns.groups if matches(tensor.name, pattern)), None)
        if n_groups is None and is_recurrent(tensor.name, tensor.shape):
            n_gates = gates_in(tensor.name, shapes)
            if n_gates is None:
                left_out.append(LeftOut(tensor.name, tensor.shape, tensor.dtype, UNKNOWN_GATES))
                continue
            n_groups = n_gates if n_gates > 1 else None  # the one matrix of an RNN keeps its name
        also = tuple(name for name, first in checkpoint.ties.items() if first == tensor.name)
        for info in _layers_in(tensor, n_groups, patterns, also):
            too_small = _reason_too_small(info)
            if too_small:
                left_out.append(LeftOut(info.name, info.shape, tensor.dtype, too_small))
            else:
                infos.append(info)

    # A pattern without an effect is a mistake, and so is a group with the name of a tensor.
    for pattern, _ in patterns.groups:
        if not any(matches(name, pattern) for name in checkpoint.tensors):
            raise OptionError(f"`groups`: pattern {pattern!r} matches no tensor of {checkpoint.path}")
    for info in infos:
        if info.name != info.tensor and info.name in checkpoint.tensors:
            raise OptionError(f"`groups`: {info.name!r} is the name of a tensor of {checkpoint.path} already")
    return infos, left_out


def _layers_in(
    tensor: TensorInfo, n_groups: int | None, patterns: LayerPatterns, also: tuple[str, ...]
) -> list[LayerInfo]:
    """Return the layers in a tensor: itself, or its groups."""
    shape = tensor.shape
    if n_groups is not None:
        if not shape or shape[0] % n_groups:
            split = f"of shape {list(shape)} cannot be split into {n_groups} groups"
            raise OptionError(f"`groups`: tensor {tensor.name!r} {split}")
        shape = (shape[0] // n_groups, *shape[1:])
        if shape[0] == 1 and len(shape) == 3:  # stacked experts: each is one matrix
            shape = shape[1:]

    n_rows = shape[0] if len(shape) > 1 else 1
    n_columns = shape[1] if len(shape) > 1 and patterns.view is View.CHANNEL else prod(shape) // n_rows
    names = [tensor.name] if n_groups is None else [f"{tensor.name}[{number}]" for number in range(n_groups)]
    sides_and_type = n_rows, n_columns, NUMBER_FORMATS[tensor.dtype], patterns.view
    infos = [
        LayerInfo(name, tensor.name, shape, *sides_and_type, first=number * prod(shape), also=also)
        for number, name in enumerate(names)
    ]
    return in_spatial_view(infos, patterns.input_sizes) if patterns.view is View.SPATIAL else infos


def _reason_to_skip(info: LayerInfo, patterns: LayerPatterns) -> str | None:
    is_included = not patterns.include or any(matches_layer(info, pattern) for pattern in patterns.include)
    if not is_included or any(matches_layer(info, pattern) for pattern in patterns.exclude):
        return SKIPPED_BY_PATTERN
    return SKIPPED_EMBEDDING if not patterns.embeddings and _is_embedding(info) else None


def _is_embedding(info: LayerInfo) -> bool:
    return any(fnmatchcase(name, pattern) for name in (info.tensor, *info.also) for pattern in EMBEDDINGS)


def _no_layer_left(checkpoint: Checkpoint, infos: Sequence[LayerInfo], left_out: Sequence[LeftOut]) -> str:
    """Return the message of a checkpoint without a layer, or without a selected one."""
    if not infos:
        holds = _counted(len(checkpoint.tensors), "tensor")
        gates = next((tensor.name for tensor in left_out if tensor.reason == UNKNOWN_GATES), None)
        if gates is not None:
            return f"{checkpoint.path}: holds {holds}, and no layer: `groups` gives the number of gates in {gates}"
        needed = "a floating-point tensor with two rows and two columns or more"
        return f"{checkpoint.path}: holds {holds}, and no layer: {needed}"
    cure = "; `embeddings` adds embeddings and heads" if any(map(_is_embedding, infos)) else ""
    return f"{checkpoint.path}: holds {_counted(len(infos), 'layer')}, and none is selected{cure}"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _reason_not_weights(tensor: TensorInfo, ties: Mapping[str, str]) -> str | None:
    if 0 in tensor.shape:
        return "no weights"
    if tensor.dtype.endswith("FNUZ"):
        return f"{tensor.dtype} numbers are not read"
    if tensor.dtype not in NUMBER_FORMATS:
        return f"{tensor.dtype} numbers are no floating-point weights"
    if len(tensor.shape) < 2:
        return "one axis" if tensor.shape else "a scalar"
    if tensor.name in ties:
        return f"tied to {ties[tensor.name]}, and looked at there"
    return None


def _reason_too_small(info: LayerInfo) -> str | None:
    if info.n_rows < 2:
        return "a single row"
    if info.n_columns < 2:
        return SINGLE_CHANNEL if info.n_parallel > 1 else "a single column"
    return None
