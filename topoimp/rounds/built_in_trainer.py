"""The built-in trainer as a round's trainer: a checkpoint and a mask in, a checkpoint out."""

from topoimp.checkpoint import read_arrays, write_arrays
from topoimp.data import Images
from topoimp.kernels.threads import OnStep
from topoimp.pruning.masks import read_masks
from topoimp.rounds.training_task import Metrics, Retrain, TrainingTask
from topoimp.training.loop import retrain_network
from topoimp.training.recipes import Recipe


def built_in_trainer(recipe: Recipe, images: Images, *, from_step: int, on_step: OnStep) -> Retrain:
    """Give what trains by a recipe.

    Args:
        recipe: how.
        images: on what.
        from_step: the step of the recipe whose weights each round starts from.
        on_step: called after each step.
    """

    def retrain(task: TrainingTask) -> Metrics:
        retrained = retrain_network(
            recipe,
            images,
            seed=task.seed,
            start=read_arrays(task.init),
            masks={name: mask.kept() for name, mask in read_masks(task.mask).items()},
            from_step=from_step,
            on_step=on_step,
        )
        metadata = {"format": "pt", "topoimp.model": recipe.model, "topoimp.data": images.name}
        write_arrays(task.started, retrained.started, metadata)
        write_arrays(task.out, retrained.final, {**metadata, "topoimp.round": str(task.number)})
        end = retrained.end
        return {"train_loss": end.train_loss, "test_loss": end.test_loss, "test_accuracy": end.test_accuracy}

    return retrain
