"""The names of layers in, the graph of their network out: a chain, each layer behind the one before.

A checkpoint does not say how its layers follow one another, so a user names them. The shapes are checked: each layer
reads as many inputs as the layer before it has outputs, or behind a convolution a multiple of it: the pixels of each
flattened channel, one channel after the other. Between two layers may lie anything that keeps neurons and channels
apart: activations, pooling, norms. The graph has no norms: a factor of a batch norm does not count in the strength of a
path.

Weights are stored as (out, in). A length of the bias or a chain that fits only in the other direction shows weights
that are stored as (in, out), and they are refused. Square weights without such a neighbour cannot be told.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from topoimp.checkpoint import Checkpoint
from topoimp.errors import OptionError
from topoimp.layers.records import LayerInfo, LayerPatterns, Layers
from topoimp.layers.tensors import classify_tensors, sorted_tensors
from topoimp.layers.wrapped_names import matched_names
from topoimp.network.graph import NetworkGraph, chain_graph

Chain: TypeAlias = str | Sequence[str]
"""The layers of a chain as a user names them: a text with commas, or names and patterns one by one."""

WEIGHT = ".weight"
"""Ending of a tensor's name that may be left out."""

TRANSPOSED = "stored as (in, out), as GPT-2 stores them; a chain needs (out, in)"


def graph_of_chain(checkpoint: Checkpoint, chain: Chain) -> NetworkGraph:
    """Return the graph of layers of a checkpoint that follow one another, the first one at the inputs.

    Args:
        checkpoint: the file; only its names and shapes are read.
        chain: the layers in their order, each the name of a tensor, with or without ``.weight`` at its end, or a
            pattern of ``LayerPatterns``, which stands for the layers that ``include`` would select, in the natural
            order of their names. A text has commas between them.

    Returns:
        the graph, its layers called as the tensors.

    Raises:
        OptionError: if a name is no layer, a layer stands twice, or does not fit the one before it, or weights are
            stored as (in, out).

    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from safetensors.numpy import save_file
    >>> from topoimp.checkpoint import open_checkpoint
    >>> with TemporaryDirectory() as folder:
    ...     save_file({"fc1.weight": np.ones((3, 4)), "fc2.weight": np.ones((2, 3))}, f"{folder}/model.safetensors")
    ...     graph = graph_of_chain(open_checkpoint(f"{folder}/model.safetensors"), "fc1,fc2")
    >>> graph.places
    {'inputs': 4, 'fc1.weight': 3, 'fc2.weight': 2}
    """
    names = [name.strip() for name in (chain.split(",") if isinstance(chain, str) else chain)]
    layers, left_out = classify_tensors(checkpoint, LayerPatterns())
    reasons = {tensor.name: tensor.reason for tensor in left_out}
    infos = [info for name in names for info in _layers_named(name, checkpoint, layers, reasons)]
    if not infos:
        raise OptionError("`chain` names no layer; it needs at least one")

    found: dict[str, tuple[int, ...]] = {}
    for info in infos:
        if info.name in found:
            raise OptionError(f"`chain` has the layer {info.name!r} twice; each layer stands in it once")
        found[info.name] = info.shape
    _check_stored_by_outputs(checkpoint, found)
    _check_fit(found)
    return chain_graph(found)


def patterns_on_chain(patterns: LayerPatterns, graph: NetworkGraph | None) -> LayerPatterns:
    """Return patterns that select the layers of a chain, if they include no others by name; the same without a chain.

    >>> patterns_on_chain(LayerPatterns(exclude=("fc2",)), chain_graph({"fc1": (3, 4), "fc2": (2, 3)})).include
    ('fc1', 'fc2')
    """
    if graph is None or patterns.include:
        return patterns
    return replace(patterns, include=tuple(graph.layers))


def notes_on_chain(layers: Layers, graph: NetworkGraph | None) -> list[str]:
    """Return the sentence that counts the layers outside a chain that are left out; none without a chain or them."""
    if graph is None:
        return []
    outside = [each.name for each in layers.left_out if each.is_pruned_by_default and each.name not in graph.layers]
    if not outside:
        return []
    are = "1 layer is" if len(outside) == 1 else f"{len(outside)} layers are"
    return [f"{are} outside the chain and left out, such as {outside[0]}; `include` selects layers"]


