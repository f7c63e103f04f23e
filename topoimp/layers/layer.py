"""A layer: the weights of a tensor read as a weighted bipartite graph; also from an array in memory.

Rows and columns are the vertices, nonzero weights the edges; the strength of an edge is |w|. A tensor with more than
two axes has two views. ``matrix`` flattens all axes but the first: a convolution becomes the matrix product that it
computes. ``channel`` joins the parallel edges between an output and an input channel, all weights of one kernel, into
one edge with the strength of the strongest.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, FloatArray
from topoimp.checkpoint import tensors_as_checkpoint
from topoimp.checkpoint.number_format import F16, F32, F64, NUMBER_FORMATS, NumberFormat
from topoimp.errors import LayerError
from topoimp.kernels.threads import pieces

N_RUNS, RUN = 1024, 32
"""Runs of a sample, spread over a layer so that few pages of a file are read, and weights in each."""


@dataclass(frozen=True)
class Layer:
    """A layer's weights, as stored.

    Args:
        name: the tensor's name; for a group with the group's number.
        codes: the stored bits, shape (rows, columns); read-only.
        number_format: the type that the bits encode.
        origin: the layer's file, for messages.
        parallel: in the view ``channel`` all weights, shape (rows, columns, weights of a kernel); otherwise None.
    """

    name: str
    codes: CodeArray
    number_format: NumberFormat
    origin: str = ""
    parallel: CodeArray | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only, aligned and contiguous by rows, as the kernels need them."""
        for name in ("codes", "parallel"):
            if getattr(self, name) is not None:
                codes = np.require(getattr(self, name), requirements=("C", "ALIGNED")).view()
                codes.flags.writeable = False
                object.__setattr__(self, name, codes)

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
    def weights(self) -> CodeArray:
        """The stored bits of all weights, flat; in the view ``channel`` more than rows times columns."""
        return (self.codes if self.parallel is None else self.parallel).reshape(-1)

    @property
    def n_weights(self) -> int:
        """Weights, stored zeros included."""
        return int(self.weights.size)

    def magnitudes(self) -> CodeArray:
        """Return the magnitude codes, shape (rows, columns): integers in the order of the strengths; 0 is no edge."""
        return self.number_format.magnitudes(self.codes)

    def strengths(self) -> FloatArray:
        """Return |w|, exact, shape (rows, columns)."""
        return self.number_format.strengths(self.codes)

    def edges(self) -> BoolArray:
        """Return which weights are edges, shape (rows, columns)."""
        return np.not_equal(self.magnitudes(), 0)

    def n_edges_in_parallel(self) -> int | None:
        """Return the number of nonzero weights in the view ``channel``; None in the view ``matrix``."""
        return None if self.parallel is None else int(np.count_nonzero(self.number_format.magnitudes(self.parallel)))

    def check_finite(self) -> None:
        """Raise a LayerError if a weight is NaN or infinite, with the count and the first index."""
        flat = self.codes.reshape(-1)
        first_special = self.number_format.first_special
        parts = (self.number_format.magnitudes(flat[start:stop]) for start, stop in pieces(0, flat.size))
        if not any((part >= first_special).any() for part in parts):  # in parts: a copy of all weights takes much room
            return

        magnitudes = self.magnitudes()
        special = np.flatnonzero(magnitudes >= first_special)
        infinite = int(np.count_nonzero(magnitudes.ravel()[special] == (self.number_format.infinity or -1)))
        counts = [f"{special.size - infinite} NaN"] if special.size > infinite else []
        counts += [f"{infinite} infinite weights"] if infinite else []
        found = f"holds {' and '.join(counts)}, the first at index {special[0]}"
        where = f"{self.origin}: " if self.origin else ""
        cure = "; `exclude` leaves this tensor out" if self.origin else ""
        raise LayerError(f"{where}tensor {self.name!r} {found}; a layer needs finite weights{cure}")


def by_channel(layer: Layer, n_parallel: int) -> Layer:
    """Return the view ``channel`` of a layer: each ``n_parallel`` weights of a row become the strongest of them."""
    layer.check_finite()  # before the join, so that the message names the weight
    parallel = layer.codes.reshape(layer.n_rows, -1, n_parallel)
    strongest = layer.number_format.magnitudes(parallel).max(axis=2)
    return Layer(layer.name, strongest, layer.number_format, layer.origin, parallel)


def sampled_magnitudes(layer: Layer) -> CodeArray:
    """Return the magnitude codes of a fixed sample of 32,768 weights, zeros included; of all weights if they are fewer.

    The codes are ascending, in an integer type of 32 bits or more, which numpy sorts several times faster.
    """
    codes = layer.codes.reshape(-1)
    if codes.size > N_RUNS * RUN:
        starts = np.arange(N_RUNS) * (codes.size - RUN) // (N_RUNS - 1)
        codes = codes[(starts[:, None] + np.arange(RUN)).reshape(-1)]
    magnitudes = layer.number_format.magnitudes(codes)
    return np.sort(magnitudes.astype(np.promote_types(magnitudes.dtype, np.uint32)))


def as_layer(weight: Any, *, name: str = "weight") -> Layer:  # Any: an array of numpy or torch
    """Return an array as a layer.

    Args:
        weight: two or more axes; all but the first are flattened, and a single row is allowed. A numpy array of
            float64, float32 or float16, or a torch tensor of these, bfloat16 or float8 (e4m3fn, e5m2).
        name: the layer's name, for messages.

    Raises:
        LayerError: if the array has fewer than two axes, another type, no entry, or a NaN or infinite entry.

    >>> as_layer([[0.5, -2.0], [0.0, 1.0]]).strengths()
    array([[0.5, 2. ],
           [0. , 1. ]])
    """
    is_torch = any(each.__module__.partition(".")[0] == "torch" for each in type(weight).__mro__)  # no import
    codes, number_format = _torch_codes(weight, name) if is_torch else _numpy_codes(weight, name)
    if codes.ndim < 2 or codes.size == 0:
        raise LayerError(f"{name} has the shape {codes.shape}; a layer has two or more axes and at least one weight")
    layer = Layer(name, codes.reshape(codes.shape[0], -1), number_format)
    layer.check_finite()
    return layer


def _numpy_codes(weight: Any, name: str) -> tuple[CodeArray, NumberFormat]:
    array = np.ascontiguousarray(weight)
    number_format = {"float64": F64, "float32": F32, "float16": F16}.get(array.dtype.name)
    if number_format is None:
        raise LayerError(f"{name} has the type {array.dtype}; a layer has floating-point weights")
    return array.astype(array.dtype.newbyteorder("="), copy=False).view(number_format.code_dtype), number_format


def _torch_codes(weight: Any, name: str) -> tuple[CodeArray, NumberFormat]:
    checkpoint = tensors_as_checkpoint({name: weight}, name=name)
    dtype = checkpoint.tensors[name].dtype
    if dtype not in NUMBER_FORMATS:
        raise LayerError(f"{name} has the type {weight.dtype}; a layer has floating-point weights")
    return checkpoint.codes(name).reshape(weight.shape), NUMBER_FORMATS[dtype]
