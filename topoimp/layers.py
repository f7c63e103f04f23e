"""Which tensors of a checkpoint are layers, each read as a weighted bipartite graph.

A layer is a floating-point tensor with two or more axes that flattens, as (first axis, all the others), to at least two
rows and two columns. Rows and columns are the vertices of its graph, weights that are not zero its edges. That view is
named ``matrix``: for a convolution it is the matrix product that the convolution is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod
from typing import Any

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, FloatArray
from topoimp.checkpoint import Checkpoint, TensorInfo
from topoimp.errors import LayerError, OptionError
from topoimp.number_format import BF16, F8_E4M3, F8_E5M2, F16, F32, F64, NUMBER_FORMATS, NumberFormat

VIEW = "matrix"
"""The only view so far: (first axis, all the others)."""

EMBEDDINGS = ("*embed*", "*wte*", "*wpe*", "*lm_head*")
"""Names of embeddings and heads, which pruning leaves alone unless asked."""


@dataclass(frozen=True)
class Layer:
    """A layer's weights, as stored.

    Args:
        name: its tensor's name.
        codes: the stored bits, shape (rows, columns); not modified by anything here.
        number_format: what the bits mean.
        origin: the file that it was read from, for messages.
    """

    name: str
    codes: CodeArray
    number_format: NumberFormat
    origin: str = ""

    @property
    def n_rows(self) -> int:
        """Vertices on the side of the first axis."""
        return int(self.codes.shape[0])

    @property
    def n_columns(self) -> int:
        """Vertices on the side of the other axes."""
        return int(self.codes.shape[1])

    @property
    def n_vertices(self) -> int:
        """Rows and columns together."""
        return self.n_rows + self.n_columns

    @property
    def n_weights(self) -> int:
        """Entries, stored zeros included."""
        return int(self.codes.size)

    def magnitudes(self) -> CodeArray:
        """Give the weights' magnitude codes, shape (rows, columns): they order like the strengths; 0 is no edge."""
        return self.number_format.magnitudes(self.codes)

    def strengths(self) -> FloatArray:
        """Give |w| exactly, shape (rows, columns)."""
        return self.number_format.strengths(self.codes)

    def edges(self) -> BoolArray:
        """Give which weights are edges, shape (rows, columns)."""
        return np.not_equal(self.magnitudes(), 0)

    def check_finite(self) -> None:
        """Refuse weights that have no place in the order.

        Raises:
            LayerError: if one is NaN or infinite; it says which and how many.
        """
        magnitudes = self.magnitudes()
        special = np.flatnonzero(magnitudes >= self.number_format.first_special)
        if special.size == 0:
            return
        infinite = int(np.count_nonzero(magnitudes.ravel()[special] == (self.number_format.infinity or -1)))
        counts = [f"{special.size - infinite} NaN"] if special.size > infinite else []
        counts += [f"{infinite} infinite weights"] if infinite else []
        found = f"holds {' and '.join(counts)}, the first at index {special[0]}"
        where = f"{self.origin}: " if self.origin else ""
        raise LayerError(f"{where}tensor {self.name!r} {found}; a layer needs finite weights")


def as_layer(weight: Any, *, name: str = "weight") -> Layer:  # Any: whatever numpy or torch calls an array
    """Read an array as a layer.

    Args:
        weight: shape (rows, columns), or more axes, of which all but the first are flattened; 1 x n works too. A numpy
            array of float64, float32 or float16, or a torch tensor of these, bfloat16 or float8 (e4m3fn, e5m2).
        name: what errors call it.

    Raises:
        LayerError: if it has fewer than two axes, another type, no entry, or an entry that is NaN or infinite.
    """
    codes, number_format = _torch_codes(weight, name) if _is_torch(weight) else _numpy_codes(weight, name)
    if codes.ndim < 2 or codes.size == 0:
        raise LayerError(f"{name} has the shape {codes.shape}; a layer has two or more axes and at least one weight")
    layer = Layer(name, codes.reshape(codes.shape[0], -1), number_format)
    layer.check_finite()
    return layer


@dataclass(frozen=True)
class LayerInfo:
    """What is known of a layer before its weights are read."""

    name: str
    shape: tuple[int, ...]
    n_rows: int
    n_columns: int
    number_format: NumberFormat
    view: str = VIEW

    @property
    def n_weights(self) -> int:
        """Entries, stored zeros included."""
        return self.n_rows * self.n_columns


@dataclass(frozen=True)
class LeftOut:
    """A tensor that is not looked at, and why."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    reason: str


@dataclass(frozen=True)
class LayerPatterns:
    """Which layers to look at, by name.

    A pattern is a glob (``fc*.weight``, case matters), or ``re:`` and a regular expression found anywhere in the name.

    Args:
        include: only names that match one of these; all if empty.
        exclude: not the names that match one of these.
        embeddings: whether embeddings and heads (``EMBEDDINGS``) are looked at.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    embeddings: bool = False


@dataclass(frozen=True)
class Layers:
    """The selected layers of a checkpoint: iterating reads them one at a time, in the order of the file."""

    checkpoint: Checkpoint
    infos: tuple[LayerInfo, ...]
    left_out: tuple[LeftOut, ...]

    def __iter__(self) -> Iterator[Layer]:
        return map(self.read, self.infos)

    def read(self, info: LayerInfo) -> Layer:
        """Read one layer's weights; whether they are finite is found out when its forest is.

        Raises:
            CheckpointError: if the file cannot be read.
        """
        codes = self.checkpoint.read_codes(info.name).reshape(info.n_rows, info.n_columns)
        return Layer(info.name, codes, info.number_format, origin=str(self.checkpoint.path))