def _layers_named(
    name: str, checkpoint: Checkpoint, layers: Sequence[LayerInfo], reasons: dict[str, str]
) -> Sequence[LayerInfo]:
    """Return the layers that a part of a chain names."""
    by_name = {other: info for info in layers for other in (info.name, *info.also)}
    exact = matched_names([name, name + WEIGHT], by_name)
    if exact:
        return [by_name[exact.get(name) or exact[name + WEIGHT]]]

    split = [info.name for info in layers if info.tensor in (name, name + WEIGHT)]
    if split:
        raise OptionError(f"`chain` names {name!r}, which holds several layers, such as {split[0]!r}; a chain has none")
    if name.startswith("re:") or any(letter in name for letter in "*?["):
        return _layers_matching(name, checkpoint)

    for tensor in (name, name + WEIGHT):
        if tensor in reasons:
            raise OptionError(f"`chain` names {name!r}, which is no layer of {checkpoint.path}: {reasons[tensor]}")
    its_layers = ", ".join(info.name for info in layers[:3]) + (", ..." if len(layers) > 3 else "")
    raise OptionError(f"`chain` names {name!r}, which is no layer of {checkpoint.path}; its layers are {its_layers}")


def _layers_matching(pattern: str, checkpoint: Checkpoint) -> Sequence[LayerInfo]:
    """Return the layers that a pattern selects, in the natural order of their names."""
    infos = sorted_tensors(checkpoint, LayerPatterns(include=(pattern,))).infos
    split = [info.name for info in infos if info.name != info.tensor]
    if split:
        raise OptionError(f"`chain` has {pattern!r}, which matches {split[0]!r}, a part of a tensor; a chain has none")
    return infos


def _check_stored_by_outputs(checkpoint: Checkpoint, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise an OptionError if the bias of a layer has a number for each of its columns, and not for each row."""
    for name, (n_outputs, n_inputs, *_) in shapes.items():
        bias = checkpoint.tensors.get(name.removesuffix(WEIGHT) + ".bias")
        if bias is not None and bias.shape == (n_inputs,) != (n_outputs,):
            raise OptionError(
                f"`chain`: the layer {name!r} is {_sides(shapes[name])} and its bias has {n_inputs} numbers, so its "
                f"weights seem to be {TRANSPOSED}"
            )


def _check_fit(shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise an OptionError if a layer does not read the outputs of the one before it."""
    names = list(shapes)
    wrong = [pair for pair in pairwise(names) if not _fits(shapes[pair[0]], shapes[pair[1]])]
    if not wrong:
        return
    before, name = wrong[0]
    found = f"`chain`: the layer {name!r} is {_sides(shapes[name])} and does not fit {before!r} before it"
    found += f", which is {_sides(shapes[before])}"

    swapped = {layer: (shape[1], shape[0], *shape[2:]) for layer, shape in shapes.items()}
    if all(_fits(swapped[one], swapped[other]) for one, other in pairwise(names)):
        raise OptionError(
            f"{found}; it fits in the other direction: either the order is from the outputs to the inputs, or the "
            f"weights seem to be {TRANSPOSED}"
        )
    n_outputs, n_rows, n_inputs = shapes[before][0], shapes[name][0], shapes[name][1]
    if len(shapes[name]) > 2 and n_outputs % n_inputs == 0 and n_rows % (n_outputs // n_inputs) == 0:
        raise OptionError(
            f"{found}: it seems to be a convolution of {n_outputs // n_inputs} groups, each of which reads "
            f"{n_inputs} of {n_outputs} channels; a chain has no grouped convolutions"
        )
    raise OptionError(f"{found}: it reads {n_inputs} inputs, and {n_outputs} are needed")


def _fits(before: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a layer reads as many inputs as the one before has outputs; behind a flattened image, a multiple."""
    is_flattened = len(before) > 2 and len(shape) == 2
    return shape[1] % before[0] == 0 if is_flattened else shape[1] == before[0]


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
