"""Recipes of files, and settings that are changed by name."""

import re
from dataclasses import fields

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from topoimp.choices import Optimizer, Schedules, Scope
from topoimp.commands.train import train_run
from topoimp.commands.training_recipe import SETTABLE, recipe_source, resolved_recipe
from topoimp.data import Images, load_images
from topoimp.errors import CheckpointError, DataError, OptionError
from topoimp.rounds.recipe_file import RunRecipe, read_recipe, read_toml
from topoimp.training.recipes import PruningDefaults, Recipe

DIGITS = load_images("digits")


@pytest.fixture
def recipe_file(tmp_path):
    """Write a table as a recipe file."""

    def write_recipe(table):
        path = tmp_path / "my.toml"
        path.write_text(tomli_w.dumps(table), encoding="utf-8")
        return path

    return write_recipe


def resolved(recipe="default", options=None, model="mlp:64-8-10", images=DIGITS, **sets):
    """The recipe of a training of a small network on digits; in names of ``sets`` two underscores stand for a dot."""
    dotted = {name.replace("__", "."): value for name, value in sets.items()}
    return resolved_recipe(recipe_source(recipe), model, images, options or {}, dotted)


def test_the_recipe_of_a_run_folder_trains_the_same_weights_again(tmp_path):
    first = train_run(
        *("mlp:64-8-10",),
        output=tmp_path / "first",
        sets={"optimizer": "sgd", "momentum": 0.5, "schedule": "steps", "drops": [50, 70], "warmup": 3, "epochs": 2},
        rewind_at=7,
        seeds=[3],
    )
    again = train_run(recipe=tmp_path / "first/recipe.toml", output=tmp_path / "again", seeds=[3])

    assert (tmp_path / "again/recipe.toml").read_bytes() == (tmp_path / "first/recipe.toml").read_bytes()
    for name in ("init", "rewind", "model"):
        bits = [(run.seed_folders[0] / f"{name}.safetensors").read_bytes() for run in (first, again)]
        assert bits[0] == bits[1]


def test_the_recipe_in_a_run_folder_is_the_one_that_was_resolved(tmp_path):
    train_run("mlp:64-8-10", output=tmp_path / "run", epochs=0, sets={"augment": True, "pruning.scope": "global"})

    assert read_recipe(tmp_path / "run").recipe == resolved(epochs=0, augment=True, pruning__scope="global")


@st.composite
def recipes(draw):
    """A recipe whose values are all in range."""
    optimizer, schedule = draw(st.sampled_from(Optimizer)), draw(st.sampled_from(Schedules))
    counts, shares = st.integers(1, 60), st.floats(0.01, 0.99)
    return Recipe(
        "mlp:64-8-10",
        epochs=draw(st.integers(1, 9)),
        batch_size=draw(counts),
        learning_rate=draw(shares),
        optimizer=optimizer,
        momentum=draw(shares) if optimizer is Optimizer.SGD else 0.0,
        weight_decay=draw(shares),
        schedule=schedule,
        drops=tuple(draw(st.lists(counts, min_size=1, max_size=3))) if schedule is Schedules.STEPS else (),
        warmup=draw(counts),
        standardise=draw(st.booleans()),
        augment=draw(st.booleans()),
        rewind_at=draw(st.integers(0, 20)),
        threads=draw(st.integers(1, 4)),
        device="cpu",
        pruning=PruningDefaults(
            rate=draw(shares),
            scope=draw(st.sampled_from(Scope)),
            layer_rates=draw(st.dictionaries(st.sampled_from(["fc*", "fc1.weight"]), shares)),
            exclude=tuple(draw(st.lists(st.sampled_from(["fc2*", "re:fc.*"]), max_size=2))),
        ),
    )


@given(recipes())
def test_every_recipe_comes_back_from_its_file(tmp_path_factory, recipe):
    path = tmp_path_factory.mktemp("recipes") / "recipe.toml"
    path.write_text(RunRecipe(recipe, "digits", DIGITS.sha256()).to_toml(), encoding="utf-8", newline="")

    assert resolved(path) == recipe


@given(recipes())
def test_every_recipe_can_be_set_name_by_name(recipe):
    pruning = {f"pruning__{each.name}": getattr(recipe.pruning, each.name) for each in fields(PruningDefaults)}

    assert resolved(**{**recipe.plain(), **pruning}) == recipe


