import json

import pytest


def test_a_run_is_trained_and_its_epochs_shown(topoimp, tmp_path):
    outcome = topoimp("train", "mlp:64-8-10", "--epochs", 2, "-o", tmp_path / "run")

    assert outcome.status == 0
    assert outcome.out.startswith("mlp:64-8-10 on digits\n")
    assert "run/seed-0/model.safetensors" in outcome.err


def test_every_option_reaches_the_recipe(topoimp, tmp_path):
    options = [
        "--epochs",
        1,
        "--batch-size",
        50,
        "--learning-rate",
        0.01,
        "--rewind-at",
        3,
        "--seed",
        4,
        "--threads",
        1,
    ]

    outcome = topoimp("train", "mlp:64-8-10", "-o", tmp_path / "run", *options, "--format", "json", "-q")

    content = json.loads(outcome.out)
    assert outcome.err == ""
    assert [row["epoch"] for row in content["epochs"]] == [0, 1]
    assert content["settings"] == {
        "model": "mlp:64-8-10",
        "epochs": 1,
        "batch_size": 50,
        "learning_rate": 0.01,
        "rewind_at": 3,
        "threads": 1,
        "optimizer": "adam",
        "momentum": 0.0,
        "weight_decay": 0.0,
        "schedule": "constant",
        "drops": [],
        "warmup": 0,
        "standardise": False,
        "augment": False,
        "device": "cpu",
        "data": "digits",
        "seeds": ["4"],
    }
    assert (tmp_path / "run/seed-4/rewind.safetensors").is_file()


def test_training_is_watched(topoimp, tmp_path):
    options = ["--watch", "np, overlap,beta0", "--watch-every", 20, "--epochs", 1]

    outcome = topoimp("train", "mlp:64-8-10", *options, "-o", tmp_path / "run")

    assert outcome.status == 0
    assert outcome.err.endswith(
        "run/seed-0/model.safetensors (and init, rewind, metrics.csv, topology.csv beside it)\n"
    )
    lines = (tmp_path / "run/seed-0/topology.csv").read_text().splitlines()
    assert lines[0].startswith("level,seed,layer,beta0,overlap,np_rieck,")
    assert len(lines) == 1 + 4 * 3  # steps 0, 20, 40 and 45


def test_a_column_that_cannot_be_watched_is_refused(topoimp, tmp_path):
    outcome = topoimp("train", "mlp:64-8-10", "--watch", "np,dtype", "-o", tmp_path / "run")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: --watch names 'dtype'; known are np, n_weights, ")
    assert not (tmp_path / "run").exists()


def test_a_trained_checkpoint_can_be_pruned_and_names_its_recipe(topoimp, tmp_path):
    topoimp("train", "mlp:64-8-10", "--epochs", 1, "-o", tmp_path / "run")

    outcome = topoimp("prune", tmp_path / "run/seed-0/model.safetensors", "--rounds", 2)

    assert f"the recipe of these weights is {tmp_path}/run/recipe.toml" in outcome.err


def test_a_recipe_file_and_settings_of_the_command_line_train(topoimp, tmp_path):
    recipe = tmp_path / "my.toml"
    recipe.write_text('model = "mlp:64-8-10"\nepochs = 5\naugment = false\n\n[pruning]\nrate = 0.5\n')
    changes = ("epochs=1", "optimizer=sgd", "schedule = steps", "drops=[10, 20]", 'pruning.layer_rates={"fc2*" = 0.1}')

    outcome = topoimp(
        *("train", "--recipe", recipe, "-o", tmp_path / "run", "--format", "json", "--momentum", 0.9),
        *(word for change in changes for word in ("--set", change)),
    )

    settings = json.loads(outcome.out)["settings"]
    assert (settings["model"], settings["epochs"], settings["optimizer"]) == ("mlp:64-8-10", 1, "sgd")
    assert (settings["momentum"], settings["schedule"], settings["drops"]) == (0.9, "steps", ["10", "20"])
    assert '[pruning.layer_rates]\n"fc2*" = 0.1' in (tmp_path / "run/recipe.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "there is no MODEL; give one, or in --recipe a file that has one and ends in .toml"),
        (("mlp:64-8-10", "--set", "epochs"), 2, "--set is 'epochs'; it must be a name and a value, as in epochs=3"),
        (("mlp:64-8-10", "--set", "=3"), 2, "--set is '=3'; it must be a name and a value"),
        (("mlp:64-8-10", "--set", "epochs= "), 2, "--set is 'epochs= '; it must be a name and a value"),
        (("mlp:64-8-10", "--set", "epochs=1", "--set", "epochs=2"), 2, "--set names 'epochs' twice; name it once"),
        (("mlp:64-8-10", "--set", "lr=1"), 2, "--set names 'lr', which no recipe has; known are model, epochs, "),
        (("mlp:64-8-10", "--set", "epochs=1\nthreads=2"), 2, "epochs is '1\\nthreads=2'; it must be a whole number"),
        (("mlp:64-8-10", "--set", "epochs=1", "--epochs", "1"), 2, "epochs is given both by an argument of its own"),
        (("mlp:64-8-10", "--recipe", "fast"), 2, "there is no recipe 'fast'; known are default, canonical, quick, and"),
        (("mlp:64-8-10", "--recipe", "no.toml"), 1, "no.toml: cannot be read: No such file or directory"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_one_line(topoimp, tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)

    outcome = topoimp("train", *arguments)

    assert (outcome.status, outcome.out, outcome.err.count("\n")) == (status, "", 1)
    assert message in outcome.err
    assert list(tmp_path.iterdir()) == []
