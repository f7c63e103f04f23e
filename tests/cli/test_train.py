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
