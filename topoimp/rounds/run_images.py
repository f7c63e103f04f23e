"""The images of a run folder's checkpoints, from its recipe: of the data, and under the convolutions."""

from dataclasses import replace

from topoimp.architectures import ImageShape, parse_architecture, seen_images
from topoimp.checkpoint import AnyPath, as_place
from topoimp.choices import SpatialConvention, View
from topoimp.data.shapes import DATA_SHAPES
from topoimp.layers.records import LayerPatterns
from topoimp.layers.spatial import InputSize
from topoimp.rounds.recipe_file import RunRecipe, read_recipe
from topoimp.rounds.run_folder import seed_of


def images_of_run(path: AnyPath) -> dict[str, InputSize]:
    """Return, by the name of its weight, the image that each convolution of a checkpoint sees.

    Nothing is known, and nothing returned, of a checkpoint that lies in no run folder, or in one whose data set is a
    file of arrays: its recipe does not say the size of the images.

    Raises:
        CheckpointError: if the recipe cannot be read.
    """
    recipe = _recipe_of(path)
    shape = None if recipe is None else DATA_SHAPES.get(recipe.data)
    if recipe is None or shape is None:
        return {}
    architecture = parse_architecture(recipe.recipe.model, image=shape.image, n_classes=shape.n_classes)
    return seen_images(architecture, SpatialConvention.EXACT)


def image_of_run(path: AnyPath) -> ImageShape | None:
    """Return channels, height and width of the images that a checkpoint of a run folder was trained on.

    None of a checkpoint that lies in no run folder, or in one whose data set is a file of arrays.

    Raises:
        CheckpointError: if the recipe cannot be read.
    """
    recipe = _recipe_of(path)
    shape = None if recipe is None else DATA_SHAPES.get(recipe.data)
    return None if shape is None else shape.image


def _recipe_of(path: AnyPath) -> RunRecipe | None:
    """Return the recipe of the run folder that a checkpoint lies in; None elsewhere."""
    seed = seed_of(as_place(path))
    return None if seed is None else read_recipe(seed.folder.parent)


def with_images_of_run(patterns: LayerPatterns, path: AnyPath) -> LayerPatterns:
    """Return patterns with the images that are known of a checkpoint, after those that they have."""
    if patterns.view is not View.SPATIAL:
        return patterns
    return replace(patterns, input_sizes=(*patterns.input_sizes, *images_of_run(path).items()))
