"""The graph of a network that a recipe trained: its layers are those of the MODEL that the recipe names."""

from topoimp.architectures import parse_architecture
from topoimp.architectures.graph import architecture_graph
from topoimp.checkpoint import Checkpoint
from topoimp.errors import CheckpointError, OptionError
from topoimp.network.graph import NetworkGraph
from topoimp.rounds.recipe_file import read_recipe
from topoimp.rounds.run_folder import seed_of
from topoimp.training.recipes import Recipe


def graph_of_recipe(recipe: Recipe, checkpoint: Checkpoint) -> NetworkGraph | None:
    """Return the graph of a checkpoint of the recipe's network.

    The shapes are those of the checkpoint, as the data decide how many inputs and outputs the network has. None if no
    MODEL has the recipe's name, or the checkpoint has the tensors of another network.
    """
    try:
        architecture = parse_architecture(recipe.model)
    except OptionError:
        return None

    found = {name: checkpoint.tensors[name].shape for name in architecture.weights if name in checkpoint.tensors}
    axes = {name: len(shape) for name, shape in architecture.weights.items()}
    is_network = axes == {name: len(shape) for name, shape in found.items()}
    return architecture_graph(architecture, found) if is_network else None


def graph_of_run(checkpoint: Checkpoint) -> NetworkGraph | None:
    """Return the graph of a checkpoint of a run folder; None elsewhere, and of a recipe that cannot be read."""
    seed = seed_of(checkpoint.path)
    if seed is None:
        return None
    try:
        recipe = read_recipe(seed.folder.parent).recipe
    except CheckpointError:  # the command has other results, which need no recipe
        return None
    return graph_of_recipe(recipe, checkpoint)
