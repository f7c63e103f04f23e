"""Layers whose strengths are scores: the scores of a file take the place of |w| in everything that is computed.

A file of scores is a checkpoint. Under the name of a layer's tensor, or of the layer, it holds numbers of at least 0:

- in the shape of the tensor: the scores themselves;
- in the shape (columns,) or (1, columns): a factor for each column, which is multiplied with |w|, such as the norms of
  the inputs in Wanda (Sun et al., "A simple and effective pruning approach for large language models", ICLR 2024);
- in the shape (rows, 1), or (rows,) unless the layer is square: a factor for each row.

Rows and columns are those of the layer as a matrix. A stored zero has no score, and a weight with a score of 0 counts
as one: it is no edge, and is pruned. Products are float64 if the weights or the factors are float64 or the weights are
float32, so that they are exact for float32; else float32.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, TypeAlias

import numpy as np

from topoimp.arrays import CodeArray, FloatArray
from topoimp.checkpoint import AnyPath, Checkpoint, TensorInfo, open_checkpoint
from topoimp.checkpoint.number_format import BF16, F32, F64, NUMBER_FORMATS, NumberFormat
from topoimp.errors import CheckpointError, LayerError
from topoimp.kernels.scoring import scale_bfloat16, scale_magnitudes
from topoimp.kernels.threads import in_parallel
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo, Layers

PART = 1 << 16
"""Weights that are scored together, in the nearer caches."""


RowScorer: TypeAlias = Callable[[int, int, CodeArray], int]
"""Writes the codes of the scores of rows, from a first to the one before the last, and returns the largest code.

