import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.architectures import NAMED_NETWORKS, parse_architecture
from topoimp.choices import Data, Optimizer, Recipes, Schedules, Scope
from topoimp.errors import OptionError
from topoimp.rounds.recipe_file import RunRecipe, read_recipe
from topoimp.training.recipes import PruningDefaults, Recipe, data_of_recipe, recipe_for, recipe_from

RATES = st.floats(0.01, 0.99)
PRUNINGS = st.builds(
    PruningDefaults,
    rate=RATES,
    scope=st.sampled_from(list(Scope)),
    layer_rates=st.dictionaries(st.text(min_size=1), RATES, max_size=2),
    exclude=st.lists(st.text(), max_size=2).map(tuple),
)
RECIPES = st.builds(
    Recipe,
    model=st.sampled_from(["mlp:64-3-10", "lenet-300-100"]),
    epochs=st.integers(0, 100),
    batch_size=st.integers(1, 100),
    learning_rate=st.floats(1e-9, 1e9),
    optimizer=st.just(Optimizer.SGD),
    momentum=st.floats(0, 0.999),
    weight_decay=st.floats(0, 1e9),
    schedule=st.just(Schedules.STEPS),
    drops=st.lists(st.integers(1, 10**9), min_size=1, max_size=3).map(tuple),
    standardise=st.booleans(),
    augment=st.booleans(),
    rewind_at=st.integers(0, 10**9),
    pruning=PRUNINGS,
)


@given(RECIPES, st.text(), st.text())
def test_a_recipe_is_read_back_as_it_was_written(tmp_path_factory, recipe, data, sha256):
    run = tmp_path_factory.mktemp("run")
    said = RunRecipe(recipe, data, sha256)
    (run / "recipe.toml").write_text(said.to_toml(), encoding="utf-8", newline="")

    assert read_recipe(run) == said


@pytest.mark.parametrize("model", NAMED_NETWORKS)
@pytest.mark.parametrize("kind", [Recipes.CANONICAL, Recipes.QUICK])
def test_every_named_network_has_a_published_recipe_and_a_quick_one(model, kind):
    recipe, layers = recipe_for(model, "any", kind), parse_architecture(model).weights

    assert recipe.model == model
    n_images = 60_000 if data_of_recipe(model) is Data.MNIST else 50_000
    assert all(drop < recipe.n_steps(n_images) for drop in recipe.drops)
    assert recipe.n_steps(n_images) <= recipe_for(model, "any", Recipes.CANONICAL).n_steps(n_images)
    output = parse_architecture(model).output_layer
    assert output in layers
    assert output in recipe.pruning.layer_rates or recipe.pruning.exclude == (output,)


@pytest.mark.parametrize(
    ("model", "n_steps"), [("lenet-300-100", 50_000), ("conv-2", 20_000), ("conv-4", 25_000), ("conv-6", 30_000)]
)
def test_published_recipes_have_the_published_number_of_steps(model, n_steps):
    n_images = 60_000 if data_of_recipe(model) is Data.MNIST else 50_000

    assert recipe_for(model, "any", Recipes.CANONICAL).n_steps(n_images) == pytest.approx(n_steps, rel=0.005)


def test_the_default_recipe_goes_by_the_data():
    digits, mnist = (recipe_for("mlp:64-9-10", data, Recipes.DEFAULT) for data in ("digits", "mnist"))

    assert (digits.epochs, digits.batch_size, digits.learning_rate) == (40, 32, 2e-3)
    assert (mnist.epochs, mnist.batch_size, mnist.learning_rate) == (6, 60, 1.2e-3)
    assert recipe_for("mlp:64-9-10", "own", Recipes.DEFAULT).epochs == 12


