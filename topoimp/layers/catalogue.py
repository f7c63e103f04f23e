"""Which tensors of a checkpoint are layers, and which of these are looked at.

A layer is a floating-point tensor with two or more axes that flattens to at least two rows and two columns. A tensor
that holds several graphs, as grouped convolutions and stacked experts do, is split along its first axis into as many
layers. Of tensors that share all their data, one is a layer. Layers come in the natural order of their names (2 before
10), so that the order of tensors in files, and how they are spread over shards, changes nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod

from topoimp.checkpoint import Checkpoint, TensorInfo
from topoimp.checkpoint.number_format import NUMBER_FORMATS, NumberFormat
from topoimp.choices import View, chosen
from topoimp.errors import LayerError, OptionError
from topoimp.layers.layer import Layer, by_channel

EMBEDDINGS = ("*embed*", "*wte*", "*wpe*", "*lm_head*")
"""Names of embeddings and heads, which pruning leaves alone unless asked."""


@dataclass(frozen=True)
class LayerInfo:
    """What is known of a layer before its weights are read.

    Args:
        name: its tensor's name; of a group, with the group's number behind it, as in ``experts[3]``.
        tensor: the tensor's name.
        shape: of the tensor, or of the group.
        n_rows: vertices on the side of the first axis.
        n_columns: vertices on the other side.
        number_format: of its weights.
        view: how the other axes are read.
        first: flat index, within the tensor, of its first weight.
        also: other names of the same tensor, which are tied to it.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    n_rows: int
    n_columns: int
    number_format: NumberFormat
    view: View = View.MATRIX
    first: int = 0
    also: tuple[str, ...] = ()

    @property
    def n_weights(self) -> int:
        """Weights, stored zeros included."""
        return prod(self.shape)

    @property
    def n_parallel(self) -> int:
        """Weights between one row and one column: more than one in the view ``channel``."""
        return self.n_weights // (self.n_rows * self.n_columns)

    @property
    def place(self) -> tuple[str, int]:
        """What orders equal strengths of different layers."""
        return self.tensor, self.first


@dataclass(frozen=True)
class LeftOut:
    """A tensor that is not looked at, and why."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    reason: str


@dataclass(frozen=True)
class LayerPatterns:
    """Which layers to look at, by name, and how.

    A pattern is a glob (``fc*.weight``, case matters), or ``re:`` and a regular expression found anywhere in the name.

    Args:
        include: only names that match one of these; all if empty.
        exclude: not the names that match one of these.
        embeddings: whether embeddings and heads (``EMBEDDINGS``) are looked at.
        groups: patterns of tensors that hold several graphs, and how many; the first that matches counts.
        view: how tensors with more than two axes are read; its word will do.

    Raises:
        OptionError: if there is no such view.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    embeddings: bool = False
    groups: tuple[tuple[str, int], ...] = ()
    view: View = View.MATRIX

    def __post_init__(self) -> None:
        """Make a word the view that it names: a mere string would be read as ``matrix`` and reported as it is."""
        object.__setattr__(self, "view", chosen(View, self.view))

    def need_matrix_view(self, reason: str) -> None:
        """Check that the view is ``matrix``.

        Args:
            reason: begins the message's second half, as in "pruning is of weights, and needs".

        Raises:
            OptionError: if it is not.
        """
        if self.view is not View.MATRIX:
            raise OptionError(f"the view is {self.view}; {reason} the view matrix")


