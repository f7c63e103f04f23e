"""Report how far layers can be pruned before their barcodes must change, and before magnitude pruning changes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from topoimp.architectures import Architecture, parse_architecture, seen_images
from topoimp.chance.null import Null, parse_nulls
from topoimp.chance.overlap import Overlap, overlap_of
from topoimp.checkpoint import AnyPath, open_checkpoint
from topoimp.checkpoint.number_format import F32
from topoimp.choices import SpatialConvention, View, check_seed, chosen
from topoimp.commands.bound_rows import checkpoint_rows, shape_rows, spatial_rows
from topoimp.commands.chance_columns import density_rows, density_rows_of_shape
from topoimp.commands.densities import parse_densities
from topoimp.commands.initial_weights import with_initial_weights
from topoimp.comparison.retention_columns import with_holm
from topoimp.data.shapes import data_shape
from topoimp.errors import OptionError
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.layer import Layer
from topoimp.layers.notes import notes_on
from topoimp.layers.records import LayerInfo, LayerPatterns
from topoimp.layers.spatial_view import InputSizes, check_images, in_spatial_view
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.pruning.bounds import LayerBound, global_safe_count, layer_bound
from topoimp.pruning.schedule import DEFAULT_RATE, exact_rate
from topoimp.reports.cells import Row
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings, key_settings, left_out, pattern_settings, setting_of_nulls, view_settings
from topoimp.rounds.run_images import with_images_of_run
from topoimp.topology.forest import spanning_forest


@dataclass(frozen=True, kw_only=True)
class BoundOptions:
    """Numbers that bounds depend on beside the layers.

    Args:
        rate: share of the remaining weights that one round removes, above 0 and below 1.
        densities: in [0, 1], or ``critical`` for the layer's critical density and ``4*critical`` for a multiple of it;
            at each, a row per layer compares its kept forest edges with chance.
        null: a null model of a layer, as in ``degrees:200``, or several; each has a row at each density.
        seed: seed of the simulations of null models, and of those that densities need where no closed form holds, at
            least 0.

    Raises:
        OptionError: if a number is out of range, or a null model has no density.
    """

    rate: float = DEFAULT_RATE
    densities: Sequence[float | str] = ()
    null: Null | str | Sequence[Null | str] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        exact_rate(self.rate)
        parse_densities(self.densities)
        if self.nulls and not self.densities:
            raise OptionError("`null` is about densities, and none is given")
        check_seed(self.seed)

    @property
    def nulls(self) -> tuple[Null, ...]:
        """The null models."""
        return parse_nulls(self.null)

    def settings(self) -> Settings:
        """Return the settings of the report."""
        settings: Settings = {"rate": self.rate}
        if self.densities:
            settings |= {"densities": [density.text for density in parse_densities(self.densities)], "seed": self.seed}
        if self.nulls:
            settings["null"] = setting_of_nulls(self.nulls)
        return settings


USUAL_BOUNDS = BoundOptions()


def bound_report(
    path: AnyPath,
    options: BoundOptions = USUAL_BOUNDS,
    *,
    key: str | None = None,
    patterns: LayerPatterns | None = None,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report how far each layer of a checkpoint can be pruned.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        options: rate, densities, null models and seed.
        key: the state dict to read of a PyTorch file that holds several (``topoimp.checkpoint.open_checkpoint``).
        patterns: the layers; all but embeddings and heads if None. In the view ``spatial`` no weight is read: the
            bounds follow from the shapes, and the convolutions together and the dense layers together have a row. The
            images of a run folder's checkpoints are known.
        threads: number of cores; all if None. No result depends on it.
        on_step: called with the number of steps done and of all steps.

    Raises:
        OptionError: if a pattern matches nothing, there is no state dict below ``key``, or densities are given in the
            view ``channel``.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    patterns = patterns or LayerPatterns()
    if options.densities:
        patterns.check_matrix_view("densities are of weights, and need")
    patterns = with_images_of_run(patterns, path)
    layers = select_layers(open_checkpoint(path, key=key), patterns)
    inputs = {"checkpoint": Path(path)}
    of_layers = {**key_settings(key, layers.checkpoint), **pattern_settings(patterns)}
    if patterns.view is View.SPATIAL:
        spatial = spatial_rows(layers.infos)
        return Report("bound", inputs, of_layers, spatial, left_out(layers), notes=notes_on(layers))
    n_looks = 2 * len(layers.infos) - 1  # all layers once, and for one order over all again, but for the one that binds
    stream = LayerStream(layers, thread_count(threads), counted(on_step, n_looks))

    densities = parse_densities(options.densities)
    nulls = with_initial_weights(options.nulls, layers)

    def look(layer: Layer, n_threads: int) -> tuple[LayerBound, Overlap, list[Row]]:
        forest = spanning_forest(layer, threads=n_threads)
        bound, overlap = layer_bound(layer, forest, threads=n_threads), overlap_of(layer, forest, n_threads)
        at_densities = density_rows(layer, forest, densities, nulls=nulls, seed=options.seed, threads=n_threads)
        return bound, overlap, at_densities

    found = stream.each(look)
    bounds = {name: bound for name, (bound, _, _) in found.items()}
    overlaps = [overlap for _, overlap, _ in found.values()]
    rows = checkpoint_rows(layers.infos, bounds, overlaps, global_safe_count(stream, bounds), options.rate)
    rows += with_holm([row for _, _, at_densities in found.values() for row in at_densities])
    settings = {**of_layers, **options.settings()}
    return Report("bound", inputs, settings, rows, left_out(layers), notes=notes_on(layers))


def architecture_bound_report(
    arch: str,
    options: BoundOptions = USUAL_BOUNDS,
    *,
    data: str | None = None,
    view: View | str = View.MATRIX,
    input_sizes: InputSizes = (),
    spatial_convention: SpatialConvention | str = SpatialConvention.BALWANI,
) -> Report:
    """Report the bounds that follow from the shapes of an architecture alone, all of its weights being non-zero.

    Args:
        arch: a network as ``train_run`` takes it, such as ``lenet-300-100``, ``vgg-16`` or ``mlp:784-300-100-10``.
        options: rate, densities, null models and seed.
        data: data set that decides the size of the images and the number of classes: ``digits``, ``mnist``,
            ``fashion-mnist``, ``cifar10``, ``cifar100`` or ``tiny-imagenet``. None means the images that the network
            was designed for, and 10 classes.
        view: ``matrix``, or ``spatial`` for convolutions unrolled over their images.
        input_sizes: pairs of a pattern and an image, in place of the images that convolutions see in the network.
        spatial_convention: reading of strided convolutions and shortcuts in the view ``spatial``.

    Raises:
        OptionError: if there is no such architecture or data set, they do not fit, none of the weights is a layer, or
            an image fits no convolution.
    """
    view = chosen(View, view)
    convention = chosen(SpatialConvention, spatial_convention)
    shape = None if data is None else data_shape(data)
    architecture = (
        parse_architecture(arch)
        if shape is None
        else parse_architecture(arch, image=shape.image, n_classes=shape.n_classes)
    )
    settings: Settings = {"arch": arch, **({} if data is None else {"data": data})}

    left_out = _not_layers(architecture)
    if view is View.SPATIAL:
        images = seen_images(architecture, convention)
        uncounted = [name for name, each in architecture.weights.items() if len(each) > 2 and name not in images]
        left_out |= dict.fromkeys(uncounted, f"a shortcut, which the convention {convention} does not count")
        input_sizes = (*input_sizes, *images.items())
        settings["spatial_convention"] = convention
    layers = {name: each for name, each in architecture.weights.items() if name not in left_out}
    if not layers:
        raise OptionError(f"{arch} has no layer of two rows and two columns or more")
    return _report_of_shapes(layers, settings, options, left_out, view, input_sizes)


def shape_bound_report(
    shapes: Sequence[Sequence[int]],
    options: BoundOptions = USUAL_BOUNDS,
    *,
    view: View | str = View.MATRIX,
    input_sizes: InputSizes = (),
) -> Report:
    """Report the bounds that follow from shapes of weights alone, all of them being non-zero.

    Args:
        shapes: at least one, such as (300, 784), or (64, 3, 3, 3) for a convolution. A layer is named by its shape, as
            ``64x3x3x3``; the second of the same shape ``64x3x3x3#2``.
        options: rate, densities, null models and seed.
        view: ``matrix``, or ``spatial`` for convolutions unrolled over their images.
        input_sizes: pairs of a pattern and the image under each convolution that matches it.

    Raises:
        OptionError: if there is no shape, one of them is no layer, or a convolution has no image that it needs.
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
    return _report_of_shapes(layers, {"shapes": list(layers)}, options, {}, chosen(View, view), input_sizes)


