"""Report the bounds that follow from shapes alone: those of an architecture, or shapes as they are given."""

from collections.abc import Mapping, Sequence
from math import prod

from topoimp.architectures import Architecture, parse_architecture, seen_images
from topoimp.checkpoint import AnyPath
from topoimp.checkpoint.number_format import F32
from topoimp.choices import PictureSize, SpatialConvention, View, chosen
from topoimp.commands.bound_options import USUAL_BOUNDS, BoundOptions, options_with_pictures
from topoimp.commands.bound_pictures import BoundResults
from topoimp.commands.bound_rows import shape_rows, spatial_rows
from topoimp.commands.chance_columns import density_rows_of_shape
from topoimp.commands.densities import parse_densities
from topoimp.commands.pages import with_files
from topoimp.data.shapes import data_shape
from topoimp.errors import OptionError
from topoimp.layers.records import LayerInfo, LayerPatterns
from topoimp.layers.spatial_view import InputSizes, check_images, in_spatial_view
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings, view_settings


def architecture_bound_report(
    arch: str,
    options: BoundOptions = USUAL_BOUNDS,
    *,
    data: str | None = None,
    view: View | str = View.MATRIX,
    input_sizes: InputSizes = (),
    spatial_convention: SpatialConvention | str = SpatialConvention.BALWANI,
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    report: AnyPath | None = None,
    force: bool = False,
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
        plot: an .svg, .pdf or .png file for a picture (``topoimp.commands.bound_pictures``).
        figure: name of the picture's figure; ``retention``, at the usual densities if none are given, if None.
        size: width of the picture; ``column`` if None.
        report: an .html file for a page with this report and all figures (``topoimp.pages``).
        force: replace existing files.

    Raises:
        OptionError: if there is no such architecture or data set, they do not fit, none of the weights is a layer, or
            an image fits no convolution.
    """
    view = chosen(View, view)
    options, files, notes = options_with_pictures(options, view, plot, figure, size, report)
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
    return with_files(
        files, lambda: _report_of_shapes(layers, settings, options, left_out, view, input_sizes, notes), force=force
    )


def shape_bound_report(
    shapes: Sequence[Sequence[int]],
    options: BoundOptions = USUAL_BOUNDS,
    *,
    view: View | str = View.MATRIX,
    input_sizes: InputSizes = (),
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    report: AnyPath | None = None,
    force: bool = False,
) -> Report:
    """Report the bounds that follow from shapes of weights alone, all of them being non-zero.

    Args:
        shapes: at least one, such as (300, 784), or (64, 3, 3, 3) for a convolution. A layer is named by its shape, as
            ``64x3x3x3``; the second of the same shape ``64x3x3x3#2``.
        options: rate, densities, null models and seed.
        view: ``matrix``, or ``spatial`` for convolutions unrolled over their images.
        input_sizes: pairs of a pattern and the image under each convolution that matches it.
        plot: an .svg, .pdf or .png file for a picture (``topoimp.commands.bound_pictures``).
        figure: name of the picture's figure; ``retention``, at the usual densities if none are given, if None.
        size: width of the picture; ``column`` if None.
        report: an .html file for a page with this report and all figures (``topoimp.pages``).
        force: replace existing files.

    Raises:
        OptionError: if there is no shape, one of them is no layer, or a convolution has no image that it needs.
    """
    view = chosen(View, view)
    options, files, notes = options_with_pictures(options, view, plot, figure, size, report)
    if not shapes:
        raise OptionError("no shape is given; at least one is needed, as in 64x3x3x3")
    layers: dict[str, tuple[int, ...]] = {}
    for shape in map(tuple, shapes):
        name = "x".join(map(str, shape))
        if len(shape) < 2 or shape[0] < 2 or min(shape) < 1 or prod(shape[1:]) < 2:
            raise OptionError(f"the shape is {name}; a layer has two rows and two columns or more")
        number = 1 + sum(shape == other for other in layers.values())
        layers[name if number == 1 else f"{name}#{number}"] = shape
    settings: Settings = {"shapes": list(layers)}
    return with_files(
        files, lambda: _report_of_shapes(layers, settings, options, {}, view, input_sizes, notes), force=force
    )


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
    notes: Sequence[str],
) -> tuple[Report, BoundResults]:
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
        rows = spatial_rows(infos)
        report = Report("bound", {}, {**settings, **view_settings(patterns)}, rows, no_layers)
        return report, BoundResults(rows, has_densities=False)

    patterns.check_matrix_view("shapes are of weights, and need")
    rows = shape_rows(infos, options.rate)
    for info in infos:
        rows += density_rows_of_shape(info, parse_densities(options.densities), seed=options.seed)
    report = Report("bound", {}, {**settings, **options.settings()}, rows, no_layers, notes=notes)
    return report, BoundResults(rows, has_densities=bool(options.densities))
