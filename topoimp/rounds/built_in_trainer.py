"""The built-in trainer: the checkpoint and mask of a round in, its trained checkpoint out.

Checkpoints are not written by ``safetensors.torch``, whose metadata come in another order in every process.
"""

from safetensors import SafetensorError
from safetensors.torch import load_file

from topoimp.checkpoint import write_arrays
from topoimp.data import Images
from topoimp.errors import CheckpointError
from topoimp.kernels.threads import OnStep
from topoimp.pruning.masks import read_masks
from topoimp.rounds.run_folder import TrainingTask
from topoimp.rounds.trainer import Metrics, Retrain
from topoimp.training.loop import retrain_network
from topoimp.training.recipes import Recipe


def built_in_trainer(recipe: Recipe, images: Images, *, from_step: int, on_step: OnStep) -> Retrain:
    """Return the function that trains a round by a recipe, from the step whose weights the round starts from."""

    def retrain(task: TrainingTask) -> Metrics:
        try:
            start = load_file(task.init)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{task.init}: cannot be read: {error}") from error
        kept = {name: mask.kept() for name, mask in read_masks(task.mask).items()}
        retrained = retrain_network(
            recipe, images, seed=task.seed, start=start, masks=kept, from_step=from_step, on_step=on_step
        )

        metadata = {"format": "pt", "topoimp.model": recipe.model, "topoimp.data": images.name}
        write_arrays(task.started, retrained.started, metadata)
        write_arrays(task.out, retrained.final, {**metadata, "topoimp.round": str(task.number)})
        end = retrained.end
        return {"train_loss": end.train_loss, "test_loss": end.test_loss, "test_accuracy": end.test_accuracy}

    return retrain