def _not_layers(architecture: Architecture) -> dict[str, str]:
    """Return the weights with a single row or column, with the reason."""
    return {
        name: f"a single {'row' if shape[0] < 2 else 'column'}"
        for name, shape in architecture.weights.items()
        if min(shape[0], prod(shape[1:])) < 2
    }


def _report_of_shapes(
    shapes: Mapping[str, tuple[int, ...]],
    settings: Settings,
    options: BoundOptions,
    no_layers: Mapping[str, str],
    view: View,
    input_sizes: InputSizes,
) -> Report:
    """Return the report of layers, by name, of which only the shapes are known."""
    if options.nulls:
        raise OptionError(f"the null {options.nulls[0]} is of weights, and shapes have none")
    infos = [LayerInfo(name, name, shape, shape[0], prod(shape[1:]), F32) for name, shape in shapes.items()]
    patterns = LayerPatterns(view=view, input_sizes=tuple(input_sizes))
    if view is View.SPATIAL:
        if options.densities:
            patterns.check_matrix_view("densities are of weights, and need")
        infos = in_spatial_view(infos, patterns.input_sizes)
        check_images(infos, infos, patterns.input_sizes)
        return Report("bound", {}, {**settings, **view_settings(patterns)}, spatial_rows(infos), no_layers)

    patterns.check_matrix_view("shapes are of weights, and need")
    rows = shape_rows(infos, options.rate)
    for info in infos:
        rows += density_rows_of_shape(info, parse_densities(options.densities), seed=options.seed)
    return Report("bound", {}, {**settings, **options.settings()}, rows, no_layers)