def test_every_setting_can_be_set_but_checksums():
    of_recipe = {each.name for each in fields(Recipe)} - {"pruning"}
    of_pruning = {f"pruning.{each.name}" for each in fields(PruningDefaults)}

    assert set(SETTABLE) == of_recipe | of_pruning | {"data.name"}


def test_a_file_may_leave_names_out(recipe_file):
    recipe = resolved(recipe_file({"learning_rate": 1, "pruning": {"exclude": ["fc2*"]}}))

    expected = Recipe("mlp:64-8-10", 40, 32, 1.0, pruning=PruningDefaults(exclude=("fc2*",)))
    assert recipe == expected
    assert isinstance(recipe.learning_rate, float)


def test_arguments_and_sets_change_the_file(recipe_file):
    path = recipe_file({"epochs": 3, "rewind_at": 5, "threads": 2, "pruning": {"rate": 0.5, "scope": "global"}})

    recipe = resolved(path, {"epochs": 7, "rewind_at": None}, threads=1, pruning__rate=0.1)

    assert (recipe.epochs, recipe.rewind_at, recipe.threads) == (7, 5, 1)
    assert (recipe.pruning.rate, recipe.pruning.scope) == (0.1, "global")


def test_another_optimizer_and_schedule_leave_momentum_and_drops_behind():
    published = {"recipe": "canonical", "model": "resnet-20", "images": colour_images()}

    recipe = resolved(**published, optimizer="adam", schedule="constant")

    assert (recipe.optimizer, recipe.momentum, recipe.schedule, recipe.drops) == ("adam", 0.0, "constant", ())
    with pytest.raises(OptionError, match=r"drops are the steps, from 1"):
        resolved(**published, schedule="constant", drops=(1, 2))


def colour_images():
    """Four black images of CIFAR's size to train on, and four to test on."""
    return Images("cifar10", *2 * (np.zeros((4, 3, 32, 32), np.float32), np.arange(4)))


