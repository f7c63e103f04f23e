"""The images under the convolutions of a run folder's checkpoints, from its recipe."""

from dataclasses import replace
from pathlib import Path

from topoimp.architectures import parse_architecture, seen_images
from topoimp.checkpoint import AnyPath
from topoimp.choices import SpatialConvention, View
from topoimp.data.shapes import DATA_SHAPES
from topoimp.layers.records import LayerPatterns
from topoimp.layers.spatial import InputSize
from topoimp.rounds.recipe_file import read_recipe
from topoimp.rounds.run_folder import seed_of


def images_of_run(path: AnyPath) -> dict[str, InputSize]:
    """Return, by the name of its weight, the image that each convolution of a checkpoint sees.

    Nothing is known, and nothing returned, of a checkpoint that lies in no run folder, or in one whose data set is a
    file of arrays: its recipe does not say the size of the images.

    Raises:
        CheckpointError: if the recipe cannot be read.
    """
    seed = seed_of(Path(path))
    if seed is None:
        return {}
    recipe = read_recipe(seed.folder.parent)
    shape = DATA_SHAPES.get(recipe.data)
    if shape is None:
        return {}
    architecture = parse_architecture(recipe.recipe.model, image=shape.image, n_classes=shape.n_classes)
    return seen_images(architecture, SpatialConvention.EXACT)


def with_images_of_run(patterns: LayerPatterns, path: AnyPath) -> LayerPatterns:
    """Return patterns with the images that are known of a checkpoint, after those that they have."""
    if patterns.view is not View.SPATIAL:
        return patterns
    return replace(patterns, input_sizes=(*patterns.input_sizes, *images_of_run(path).items()))
