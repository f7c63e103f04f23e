import pytest

from topoimp.choices import Schedules
from topoimp.training.learning_rates import fine_tuning, learning_rate_at
from topoimp.training.recipes import Recipe


def recipe(**changes):
    return Recipe(**{"model": "mlp:64-16-10", "epochs": 2, "batch_size": 100, "learning_rate": 1e-2, **changes})


def test_the_learning_rate_follows_its_schedule():
    steps = recipe(schedule=Schedules.STEPS, drops=(10, 20), learning_rate=1.0, warmup=4)
    cosine = recipe(schedule=Schedules.COSINE, learning_rate=1.0)

    rates = [learning_rate_at(steps, step, 30) for step in (0, 1, 3, 4, 9, 10, 19, 20, 29)]
    assert rates == pytest.approx([0.25, 0.5, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])
    assert [learning_rate_at(cosine, step, 30) for step in (0, 15, 30)] == pytest.approx([1, 0.5, 0])


def test_fine_tuning_goes_on_at_the_last_learning_rate():
    steps = recipe(schedule=Schedules.STEPS, drops=(10, 20), learning_rate=1.0)

    assert fine_tuning(steps, 1437).learning_rate == pytest.approx(0.01)
    assert fine_tuning(steps, 1437).schedule is Schedules.CONSTANT
    assert fine_tuning(recipe(schedule=Schedules.COSINE), 1437).learning_rate == pytest.approx(1e-3)
    assert fine_tuning(recipe(), 1437) == recipe(rewind_at=0)