def test_the_model_and_the_data_of_a_file_are_used(tmp_path, recipe_file):
    path = recipe_file({"model": "mlp:64-8-10", "epochs": 0, "data": {"name": "digits"}})

    run = train_run(recipe=str(path), output=tmp_path / "run")
    other = train_run("mlp:64-4-10", recipe=path, output=tmp_path / "other")

    assert (run.report.settings["model"], run.report.settings["data"]) == ("mlp:64-8-10", "digits")
    assert other.report.settings["model"] == "mlp:64-4-10"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"lr": 0.1}, "is no recipe: 'lr' is unknown; known are model, epochs, batch_size, learning_rate, "),
        ({"data": {"path": "x"}}, "is no recipe: 'path' in the table data is unknown; known are name, sha256"),
        ({"pruning": {"method": "random"}}, "'method' in the table pruning is unknown; known are rate, scope, "),
        ({"data": "digits"}, "is no recipe: data is 'digits'; it must be a table"),
        ({"data": {"name": 3}}, "is no recipe: name is 3; it must be a text"),
        ({"model": 3}, "is no recipe: model is 3; it must be a text"),
        ({"init_sha256": 3}, "is no recipe: init_sha256 is 3; it must be a text"),
        ({"epochs": "many"}, "is no recipe: a field has a wrong value: epochs is 'many'; it must be a whole number"),
        ({"epochs": -1}, "is no recipe: epochs is -1; it must be at least 0"),
        ({"learning_rate": float("nan")}, "is no recipe: learning_rate is nan; it must be above 0"),
        ({"pruning": {"rate": 1.0}}, "is no recipe: a rate of pruning is 1.0; it must be above 0 and below 1"),
        ({"pruning": {"layer_rates": {"fc*": 0}}}, "is no recipe: a rate of pruning is 0.0; it must be above 0"),
        (
            {"model": "mlp:64-8-10", "initial_weights": "he-normal"},
            "is no recipe: its initial weights are 'he-normal', and those of mlp:64-8-10 are 'glorot-normal'",
        ),
    ],
)
def test_a_file_that_is_no_recipe_is_said_and_leaves_no_folder(tmp_path, recipe_file, table, message):
    path = recipe_file(table)

    with pytest.raises(CheckpointError, match=f"^{re.escape(f'{path}: ')}.*{re.escape(message)}"):
        train_run("mlp:64-8-10", recipe=path, output=tmp_path / "run")

    assert [each.name for each in tmp_path.iterdir()] == ["my.toml"]


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "bad.toml").write_text("epochs = ")

    with pytest.raises(CheckpointError, match=r"bad\.toml: is no TOML: "):
        train_run("mlp:64-8-10", recipe=tmp_path / "bad.toml", output=tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"missing\.toml: cannot be read: No such file"):
        train_run("mlp:64-8-10", recipe=tmp_path / "missing.toml", output=tmp_path / "run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "fast"}, "there is no recipe 'fast'; known are default, canonical, quick, and files that end in"),
        ({"sets": {"lr": 1}}, "`sets` names 'lr', which no recipe has; known are model, epochs, "),
        ({"sets": {"pruning": {}}}, "`sets` names 'pruning', which no recipe has"),
        ({"sets": {"epochs": 1}, "epochs": 2}, "epochs is given both by an argument of its own and by `sets`"),
        ({"sets": {"data.name": "mnist"}, "data": "digits"}, "data.name is given both by an argument"),
        ({"sets": {"model": "mlp:64-4-10"}}, "model is given both by an argument of its own and by `sets`"),
        ({"sets": {"epochs": "many"}}, "epochs is 'many'; it must be a whole number"),
        ({"sets": {"optimizer": "lamb"}}, "there is no optimizer 'lamb'; known are adam, sgd"),
        ({"sets": {"pruning.rate": 2.0}}, "a rate of pruning is 2.0; it must be above 0 and below 1"),
        ({"sets": {"device": "tpu"}}, "there is no device 'tpu'"),
        ({"sets": {"data.name": "own"}}, "the data set 'own' is a file of arrays; `data` names the file"),
    ],
)
def test_a_change_that_means_nothing_is_refused(tmp_path, arguments, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        train_run("mlp:64-8-10", output=tmp_path / "run", **arguments)

    assert list(tmp_path.iterdir()) == []


def test_without_a_model_there_is_nothing_to_train(tmp_path, recipe_file):
    for recipe in ("default", recipe_file({"epochs": 1})):
        with pytest.raises(OptionError, match="there is no MODEL; give one, or in `recipe` a file that has one"):
            train_run(recipe=recipe, output=tmp_path / "run")


def test_a_recipe_of_other_images_is_refused(tmp_path, recipe_file):
    path = recipe_file({"data": {"name": "digits", "sha256": "00"}})

    with pytest.raises(DataError, match="its data set digits has the sha256 00, and the one that was read dd82"):
        train_run("mlp:64-8-10", recipe=path, output=tmp_path / "run")


def test_a_recipe_of_arrays_needs_their_file(tmp_path):
    images = np.random.default_rng(0).random((20, 3, 3)).astype(np.float32)
    arrays = {f"{part}_images": images for part in ("train", "test")}
    np.savez(tmp_path / "own.npz", **arrays, train_labels=np.arange(20) % 2, test_labels=np.arange(20) % 2)
    train_run("mlp:9-4-2", data=tmp_path / "own.npz", output=tmp_path / "first", epochs=1)
    recipe = tmp_path / "first/recipe.toml"

    with pytest.raises(OptionError, match=r"the data set 'own' is a file of arrays; `data` names the file"):
        train_run(recipe=recipe, output=tmp_path / "second")
    train_run(recipe=recipe, data=tmp_path / "own.npz", output=tmp_path / "second")

    assert read_toml(tmp_path / "second/recipe.toml") == read_toml(recipe)


def test_a_recipe_of_given_initial_weights_needs_them(tmp_path):
    train_run("mlp:64-8-10", output=tmp_path / "first", epochs=0)
    init = tmp_path / "first/seed-0/init.safetensors"
    train_run("mlp:64-8-10", output=tmp_path / "second", epochs=1, init=init)
    recipe = tmp_path / "second/recipe.toml"

    with pytest.raises(OptionError, match="has init_sha256, so training needs that file; `init` names it"):
        train_run(recipe=recipe, output=tmp_path / "third")
    train_run(recipe=recipe, output=tmp_path / "third", init=init)

    assert read_toml(tmp_path / "third/recipe.toml") == read_toml(recipe)