@dataclass(frozen=True)
class Layers:
    """The selected layers of a checkpoint, in the natural order of their names."""

    checkpoint: Checkpoint
    infos: tuple[LayerInfo, ...]
    left_out: tuple[LeftOut, ...]
    patterns: LayerPatterns = LayerPatterns()

    @cached_property
    def by_name(self) -> dict[str, LayerInfo]:
        """Each layer by its name, in order."""
        return {info.name: info for info in self.infos}

    def read(self, info: LayerInfo) -> Layer:
        """Look at one layer's weights; whether they are finite is found out when its forest is.

        Raises:
            CheckpointError: if the file cannot be read.
        """
        codes = self.checkpoint.codes(info.tensor)[info.first : info.first + info.n_weights]
        layer = Layer(info.name, codes.reshape(info.n_rows, -1), info.number_format, origin=str(self.checkpoint.path))
        return by_channel(layer, info.n_parallel) if info.n_parallel > 1 else layer

    def will_need(self, info: LayerInfo) -> None:
        """Have a layer's weights fetched from the disk while something else is done."""
        self.checkpoint.will_need(info.tensor, *self._extent(info))

    def have_ready(self, info: LayerInfo, start: int = 0, stop: int | None = None) -> None:
        """Have a layer's weights from ``start`` to ``stop``, all if nothing is said, in memory at once.

        Raises:
            CheckpointError: if they cannot be read.
        """
        self.checkpoint.have_ready(info.tensor, *self._extent(info, start, stop))

    def done_with(self, info: LayerInfo, start: int = 0, stop: int | None = None) -> None:
        """Give back the memory that a layer's weights from ``start`` to ``stop`` take; they can be read again."""
        self.checkpoint.done_with(info.tensor, *self._extent(info, start, stop))

    def by_place(self) -> dict[tuple[str, int], LayerInfo]:
        """Give each layer by (tensor, first weight), and by the same under the names tied to its tensor."""
        names = [(name, info) for info in self.infos for name in (info.tensor, *info.also)]
        return {(name, info.first): info for name, info in names}

    def by_tensor(self) -> Mapping[str, list[LayerInfo]]:
        """Give the layers of each tensor, in the order of its weights."""
        of_tensor: dict[str, list[LayerInfo]] = {}
        for info in sorted(self.infos, key=lambda info: info.place):
            of_tensor.setdefault(info.tensor, []).append(info)
        return of_tensor

    def in_reading_order(self) -> list[LayerInfo]:
        """Give the layers in the order in which they lie in their files."""
        file_order = {file.path: number for number, file in enumerate(self.checkpoint.files)}

        def place(info: LayerInfo) -> tuple[int, int, int]:
            file, tensor = self.checkpoint.file_of[info.tensor], self.checkpoint.tensors[info.tensor]
            return file_order[file.path], tensor.start, info.first

        return sorted(self.infos, key=place)

    def _extent(self, info: LayerInfo, start: int = 0, stop: int | None = None) -> tuple[int, int]:
        size = info.number_format.n_bits // 8
        return (info.first + start) * size, (info.first + (info.n_weights if stop is None else stop)) * size


def select_layers(checkpoint: Checkpoint, patterns: LayerPatterns) -> Layers:
    """Give the layers of a checkpoint that the patterns ask for, and everything else with the reason.

    Raises:
        OptionError: if a pattern is no regular expression, matches no layer, or asks for groups that do not fit.
        LayerError: if no layer is left.
    """
    infos, left_out = classify_tensors(checkpoint, patterns)
    for pattern in (*patterns.include, *patterns.exclude):
        if infos and not any(is_meant(info, pattern) for info in infos):
            names = ", ".join(info.name for info in infos[:3]) + (", ..." if len(infos) > 3 else "")
            raise OptionError(f"pattern {pattern!r} matches no layer of {checkpoint.path}; its layers are {names}")
    selected: list[LayerInfo] = []
    for info in infos:
        reason = _reason_to_skip(info, patterns)
        if reason:
            left_out.append(LeftOut(info.name, info.shape, info.number_format.name, reason))
        else:
            selected.append(info)
    if not selected:
        raise LayerError(_no_layer_left(checkpoint, infos))
    return Layers(checkpoint, tuple(selected), tuple(left_out), patterns)


def classify_tensors(checkpoint: Checkpoint, patterns: LayerPatterns) -> tuple[list[LayerInfo], list[LeftOut]]:
    """Give a checkpoint's layers, and the tensors that are none with the reason, in the natural order of their names.

    Raises:
        OptionError: if groups are asked for that do not fit.
    """
    infos: list[LayerInfo] = []
    left_out: list[LeftOut] = []
    for tensor in sorted(checkpoint.tensors.values(), key=lambda tensor: natural(tensor.name)):
        reason = _why_no_weights(tensor, checkpoint.ties)
        also = tuple(name for name, first in checkpoint.ties.items() if first == tensor.name)
        parts = [] if reason else [replace(info, also=also) for info in _parts(tensor, patterns)]
        if reason:
            left_out.append(LeftOut(tensor.name, tensor.shape, tensor.dtype, reason))
        for info in parts:
            too_small = _why_too_small(info)
            if too_small:
                left_out.append(LeftOut(info.name, info.shape, tensor.dtype, too_small))
            else:
                infos.append(info)
    for pattern, _ in patterns.groups:
        if not any(_matches(name, pattern) for name in checkpoint.tensors):
            raise OptionError(f"--groups: pattern {pattern!r} matches no tensor of {checkpoint.path}")
    for info in infos:
        if info.name != info.tensor and info.name in checkpoint.tensors:
            raise OptionError(f"--groups: {info.name!r} is the name of a tensor of {checkpoint.path} already")
    return infos, left_out