Stored zeros have the code 0.
"""


class LayerScores(Protocol):
    """The scores of one layer."""

    def of_weights(self, number_format: NumberFormat) -> "LayerScores":
        """Return the scores of a layer whose weights have a format."""

    @property
    def number_format(self) -> NumberFormat:
        """The format of the scores."""

    def on(self, layer: Layer, threads: int) -> RowScorer:
        """Return the function that scores rows of the layer."""

    def done(self) -> None:
        """Release the memory of the file of scores."""


@dataclass(frozen=True)
class FactorScores:
    """The products of |w| and a factor for each row, or each column: an array of shape (rows, 1) or (1, columns)."""

    factors: FloatArray
    number_format: NumberFormat

    def of_weights(self, number_format: NumberFormat) -> "FactorScores":
        """Return the scores of a layer whose weights have a format; products of float32 are float64."""
        product = F32 if self.number_format is F32 and number_format not in (F32, F64) else F64
        return FactorScores(self.factors.astype(f"float{product.n_bits}"), product)

    def on(self, layer: Layer, threads: int) -> RowScorer:  # noqa: ARG002  # of a protocol
        """Return the function that scores rows of the layer."""
        dtype = f"float{self.number_format.n_bits}"

        def score(first: int, end: int, codes: CodeArray) -> int:
            factors = self.factors if len(self.factors) == 1 else self.factors[first:end]
            weights, products = layer.codes[first:end], codes.view(dtype)
            if layer.number_format is BF16 and self.number_format is F32:
                mask = weights.dtype.type(BF16.magnitude_mask)
                return scale_bfloat16(weights, mask, factors, products, codes)
            if layer.number_format in (F32, F64):
                return scale_magnitudes(weights.view(f"float{layer.number_format.n_bits}"), factors, products, codes)
            magnitudes = layer.number_format.widened(layer.number_format.magnitudes(weights))
            return scale_magnitudes(magnitudes, factors, products, codes)

        return score

    def done(self) -> None:
        """Do nothing: the factors are few."""


@dataclass(frozen=True)
class GivenScores:
    """The scores themselves, of the layer ``info`` in a file of scores."""

    layers: Layers
    info: LayerInfo

    def of_weights(self, number_format: NumberFormat) -> "GivenScores":  # noqa: ARG002  # of a protocol
        """Return the same scores: weights only say where there are edges."""
        return self

    @property
    def number_format(self) -> NumberFormat:
        """The format of the scores."""
        return self.info.number_format

    def on(self, layer: Layer, threads: int) -> RowScorer:
        """Return the function that scores rows of the layer."""
        given = self.layers.read(self.info, threads).codes
        n_columns = layer.n_columns
        largest = self.number_format.magnitude_mask

        def score(first: int, end: int, codes: CodeArray) -> int:
            self.layers.have_ready(self.info, first * n_columns, end * n_columns)
            is_edge = layer.number_format.magnitudes(layer.codes[first:end]) != 0
            np.multiply(given[first:end], is_edge, out=codes)
            codes[codes == largest + 1] = 0  # -0.0
            found = int(codes.max())
            if found > largest:
                place = first * n_columns + int(np.flatnonzero(codes > largest)[0])
                reason = f"the score of weight {place} of {layer.name!r} is negative"
                raise LayerError(f"{self.layers.checkpoint.path}: {reason}; it must be at least 0")
            return found

        return score

    def done(self) -> None:
        """Release the memory of the file of scores."""
        self.layers.done_with(self.info)


@dataclass(frozen=True)
class ScoredLayers(Layers):
    """Layers with scores in place of weights; ``weights`` are the same layers with their weights.

    A layer that is read is a copy. The formats of ``infos`` are those of the scores.
    """

    weights: Layers = field(kw_only=True)
    file: Checkpoint = field(kw_only=True)
    scores: Mapping[str, LayerScores] = field(kw_only=True)

    @property
    def files(self) -> list[Checkpoint]:
        """The checkpoint, and the file of scores."""
        return [*self.weights.files, self.file]

    def scored_alike(self, others: Mapping[str, LayerInfo], layers: Layers) -> "ScoredLayers":
        """Return the layers of another checkpoint with the same scores; ``others`` are they, by name in this one."""
        scores = {info.name: self.scores[name].of_weights(info.number_format) for name, info in others.items()}
        return _scored(layers, self.file, scores)

    def only(self, names: Collection[str]) -> Self:
        """Return some of the layers, by name."""
        scores = {name: self.scores[name] for name in names}
        return replace(super().only(names), weights=self.weights.only(names), scores=scores)

    def read(self, info: LayerInfo, threads: int = 1) -> Layer:
        """Return the scores of a layer.

        Raises:
            LayerError: if a weight, a score or a product is not finite, or a score is below 0.
        """
        scores = self.scores[info.name]
        own = self._own_info(info)
        layer = self.weights.read(own, threads)
        write = scores.on(layer, threads)
        codes = np.empty(layer.codes.shape, scores.number_format.code_dtype)
        step = max(PART // layer.n_columns, 1)

        def score(first: int, end: int) -> None:
            for start in range(first, end, step):
                stop = min(start + step, end)
                if write(start, stop, codes[start:stop]) >= scores.number_format.first_special:
                    self._refuse(layer, codes[start:stop], start * layer.n_columns, scores.number_format)

        self.weights.have_ready(own)
        in_parallel(score, layer.n_rows, threads)
        self.weights.done_with(own)
        scores.done()
        return Layer(info.name, codes, scores.number_format, origin=str(self.file.path))

    def will_need(self, info: LayerInfo) -> None:
        """Start to read a layer's weights from the disk in the background."""
        self.weights.will_need(self._own_info(info))

    def have_ready(self, info: LayerInfo, start: int = 0, stop: int | None = None) -> None:
        """Do nothing: a layer that was read is a copy."""

    def done_with(self, info: LayerInfo, start: int = 0, stop: int | None = None) -> None:
        """Do nothing: a layer that was read is a copy."""

    def _own_info(self, info: LayerInfo) -> LayerInfo:
        """Return the description of the layer's weights."""
        return self.weights.by_name[info.name]

    def _refuse(self, layer: Layer, codes: CodeArray, first: int, number_format: NumberFormat) -> None:
        """Raise the error of weights, scores or products that are not finite."""
        layer.check_finite()  # names a weight
        place = first + int(np.flatnonzero(codes >= number_format.first_special)[0])
        raise LayerError(f"{self.file.path}: the score of weight {place} of {layer.name!r} is not finite; it must be")


