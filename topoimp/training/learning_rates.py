"""The learning rate of each step of a recipe."""

from dataclasses import replace
from math import cos, pi

from topoimp.choices import Schedules
from topoimp.training.recipes import Recipe


def learning_rate_at(recipe: Recipe, step: int, n_steps: int) -> float:
    """Return the learning rate of a step.

    Args:
        recipe: has the schedule.
        step: number of the step, from 0.
        n_steps: number of all steps.
    """
    rate = recipe.learning_rate
    if step < recipe.warmup:
        return rate * (step + 1) / recipe.warmup
    if recipe.schedule is Schedules.STEPS:
        return float(rate * 0.1 ** sum(step >= drop for drop in recipe.drops))
    if recipe.schedule is Schedules.COSINE:
        done = (step - recipe.warmup) / max(n_steps - recipe.warmup, 1)
        return rate * (1 + cos(pi * done)) / 2
    return rate


def fine_tuning(recipe: Recipe, n_images: int) -> Recipe:
    """Return the recipe that trains on from trained weights: all steps, at the last learning rate.

    A cosine schedule ends at 0; its recipe trains on at a tenth of the first learning rate.

    Source: Renda, Frankle & Carbin, "Comparing Rewinding and Fine-tuning in Neural Network Pruning", ICLR 2020.
    """
    n_steps = recipe.n_steps(n_images)
    rate = learning_rate_at(recipe, n_steps, n_steps)
    if recipe.schedule is Schedules.COSINE:
        rate = recipe.learning_rate / 10
    return replace(recipe, schedule=Schedules.CONSTANT, drops=(), warmup=0, learning_rate=rate, rewind_at=0)
