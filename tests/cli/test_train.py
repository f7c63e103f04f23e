import json


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


def test_a_trained_checkpoint_can_be_pruned_and_names_its_recipe(topoimp, tmp_path):
    topoimp("train", "mlp:64-8-10", "--epochs", 1, "-o", tmp_path / "run")

    outcome = topoimp("prune", tmp_path / "run/seed-0/model.safetensors", "--rounds", 2)

    assert f"the recipe of these weights is {tmp_path}/run/recipe.toml" in outcome.err