def select_layers(checkpoint: Checkpoint, patterns: LayerPatterns) -> Layers:
    """Give the layers of a checkpoint that the patterns ask for, and everything else with the reason.

    Raises:
        OptionError: if a pattern is no regular expression, or matches no layer.
        LayerError: if no layer is left.
    """
    infos, left_out = classify_tensors(checkpoint)
    for pattern in (*patterns.include, *patterns.exclude):
        if infos and not any(_matches(info.name, pattern) for info in infos):
            names = ", ".join(info.name for info in infos[:3])
            raise OptionError(f"pattern {pattern!r} matches no layer of {checkpoint.path}; its layers are {names}, ...")
    selected: list[LayerInfo] = []
    for info in infos:
        reason = _reason_to_skip(info.name, patterns)
        if reason:
            left_out.append(LeftOut(info.name, info.shape, info.number_format.name, reason))
        else:
            selected.append(info)
    if not selected:
        raise LayerError(_no_layer_left(checkpoint, infos))
    return Layers(checkpoint, tuple(selected), tuple(left_out))


def classify_tensors(checkpoint: Checkpoint) -> tuple[list[LayerInfo], list[LeftOut]]:
    """Give a checkpoint's layers, and the tensors that are none with the reason, in the order of the file."""
    infos: list[LayerInfo] = []
    left_out: list[LeftOut] = []
    for tensor in checkpoint.tensors.values():
        reason = _why_no_layer(tensor)
        if reason:
            left_out.append(LeftOut(tensor.name, tensor.shape, tensor.dtype, reason))
        else:
            rows, columns = tensor.shape[0], prod(tensor.shape[1:])
            infos.append(LayerInfo(tensor.name, tensor.shape, rows, columns, NUMBER_FORMATS[tensor.dtype]))
    return infos, left_out


SKIPPED_EMBEDDING = "an embedding or a head"
SKIPPED_BY_PATTERN = "not asked for"


def _reason_to_skip(name: str, patterns: LayerPatterns) -> str | None:
    if patterns.include and not any(_matches(name, pattern) for pattern in patterns.include):
        return SKIPPED_BY_PATTERN
    if any(_matches(name, pattern) for pattern in patterns.exclude):
        return SKIPPED_BY_PATTERN
    if not patterns.embeddings and any(fnmatchcase(name, pattern) for pattern in EMBEDDINGS):
        return SKIPPED_EMBEDDING
    return None


def _matches(name: str, pattern: str) -> bool:
    if not pattern.startswith("re:"):
        return fnmatchcase(name, pattern)
    try:
        return re.search(pattern.removeprefix("re:"), name) is not None
    except (re.error, OverflowError, RecursionError) as error:
        raise OptionError(f"pattern {pattern!r} is no regular expression: {error}") from error


def _no_layer_left(checkpoint: Checkpoint, infos: Sequence[LayerInfo]) -> str:
    if not infos:
        return f"{checkpoint.path}: none of its {len(checkpoint.tensors)} tensors is a layer"
    left = f"{checkpoint.path}: none of its {len(infos)} layers is selected"
    if any(fnmatchcase(info.name, pattern) for info in infos for pattern in EMBEDDINGS):
        left += "; --embeddings adds embeddings and heads"
    return left


def _why_no_layer(tensor: TensorInfo) -> str | None:
    if 0 in tensor.shape:
        return "no weights"
    if tensor.dtype.endswith("FNUZ"):
        return f"{tensor.dtype} numbers are not read"
    if tensor.dtype not in NUMBER_FORMATS:
        return f"{tensor.dtype} numbers are no floating-point weights"
    if len(tensor.shape) < 2:
        return "one axis" if tensor.shape else "a scalar"
    if tensor.shape[0] < 2:
        return "a single row"
    if prod(tensor.shape[1:]) < 2:
        return "a single column"
    return None


def _numpy_codes(weight: Any, name: str) -> tuple[CodeArray, NumberFormat]:
    array = np.ascontiguousarray(weight)
    by_dtype = {"float64": F64, "float32": F32, "float16": F16}
    if array.dtype.name not in by_dtype:
        raise LayerError(f"{name} has the type {array.dtype}; a layer has floating-point weights")
    number_format = by_dtype[array.dtype.name]
    return array.astype(array.dtype.newbyteorder("="), copy=False).view(number_format.code_dtype), number_format


def _is_torch(weight: object) -> bool:
    """Whether it is a torch tensor, found out without importing torch."""
    return any(kind.__module__.partition(".")[0] == "torch" for kind in type(weight).__mro__)


def _torch_codes(weight: Any, name: str) -> tuple[CodeArray, NumberFormat]:
    import torch

    formats = {
        torch.float64: (F64, torch.int64),
        torch.float32: (F32, torch.int32),
        torch.float16: (F16, torch.int16),
        torch.bfloat16: (BF16, torch.int16),
        torch.float8_e4m3fn: (F8_E4M3, torch.uint8),
        torch.float8_e5m2: (F8_E5M2, torch.uint8),
    }
    if weight.dtype not in formats:
        raise LayerError(f"{name} has the type {weight.dtype}; a layer has floating-point weights")
    number_format, integer = formats[weight.dtype]
    bits = weight.detach().cpu().contiguous().view(integer).numpy()
    return bits.view(number_format.code_dtype), number_format
