"""Report how far layers can be pruned before their barcodes must change, and before magnitude pruning changes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from topoimp.architectures import parse_architecture
from topoimp.chance.overlap import Overlap, overlap_of
from topoimp.checkpoint import AnyPath, open_checkpoint
from topoimp.checkpoint.number_format import F32
from topoimp.choices import check_seed
from topoimp.commands.bound_rows import checkpoint_rows, shape_rows, spatial_columns
from topoimp.commands.chance_columns import density_rows, density_rows_of_shape
from topoimp.commands.densities import parse_densities
from topoimp.errors import OptionError
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.catalogue import LayerInfo, LayerPatterns
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.pruning.bounds import LayerBound, global_safe_count, layer_bound
from topoimp.pruning.convolution_bound import InputSize
from topoimp.pruning.schedule import DEFAULT_RATE, exact_rate
from topoimp.reports.columns import Row
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings, left_out, pattern_settings
from topoimp.topology.forest import spanning_forest


@dataclass(frozen=True, kw_only=True)
class BoundOptions:
    """Numbers that bounds depend on beside the layers.

    Args:
        rate: share of the remaining weights that one round removes, above 0 and below 1.
        densities: in [0, 1], or ``critical`` for the layer's critical density and ``4*critical`` for a multiple of it;
            at each, a row per layer compares its kept forest edges with chance.
        input_sizes: by pattern, the image under a convolution, for its bound in the spatial convention.
        seed: seed of the simulations that densities need where no closed form holds, at least 0.

    Raises:
        OptionError: if a number is out of range.
    """

    rate: float = DEFAULT_RATE
    densities: Sequence[float | str] = ()
    input_sizes: Mapping[str, InputSize] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        exact_rate(self.rate)
        parse_densities(self.densities)
        check_seed(self.seed)

    def settings(self) -> Settings:
        """Return the settings of the report."""
        settings: Settings = {"rate": self.rate}
        if self.densities:
            settings |= {"densities": [density.text for density in parse_densities(self.densities)], "seed": self.seed}
        if self.input_sizes:
            settings["input_sizes"] = [f"{pattern}={size}" for pattern, size in self.input_sizes.items()]
        return settings


USUAL_BOUNDS = BoundOptions()


def bound_report(
    path: AnyPath,
    options: BoundOptions = USUAL_BOUNDS,
    *,
    patterns: LayerPatterns | None = None,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report how far each layer of a checkpoint can be pruned.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        options: rate, densities, images and seed.
        patterns: the layers; all but embeddings and heads if None.
        threads: number of cores; all if None. No result depends on it.
        on_step: called with the number of steps done and of all steps.

    Raises:
        OptionError: if a pattern matches nothing, or densities are given in the view ``channel``.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    patterns = patterns or LayerPatterns()
    if options.densities:
        patterns.check_matrix_view("densities are of weights, and need")
    layers = select_layers(open_checkpoint(path), patterns)
    images = spatial_columns(layers.infos, options.input_sizes)
    n_looks = 2 * len(layers.infos) - 1  # all layers once, and for one order over all again, but for the one that binds
    stream = LayerStream(layers, thread_count(threads), counted(on_step, n_looks))

    densities = parse_densities(options.densities)

    def look(layer: Layer, n_threads: int) -> tuple[LayerBound, Overlap, list[Row]]:
        forest = spanning_forest(layer, threads=n_threads)
        bound, overlap = layer_bound(layer, forest, threads=n_threads), overlap_of(layer, forest, n_threads)
        return bound, overlap, density_rows(layer, forest, densities, seed=options.seed, threads=n_threads)

    found = stream.each(look)
    bounds = {name: bound for name, (bound, _, _) in found.items()}
    overlaps = [overlap for _, overlap, _ in found.values()]
    rows = checkpoint_rows(layers.infos, bounds, overlaps, images, global_safe_count(stream, bounds), options.rate)
    rows += [row for _, _, at_densities in found.values() for row in at_densities]
    settings = {**pattern_settings(patterns), **options.settings()}
    return Report("bound", {"checkpoint": Path(path)}, settings, rows, left_out(layers))


def architecture_bound_report(arch: str, options: BoundOptions = USUAL_BOUNDS) -> Report:
    """Report the bounds that follow from the shapes of an architecture alone, all of its weights being non-zero.

    Args:
        arch: a network as ``train_run`` takes it, such as ``lenet-300-100``, ``vgg-16`` or ``mlp:784-300-100-10``.
        options: rate, densities, images and seed.

    Raises:
        OptionError: if there is no such architecture, or none of its weights is a layer.
    """
    weights = parse_architecture(arch).weights
    too_small = {
        name: f"a single {'row' if shape[0] < 2 else 'column'}"
        for name, shape in weights.items()
        if min(shape[0], prod(shape[1:])) < 2
    }
    if len(too_small) == len(weights):
        raise OptionError(f"{arch} has no layer of two rows and two columns or more")
    layers = {name: shape for name, shape in weights.items() if name not in too_small}
    return _report_of_shapes(layers, {"arch": arch}, options, too_small)


def shape_bound_report(shapes: Sequence[Sequence[int]], options: BoundOptions = USUAL_BOUNDS) -> Report:
    """Report the bounds that follow from shapes of weights alone, all of them being non-zero.

    Args:
        shapes: at least one, such as (300, 784), or (64, 3, 3, 3) for a convolution. A layer is named by its shape, as
            ``64x3x3x3``; the second of the same shape ``64x3x3x3#2``.
        options: rate, densities, images and seed.

    Raises:
        OptionError: if there is no shape, or one of them is no layer.
    """
    if not shapes:
        raise OptionError("no shape is given; at least one is needed, as in 64x3x3x3")
    layers: dict[str, tuple[int, ...]] = {}
    for shape in map(tuple, shapes):
        name = "x".join(map(str, shape))
        if len(shape) < 2 or shape[0] < 2 or min(shape) < 1 or prod(shape[1:]) < 2:
            raise OptionError(f"the shape is {name}; a layer has two rows and two columns or more")
        number = 1 + sum(shape == other for other in layers.values())
        layers[name if number == 1 else f"{name}#{number}"] = shape
    return _report_of_shapes(layers, {"shapes": list(layers)}, options, {})


def _report_of_shapes(
    shapes: Mapping[str, tuple[int, ...]], settings: Settings, options: BoundOptions, no_layers: Mapping[str, str]
) -> Report:
    """Return the report of layers, by name, of which only the shapes are known."""
    infos = [LayerInfo(name, name, shape, shape[0], prod(shape[1:]), F32) for name, shape in shapes.items()]
    rows = shape_rows(infos, spatial_columns(infos, options.input_sizes), options.rate)
    for info in infos:
        rows += density_rows_of_shape(info, parse_densities(options.densities), seed=options.seed)
    return Report("bound", {}, {**settings, **options.settings()}, rows, no_layers)