def test_a_network_without_a_published_recipe_is_said():
    with pytest.raises(OptionError, match="mlp:64-9-10 has no quick recipe; those that have one are lenet-300-100, "):
        recipe_for("mlp:64-9-10", "digits", Recipes.QUICK)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "sgdd"}, "there is no optimizer 'sgdd'"),
        ({"schedule": "linear"}, "there is no schedules 'linear'"),
        ({"epochs": "many"}, "a field has a wrong value"),
        ({"epochs": 1.5}, "a field has a wrong value: epochs is 1.5; it must be a whole number"),
        ({"batch_size": True}, "a field has a wrong value: batch_size is True; it must be a whole number"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; it must be a number"),
        ({"momentum": False}, "momentum is False; it must be a number"),
        ({"augment": 1}, "augment is 1; it must be true or false"),
        ({"model": 3}, "model is 3; it must be a text"),
        ({"drops": [1.5]}, r"drops is \[1.5\]; it must be a list, and each of it a whole number"),
        ({"pruning": {"exclude": "fc1"}}, "exclude is 'fc1'; it must be a list, and each of it a text"),
        ({"pruning": {"exclude": [1]}}, r"exclude is \[1\]; it must be a list, and each of it a text"),
        ({"pruning": {"rate": "0.2"}}, "rate is '0.2'; it must be a number"),
        ({"pruning": {"scope": 1}}, "scope is 1; it must be a text"),
        ({"pruning": {"layer_rates": {"fc*": True}}}, r"fc\* is True; it must be a number"),
        ({"pruning": {"layer_rates": [1]}}, r"layer_rates is \[1\]; it must be a table"),
        ({"drops": 3}, "a field has a wrong value"),
        ({"pruning": [1]}, "a field has a wrong value"),
        ({"epochs": -1}, "epochs is -1"),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_said(fields, message):
    whole = {"model": "m", "epochs": 1, "batch_size": 1, "learning_rate": 1.0}

    with pytest.raises(OptionError, match=message):
        recipe_from({**whole, **fields})


def test_a_recipe_written_by_an_earlier_release_is_read(tmp_path):
    """Earlier releases wrote lists on one line, and strings with escapes of their own."""
    (tmp_path / "recipe.toml").write_text(
        """model = "mlp:64-3-10"
epochs = 2
batch_size = 60
learning_rate = 0.1
optimizer = "sgd"
schedule = "steps"
drops = [20000, 25000]

[data]
name = "a \\"b\\" \\u0007"
sha256 = "00"

[pruning]
rate = 0.2
scope = "layer"
exclude = ["fc3.weight"]

[pruning.layer_rates]
"conv*" = 0.1
""",
        encoding="utf-8",
    )

    pruning = PruningDefaults(exclude=("fc3.weight",), layer_rates={"conv*": 0.1})
    recipe = Recipe(
        "mlp:64-3-10",
        2,
        60,
        0.1,
        optimizer=Optimizer.SGD,
        schedule=Schedules.STEPS,
        drops=(20_000, 25_000),
        pruning=pruning,
    )
    assert read_recipe(tmp_path) == RunRecipe(recipe, 'a "b" \a', "00")


def recipe(**changes):
    return Recipe(**{"model": "mlp:64-16-10", "epochs": 2, "batch_size": 100, "learning_rate": 1e-2, **changes})


def test_the_learning_rate_follows_its_schedule():
    steps = recipe(schedule=Schedules.STEPS, drops=(10, 20), learning_rate=1.0, warmup=4)
    cosine = recipe(schedule=Schedules.COSINE, learning_rate=1.0)

    rates = [steps.learning_rate_at(step, 30) for step in (0, 1, 3, 4, 9, 10, 19, 20, 29)]
    assert rates == pytest.approx([0.25, 0.5, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])
    assert [cosine.learning_rate_at(step, 30) for step in (0, 15, 30)] == pytest.approx([1, 0.5, 0])


def test_fine_tuning_goes_on_at_the_last_learning_rate():
    steps = recipe(schedule=Schedules.STEPS, drops=(10, 20), learning_rate=1.0)

    assert steps.fine_tuning(1437).learning_rate == pytest.approx(0.01)
    assert steps.fine_tuning(1437).schedule is Schedules.CONSTANT
    assert recipe(schedule=Schedules.COSINE).fine_tuning(1437).learning_rate == pytest.approx(1e-3)
    assert recipe().fine_tuning(1437) == recipe(rewind_at=0)
