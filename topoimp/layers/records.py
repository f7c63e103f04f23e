"""The records of the layers of a checkpoint before their weights are read, and the patterns that select them.

Layers come in the natural order of their names (2 before 10), whatever the order of tensors in files and shards.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import NamedTuple, Self, TypeAlias

import numpy as np

from topoimp.arrays import CodeArray
from topoimp.checkpoint import Advice, Checkpoint
from topoimp.checkpoint.number_format import NumberFormat
from topoimp.choices import View, chosen
from topoimp.errors import OptionError
from topoimp.kernels.threads import in_parallel
from topoimp.layers.block import Block
from topoimp.layers.layer import Layer, by_channel
from topoimp.layers.rule import Rule
from topoimp.layers.spatial import InputSize


@dataclass(frozen=True)
class LayerInfo:
    """Description of a layer, known before its weights are read.

    Args:
        name: the tensor's name; for a group or gate with its number, as in ``experts[3]``.
        shape: shape of the tensor or the group.
        n_rows: vertices on the side of the first axis; ``n_columns`` are those of the other axes.
        first: flat index of the layer's first weight within the tensor.
        row_distance: of a group of columns, the weights of the tensor from the beginning of a row to that of the next;
            None if the layer's weights follow each other.
        also: names of tensors that are tied to this one.
        input_size: image under a convolution in the view ``spatial``; rows are then the positions of its output,
            columns those of its padded input.
        rule: the rule by which the layer is not pruned by default; None if it is.
        weight_format: format of the weights, where ``number_format`` is that of scores; otherwise None.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    n_rows: int
    n_columns: int
    number_format: NumberFormat
    view: View = View.MATRIX
    first: int = 0
    row_distance: int | None = None
    also: tuple[str, ...] = ()
    input_size: InputSize | None = None
    rule: Rule | None = None
    weight_format: NumberFormat | None = None

    @property
    def dtype(self) -> str:
        """The type of the weights, as safetensors names it."""
        return (self.weight_format or self.number_format).name

    @property
    def n_weights(self) -> int:
        """Weights, stored zeros included."""
        return prod(self.shape)

    @property
    def is_pruned_by_default(self) -> bool:
        """Whether pruning takes the layer if no pattern selects layers: by its rule, and its sides as a matrix."""
        is_matrix = len(self.shape) > 1 and self.shape[0] > 1 and prod(self.shape[1:]) > 1
        return self.rule is None and is_matrix

    @property
    def n_parallel(self) -> int:
        """Weights that join one row with one column: more than one in the view ``channel``."""
        return self.n_weights // (self.n_rows * self.n_columns) if self.view is View.CHANNEL else 1

    @property
    def block(self) -> Block:
        """The places of the layer's weights in the tensor."""
        n_weights = self.n_weights
        if self.row_distance is None:
            return Block(self.first, n_weights, n_weights, n_weights)
        return Block(self.first, n_weights, n_weights // self.shape[0], self.row_distance)

    @property
    def place(self) -> tuple[str, int]:
        """Tensor and first weight: the order of equal strengths in different layers."""
        return self.tensor, self.first


@dataclass(frozen=True)
class LeftOut:
    """A tensor that is not a selected layer, the reason in words, the rule, and whether pruning takes it by default."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    reason: str
    rule: Rule
    is_pruned_by_default: bool = False


class Groups(NamedTuple):
    """The number of graphs in each tensor that matches a pattern: equal blocks of its rows, or of its columns.

    Args:
        axis: 0 splits the rows, the first axis; 1 the columns, the second: each graph has all rows.
    """

    pattern: str
    number: int
    axis: int = 0

    def __str__(self) -> str:
        return f"{self.pattern}={self.number}{f'@{self.axis}' if self.axis else ''}"


GroupsOf: TypeAlias = tuple[str, int] | tuple[str, int, int]
"""A pattern, a number, and if it is not 0 an axis: ``Groups`` as a caller gives them."""


@dataclass(frozen=True)
class LayerPatterns:
    """Patterns that select layers by name, and the view in which they are read.

    A pattern is a glob (``fc*.weight``, case matters), or ``re:`` and a regular expression found anywhere in the name.
    A glob that matches no layer and ends in the brackets of a group, as ``*qkv*[0]`` does, names that group.

    Args:
        include: select only layers that match one of these; all if empty. A pattern that matches nothing but tensors
            left out by default selects these.
        exclude: select no layer that matches one of these.
        embeddings: select embeddings and heads too (``topoimp.layers.catalogue`` has their rules).
        groups: ``(pattern, number)`` or ``(pattern, number, axis)``, the number of graphs in each tensor that matches
            the pattern (``Groups``); the first match counts. Without a match, the weights of RNN, GRU and LSTM
            (``topoimp.layers.recurrent``) have a graph for each gate.
        view: reading of tensors with more than two axes; a ``View`` or its word.
        input_sizes: pairs of a pattern and the image under each convolution that matches it, for the view ``spatial``;
            the first match counts.

    Raises:
        OptionError: if there is no such view, images are given in another view than ``spatial``, or groups are no
            number from 1 along the axis 0 or 1.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    embeddings: bool = False
    groups: tuple[GroupsOf, ...] = ()
    view: View = View.MATRIX
    input_sizes: tuple[tuple[str, InputSize], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "view", chosen(View, self.view))
        if self.input_sizes and self.view is not View.SPATIAL:
            raise OptionError(f"`input_sizes` are for the view spatial; the view is {self.view}")
        for groups in self.all_groups:
            if groups.number < 1 or groups.axis not in (0, 1):
                raise OptionError(f"`groups`: {groups} must be a number from 1, along the axis 0 or 1")

    @property
    def all_groups(self) -> list[Groups]:
        """The groups, each with its axis."""
        return [Groups(*groups) for groups in self.groups]

    def check_matrix_view(self, reason: str) -> None:
        """Raise an OptionError, such as "... pruning is of weights, and needs the view matrix", in another view."""
        if self.view is not View.MATRIX:
            raise OptionError(f"the view is {self.view}; {reason} the view matrix")

    def check_edges_are_weights(self, reason: str) -> None:
        """Raise an OptionError, such as "... a comparison is of weights, and needs ...", in the view ``spatial``."""
        if self.view is View.SPATIAL:
            raise OptionError(f"the view is spatial; {reason} the view matrix or channel")


@dataclass(frozen=True)
class Layers:
    """The selected layers of a checkpoint, in the natural order of their names.

    ``unselected`` are the other layers of the network, embeddings and heads too, but none that ``exclude`` names. They
    count in the checkpoint's own scale alone (``topoimp.topology.own_scale``).
    """

    checkpoint: Checkpoint
    infos: tuple[LayerInfo, ...]
    left_out: tuple[LeftOut, ...]
    patterns: LayerPatterns = LayerPatterns()
    unselected: tuple[LayerInfo, ...] = ()

    @property
    def files(self) -> list[Checkpoint]:
        """The checkpoints that are read."""
        return [self.checkpoint]

    @cached_property
    def by_name(self) -> dict[str, LayerInfo]:
        """Each layer by its name, in order."""
        return {info.name: info for info in self.infos}

    def only(self, names: Collection[str]) -> Self:
        """Return some of the layers, by name: what a task that is about them needs."""
        return replace(self, infos=tuple(self.by_name[name] for name in names), left_out=(), unselected=())

    def read(self, info: LayerInfo, threads: int = 1) -> Layer:
        """Return a layer with its weights; finding its forest checks that they are finite.

        Weights that follow each other in the tensor are mapped; a group of columns is copied, by all threads.
        """
        if info.row_distance is None:
            codes = self.checkpoint.codes(info.tensor, info.first, info.first + info.n_weights)
        else:
            codes = self._copied(info, threads)
        n_rows = info.n_rows if info.input_size is None else info.shape[0]  # one row a filter
        layer = Layer(info.name, codes.reshape(n_rows, -1), info.number_format, origin=str(self.checkpoint.path))
        return by_channel(layer, info.n_parallel) if info.n_parallel > 1 else layer

    def will_need(self, info: LayerInfo) -> None:
        """Start to read a layer's weights from the disk in the background."""
        self._advise(Advice.WILL_NEED, info, 0, info.n_weights)

    def have_ready(self, info: LayerInfo, start: int = 0, stop: int | None = None) -> None:
        """Read a layer's weights from ``start`` to ``stop`` into memory, or raise a CheckpointError."""
        if info.row_distance is None:  # a copy is in memory
            self._advise(Advice.NEED_NOW, info, start, info.n_weights if stop is None else stop)

    def done_with(self, info: LayerInfo, start: int = 0, stop: int | None = None) -> None:
        """Release the memory of a layer's weights from ``start`` to ``stop``; they can be read again."""
        if info.row_distance is None:  # the tensor of a copy was released
            self._advise(Advice.DONE_WITH, info, start, info.n_weights if stop is None else stop)

    def by_place(self) -> dict[tuple[str, int], LayerInfo]:
        """Return each layer by (tensor, first weight), also under the names that are tied to its tensor."""
        names = [(name, info) for info in self.infos for name in (info.tensor, *info.also)]
        return {(name, info.first): info for name, info in names}

    def by_tensor(self) -> Mapping[str, list[LayerInfo]]:
        """Return the layers of each tensor, in the order of its weights."""
        layers_of: dict[str, list[LayerInfo]] = {}
        for info in sorted(self.infos, key=lambda info: info.place):
            layers_of.setdefault(info.tensor, []).append(info)
        return layers_of

    def in_reading_order(self) -> list[LayerInfo]:
        """Return the layers in the order of their weights in the files."""
        checkpoint = self.checkpoint
        number_of = {file.path: number for number, file in enumerate(checkpoint.files)}

        def place(info: LayerInfo) -> tuple[int, int, int]:
            return number_of[checkpoint.file_of[info.tensor].path], checkpoint.tensors[info.tensor].start, info.first

        return sorted(self.infos, key=place)

    def _copied(self, info: LayerInfo, threads: int) -> CodeArray:
        """Return a copy of a group of columns; pieces of the tensor are released once they are copied."""
        block = info.block
        copy = np.empty(info.n_weights, info.number_format.code_dtype)

        def look(start: int, stop: int) -> None:
            for part in block.rectangles(start, stop):
                self._advise(Advice.NEED_NOW, info, part.start, part.stop)
                codes = part.in_values(self.checkpoint.codes(info.tensor, part.first, part.end))
                copy[part.start : part.stop].reshape(part.shape)[...] = codes
                self._advise(Advice.DONE_WITH, info, part.start, part.stop)

        in_parallel(look, info.n_weights, threads, unit=block.width)
        return copy

    def _advise(self, advice: Advice, info: LayerInfo, start: int, stop: int) -> None:
        """Advise the system on the part of a tensor from a layer's weight ``start`` to the one before ``stop``."""
        size = info.number_format.n_bits // 8
        first, last = info.block.places(np.array([start, stop - 1])).tolist()
        self.checkpoint.advise(advice, info.tensor, first * size, (last + 1) * size)


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts names as people do: runs of digits by value, names that are equal then by themselves.

    >>> sorted(["fc10", "fc2", "fc1"], key=natural)
    ['fc1', 'fc2', 'fc10']
    """
    parts = re.split(r"([0-9]+)", name)
    return [(len(part.lstrip("0")), part.lstrip("0")) if k % 2 else (0, part) for k, part in enumerate(parts)], name