def scored_layers(layers: Layers, file: Checkpoint) -> ScoredLayers:
    """Return layers with the scores of a file in place of their weights; there are no unselected ones.

    Raises:
        OptionError: in another view than ``matrix``.
        CheckpointError: if a selected layer has no scores there, a tensor is no layer's or has another shape than
            scores have, or a factor is no finite number of at least 0.
    """
    layers.patterns.check_matrix_view("scores are of weights, and need")
    _check_names(layers, file)
    scores = {info.name: _scores_of(info, layers, file) for info in layers.infos}
    missing = [info.name for info in layers.infos if scores[info.name] is None]
    if missing:
        found = f"has no scores of layer {missing[0]!r} of {layers.checkpoint.path} ({len(missing)} in all)"
        raise CheckpointError(f"{file.path}: {found}; `include` and `exclude` choose layers")
    return _scored(layers, file, {name: each for name, each in scores.items() if each is not None})


def with_scores(layers: Layers, path: AnyPath | None) -> Layers:
    """Return layers with the scores of a file; as they are if there is none.

    Raises:
        TopoimpError: if the file cannot be used, and as ``scored_layers``.
    """
    return layers if path is None else scored_layers(layers, open_checkpoint(path))


def _scored(layers: Layers, file: Checkpoint, scores: Mapping[str, LayerScores]) -> ScoredLayers:
    formats = {name: each.number_format for name, each in scores.items()}
    infos = tuple(
        replace(info, number_format=formats[info.name], weight_format=info.number_format) for info in layers.infos
    )
    of = layers.checkpoint, infos, layers.left_out, layers.patterns
    return ScoredLayers(*of, weights=layers, file=file, scores=scores)


def _check_names(layers: Layers, file: Checkpoint) -> None:
    """Raise a CheckpointError if a tensor of the file is that of no tensor or layer of the checkpoint."""
    infos = (*layers.infos, *layers.unselected)
    known = {*layers.checkpoint.tensors, *(name for info in infos for name in (info.name, *info.also))}
    for name in file.tensors:
        if name not in known:
            raise CheckpointError(
                f"{file.path}: has scores {name!r}; {layers.checkpoint.path} has no tensor of that name"
            )


def _scores_of(info: LayerInfo, layers: Layers, file: Checkpoint) -> LayerScores | None:
    """Return the scores of a layer; None if the file has none."""
    name = next((name for name in (info.name, info.tensor, *info.also) if name in file.tensors), None)
    if name is None:
        return None
    tensor = file.tensors[name]
    if tensor.dtype not in NUMBER_FORMATS:
        raise CheckpointError(f"{file.path}: scores {name!r} have the type {tensor.dtype}; they must be floating-point")

    number_format = NUMBER_FORMATS[tensor.dtype]
    shape = layers.checkpoint.tensors[info.tensor].shape
    if tensor.shape == shape:
        given = replace(info, tensor=name, number_format=number_format)
        return GivenScores(Layers(file, (given,), ()), given)
    if name == info.name and tensor.shape == info.shape:  # of one group
        given = replace(info, tensor=name, number_format=number_format, first=0, row_distance=None)
        return GivenScores(Layers(file, (given,), ()), given)

    factors = FactorScores(_factors(tensor, info, file), F64 if number_format is F64 else F32)
    return factors.of_weights(info.number_format)


def _factors(tensor: TensorInfo, info: LayerInfo, file: Checkpoint) -> FloatArray:
    """Return the factors of a layer's columns, shape (1, columns), or rows, shape (rows, 1), in float64."""
    n_rows, n_columns = info.n_rows, info.n_columns
    if tensor.shape in ((n_columns,), (1, n_columns)):
        shape = 1, n_columns
    elif tensor.shape in ((n_rows,), (n_rows, 1)):
        shape = n_rows, 1
    else:
        needed = f"needed are {list(info.shape)}, [{n_columns}] for columns or [{n_rows}, 1] for rows"
        raise CheckpointError(f"{file.path}: scores {tensor.name!r} have the shape {list(tensor.shape)}; {needed}")

    factors = NUMBER_FORMATS[tensor.dtype].values(file.codes(tensor.name))
    is_wrong = ~(np.isfinite(factors) & (factors >= 0))
    if is_wrong.any():
        place = int(np.flatnonzero(is_wrong)[0])
        found = f"factor {place} of {tensor.name!r} is {factors.flat[place]}"
        raise CheckpointError(f"{file.path}: {found}; it must be a finite number of at least 0")
    return factors.reshape(shape)