SKIPPED_EMBEDDING = "an embedding or a head"
SINGLE_CHANNEL = "a single input channel"
SKIPPED_BY_PATTERN = "not asked for"


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Give what orders names as people do: runs of digits by their value, and the name itself where that is the same.

    >>> sorted(["fc10", "fc2", "fc1"], key=natural)
    ['fc1', 'fc2', 'fc10']
    """
    parts = re.split(r"([0-9]+)", name)
    return [(len(part.lstrip("0")), part.lstrip("0")) if k % 2 else (0, part) for k, part in enumerate(parts)], name


def _parts(tensor: TensorInfo, patterns: LayerPatterns) -> Iterable[LayerInfo]:
    """Give the layers that a tensor holds: itself, or its groups."""
    number_format = NUMBER_FORMATS[tensor.dtype]
    n_groups = next((n for pattern, n in patterns.groups if _matches(tensor.name, pattern)), None)
    if n_groups is None:
        yield LayerInfo(
            tensor.name, tensor.name, tensor.shape, *_sides(tensor.shape, patterns.view), number_format, patterns.view
        )
        return
    if not tensor.shape or tensor.shape[0] % n_groups:
        raise OptionError(
            f"--groups: tensor {tensor.name!r} of shape {list(tensor.shape)} cannot be split into {n_groups} groups"
        )
    shape = (tensor.shape[0] // n_groups, *tensor.shape[1:])
    if shape[0] == 1 and len(shape) == 3:  # stacked experts: what is left is one matrix
        shape = shape[1:]
    for number in range(n_groups):
        yield LayerInfo(
            f"{tensor.name}[{number}]",
            tensor.name,
            shape,
            *_sides(shape, patterns.view),
            number_format,
            patterns.view,
            first=number * prod(shape),
        )


def _sides(shape: tuple[int, ...], view: View) -> tuple[int, int]:
    """Give the rows and columns of a tensor in a view; one axis is a single row."""
    if len(shape) < 2:
        return 1, prod(shape)
    return shape[0], shape[1] if view is View.CHANNEL else prod(shape[1:])


def _reason_to_skip(info: LayerInfo, patterns: LayerPatterns) -> str | None:
    if patterns.include and not any(is_meant(info, pattern) for pattern in patterns.include):
        return SKIPPED_BY_PATTERN
    if any(is_meant(info, pattern) for pattern in patterns.exclude):
        return SKIPPED_BY_PATTERN
    if not patterns.embeddings and _is_embedding(info):
        return SKIPPED_EMBEDDING
    return None


def _is_embedding(info: LayerInfo) -> bool:
    return any(fnmatchcase(name, pattern) for name in (info.tensor, *info.also) for pattern in EMBEDDINGS)


def is_meant(info: LayerInfo, pattern: str) -> bool:
    """Whether a pattern means a layer: by its own name, or by one of its tensor's, which means all of its groups."""
    return any(_matches(name, pattern) for name in (info.name, info.tensor, *info.also))


def _matches(name: str, pattern: str) -> bool:
    if not pattern.startswith("re:"):
        return name == pattern or fnmatchcase(name, pattern)  # a group's name is one, though brackets mean a choice
    try:
        return re.search(pattern.removeprefix("re:"), name) is not None
    except (re.error, OverflowError, RecursionError) as error:
        raise OptionError(f"pattern {pattern!r} is no regular expression: {error}") from error


def _no_layer_left(checkpoint: Checkpoint, infos: Sequence[LayerInfo]) -> str:
    if not infos:
        holds = _counted(len(checkpoint.tensors), "tensor")
        needed = "a floating-point tensor with two rows and two columns or more"
        return f"{checkpoint.path}: holds {holds}, and no layer: {needed}"
    left = f"{checkpoint.path}: holds {_counted(len(infos), 'layer')}, and none is selected"
    if any(map(_is_embedding, infos)):
        left += "; --embeddings adds embeddings and heads"
    return left


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _why_no_weights(tensor: TensorInfo, ties: Mapping[str, str]) -> str | None:
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


def _why_too_small(info: LayerInfo) -> str | None:
    if info.n_rows < 2:
        return "a single row"
    if info.n_columns < 2:
        return SINGLE_CHANNEL if info.n_parallel > 1 else "a single column"
    return None
