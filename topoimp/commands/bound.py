"""How far can a checkpoint be pruned before its barcodes must change, and before magnitude pruning changes them?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from topoimp.architectures import parse_architecture
from topoimp.checkpoint import open_checkpoint
from topoimp.checkpoint.number_format import F32
from topoimp.choices import check_seed
from topoimp.commands.bound_rows import (
    chance_columns,
    floor_columns,
    network_floor_columns,
    network_safe_columns,
    safe_columns,
    spatial_columns,
)
from topoimp.commands.chance_columns import density_rows, density_rows_of_shape, exact_densities
from topoimp.errors import OptionError
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.catalogue import LayerInfo, LayerPatterns
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.pruning.bounds import LayerBound, global_safe_count, layer_bound
from topoimp.pruning.convolution_bound import InputSize
from topoimp.pruning.schedule import DEFAULT_RATE, exact_rate
from topoimp.reports.columns import Cell, Row
from topoimp.reports.report import Report
from topoimp.reports.rows import layer_columns, left_out, pattern_settings
from topoimp.topology.forest import spanning_forest


@dataclass(frozen=True)
class BoundOptions:
    """What is asked of bounds, with or without weights.

    Args:
        rate: share of the remaining weights that one round removes, for the counts of rounds; above 0 and below 1.
        densities: at which it is told how much of its forest a layer keeps, and how much chance would; in [0, 1].
        input_sizes: by pattern, the image that a convolution is laid over, for its bound in the spatial convention.
        seed: of the simulations that densities need where there is no closed form; at least 0.
    """

    rate: float = DEFAULT_RATE
    densities: Sequence[float] = ()
    input_sizes: Mapping[str, InputSize] = field(default_factory=dict)
    seed: int = 0

    def check(self) -> None:
        """Make sure that numbers are in range.

        Raises:
            OptionError: if one is not.
        """
        exact_rate(self.rate)
        exact_densities(self.densities)
        check_seed(self.seed)

    def settings(self) -> dict[str, Cell | Sequence[str]]:
        """Give what a report says of them."""
        said: dict[str, Cell | Sequence[str]] = {"rate": self.rate}
        if self.densities:
            said |= {"densities": [repr(float(density)) for density in self.densities], "seed": self.seed}
        if self.input_sizes:
            said["input_sizes"] = [f"{pattern}={size}" for pattern, size in self.input_sizes.items()]
        return said


def bound_report(
    path: Path,
    *,
    patterns: LayerPatterns | None = None,
    rate: float = DEFAULT_RATE,
    densities: Sequence[float] = (),
    input_sizes: Mapping[str, InputSize] | None = None,
    seed: int = 0,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report how far each layer of a checkpoint can be pruned.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        patterns: which layers; all but embeddings and heads if None.
        rate: as in ``BoundOptions``, as are the next three.
        densities: a row for each of every layer.
        input_sizes: by pattern.
        seed: of simulations.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        OptionError: if a number is out of range or a pattern matches nothing.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    options, patterns = BoundOptions(rate, densities, input_sizes or {}, seed), patterns or LayerPatterns()
    options.check()
    if densities:
        patterns.check_matrix_view("densities are of weights, and need")
    layers = select_layers(open_checkpoint(path), patterns)
    spatial = spatial_columns(layers.infos, options.input_sizes)
    n_looks = 2 * len(layers.infos) - 1  # all layers once, and for one order over all again, but for the one that binds
    stream = LayerStream(layers, thread_count(threads), counted(on_step, n_looks))

    def look(layer: Layer, n_threads: int) -> tuple[LayerBound, list[Row]]:
        forest = spanning_forest(layer, threads=n_threads)
        at_densities = density_rows(layer, forest, densities, seed=seed, threads=n_threads) if densities else []
        return layer_bound(layer, forest, threads=n_threads), at_densities

    found = stream.each(look)
    bounds = {name: bound for name, (bound, _) in found.items()}
    rows: list[Row] = [
        {
            **layer_columns(info),
            **floor_columns(bound, rate),
            **safe_columns(bound, rate),
            **chance_columns(info, bound),
            **image,
        }
        for info, bound, image in zip(layers.infos, bounds.values(), spatial, strict=True)
    ]
    network = network_safe_columns(bounds, global_safe_count(stream, bounds), rate)
    return Report(
        command="bound",
        inputs={"checkpoint": Path(path)},
        settings={**pattern_settings(patterns), **options.settings()},
        rows=[
            *rows,
            {**network_floor_columns(list(bounds.values()), rate), **network},
            *(row for _, at_densities in found.values() for row in at_densities),
        ],
        left_out=left_out(layers),
    )


def architecture_bound_report(
    model: str,
    *,
    rate: float = DEFAULT_RATE,
    densities: Sequence[float] = (),
    input_sizes: Mapping[str, InputSize] | None = None,
    seed: int = 0,
) -> Report:
    """Report the bounds that follow from the shapes of an architecture alone, all of its weights being non-zero.

    Args:
        model: as ``train`` takes it, such as ``lenet-300-100``, ``vgg-16`` or ``mlp:784-300-100-10``.
        rate: as in ``BoundOptions``, as are the others.
        densities: a row for each of every layer, of what is expected.
        input_sizes: by pattern.
        seed: of simulations.

    Raises:
        OptionError: if there is no such architecture, none of its weights is a layer, or a number is out of range.
    """
    options = BoundOptions(rate, densities, input_sizes or {}, seed)
    options.check()
    weights = parse_architecture(model).weights
    too_small = {
        name: f"a single {'row' if shape[0] < 2 else 'column'}"
        for name, shape in weights.items()
        if min(shape[0], prod(shape[1:])) < 2
    }
    if len(too_small) == len(weights):
        raise OptionError(f"{model} has no layer of two rows and two columns or more")
    layers = {name: shape for name, shape in weights.items() if name not in too_small}
    return _shape_report(layers, {"arch": model}, options, too_small)


def shape_bound_report(
    shapes: Sequence[Sequence[int]],
    *,
    rate: float = DEFAULT_RATE,
    densities: Sequence[float] = (),
    input_sizes: Mapping[str, InputSize] | None = None,
    seed: int = 0,
) -> Report:
    """Report the bounds that follow from shapes of weights alone, all of them being non-zero.

    Args:
        shapes: at least one, such as (300, 784), or (64, 3, 3, 3) for a convolution. A layer is named by its shape, as
            ``64x3x3x3``; the second of the same shape ``64x3x3x3#2``.
        rate: as in ``BoundOptions``, as are the others.
        densities: a row for each of every layer, of what is expected.
        input_sizes: by pattern.
        seed: of simulations.

    Raises:
        OptionError: if there is no shape, one of them is no layer, or a number is out of range.
    """
    options = BoundOptions(rate, densities, input_sizes or {}, seed)
    options.check()
    if not shapes:
        raise OptionError("no shape is given; at least one is needed, as in 64x3x3x3")
    layers: dict[str, tuple[int, ...]] = {}
    for shape in map(tuple, shapes):
        name = "x".join(map(str, shape))
        if len(shape) < 2 or shape[0] < 2 or min(shape) < 1 or prod(shape[1:]) < 2:
            raise OptionError(f"the shape is {name}; a layer has two rows and two columns or more")
        number = 1 + sum(shape == other for other in layers.values())
        layers[name if number == 1 else f"{name}#{number}"] = shape
    return _shape_report(layers, {"shapes": list(layers)}, options)


def _shape_report(
    shapes: Mapping[str, tuple[int, ...]],
    settings: Mapping[str, Cell | Sequence[str]],
    options: BoundOptions,
    no_layers: Mapping[str, str] | None = None,
) -> Report:
    """Report what follows from shapes by tensor name, whatever they are the shapes of."""
    infos = [LayerInfo(name, name, shape, shape[0], prod(shape[1:]), F32) for name, shape in shapes.items()]
    bounds = [_dense_bound(info) for info in infos]
    spatial = spatial_columns(infos, options.input_sizes)
    rows: list[Row] = [
        {**layer_columns(info), **floor_columns(bound, options.rate), **chance_columns(info, bound), **image}
        for info, bound, image in zip(infos, bounds, spatial, strict=True)
    ]
    rows = [{column: value for column, value in row.items() if column != "dtype"} for row in rows]
    at_densities = [row for info in infos for row in density_rows_of_shape(info, options.densities, seed=options.seed)]
    network = network_floor_columns(bounds, options.rate)
    return Report("bound", {}, {**settings, **options.settings()}, [*rows, network, *at_densities], no_layers or {})


def _dense_bound(info: LayerInfo) -> LayerBound:
    floor = info.n_rows + info.n_columns - 1
    return LayerBound(info.n_weights, info.n_weights, 1, floor, None, info.n_weights, None)
