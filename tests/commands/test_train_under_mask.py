"""Training from given weights and under a given mask."""

import hashlib
import tomllib

import numpy as np
import pytest
from conftest import SAMPLES
from safetensors.numpy import load_file, save_file

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run
from topoimp.commands.train import train_run
from topoimp.errors import CheckpointError, OptionError, OutputError, TrainingError, VerificationError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.recipe_file import read_recipe
from topoimp.training import loop

MODEL = "mlp:64-20-10"


def train(output, **options):
    return train_run(MODEL, **{"output": output, "epochs": 2, "rewind_at": 7, "seeds": [0], **options})


@pytest.fixture(scope="module")
def mask(trained, tmp_path_factory):
    """The mask of a tenth of the trained weights."""
    output = tmp_path_factory.mktemp("mask") / "pruned.safetensors"
    options = PruningOptions(rounds=1, sparsity=0.9, method="magnitude")
    return prune_checkpoint(trained / "seed-0/model.safetensors", options, output=output).outputs.mask


def weights_in(folder, name="model"):
    return load_file(folder / f"seed-0/{name}.safetensors")


def is_same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_training_from_given_weights_goes_as_it_went_before(trained, tmp_path):
    train(tmp_path / "run", init=trained / "seed-0/init.safetensors")

    for name in ("init", "rewind", "model"):
        assert is_same(weights_in(tmp_path / "run", name), weights_in(trained, name))


def test_given_weights_take_the_place_of_those_of_the_seed(trained, tmp_path):
    train(tmp_path / "run", init=trained / "seed-1/init.safetensors")

    assert is_same(weights_in(tmp_path / "run", "init"), load_file(trained / "seed-1/init.safetensors"))
    assert not is_same(weights_in(tmp_path / "run"), load_file(trained / "seed-1/model.safetensors"))


def test_pruned_weights_are_zero_at_the_start_and_stay_zero(trained, tmp_path, mask):
    training = train(tmp_path / "run", init=trained / "seed-0/init.safetensors", mask=mask)

    kept = {name: packed.kept() for name, packed in read_masks(mask).items()}
    started = weights_in(tmp_path / "run", "init")
    given = weights_in(trained, "init")
    for name in ("fc1.weight", "fc2.weight"):
        assert np.array_equal(started[name], np.where(kept[name], given[name], 0))
        for moment in ("rewind", "model"):
            weight = weights_in(tmp_path / "run", moment)[name]
            assert not weight[~kept[name]].any()
            assert (weight[kept[name]] != started[name][kept[name]]).mean() > 0.5  # dark pixels never move theirs
    assert training.report.network["test_accuracy"] > training.report.rounds[0]["test_accuracy"]


def test_a_mask_alone_is_trained_from_the_weights_of_the_seed(trained, tmp_path, mask):
    train(tmp_path / "run", mask=mask)

    kept = read_masks(mask)["fc1.weight"].kept()
    given = weights_in(trained, "init")["fc1.weight"]
    assert np.array_equal(weights_in(tmp_path / "run", "init")["fc1.weight"], np.where(kept, given, 0))


def test_training_under_the_mask_of_a_round_is_the_training_of_that_round(run, tmp_path):
    prune_run(run, PruningOptions(rounds=1), rewind="init", seeds=[0])
    round_ = run / "seed-0/topological-rewind-init/round-01"

    train(tmp_path / "again", init=run / "seed-0/init.safetensors", mask=round_ / "mask.safetensors")

    assert is_same(weights_in(tmp_path / "again"), load_file(round_ / "model.safetensors"))


def test_the_recipe_has_the_checksums(trained, tmp_path, mask):
    init = trained / "seed-0/init.safetensors"

    training = train(tmp_path / "run", init=init, mask=mask)

    table = tomllib.loads((tmp_path / "run/recipe.toml").read_text())
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (init, mask)]
    assert [table["init_sha256"], table["mask_sha256"]] == sums
    recorded = read_recipe(tmp_path / "run")
    assert [recorded.init_sha256, recorded.mask_sha256] == sums
    assert not read_recipe(trained).starts_otherwise
    assert training.report.inputs == {"init": init, "mask": mask}


def test_another_mask_in_the_same_folder_is_another_recipe(tmp_path, mask):
    train(tmp_path / "run", mask=mask)

    with pytest.raises(OutputError, match=r"recipe.toml: is another recipe"):
        train(tmp_path / "run", seeds=[1])
    assert train(tmp_path / "run", seeds=[0, 1], mask=mask, jobs=2).n_new == 1


def test_such_a_network_is_pruned_further_and_rewound_to_the_steps_that_it_has(tmp_path, mask):
    train(tmp_path / "run", mask=mask)

    pruning = prune_run(tmp_path / "run", PruningOptions(rounds=1, rate=0.5, method="magnitude"))

    kept = read_masks(pruning.folders[0] / "round-01/mask.safetensors")["fc1.weight"].kept()
    assert not np.any(kept & ~read_masks(mask)["fc1.weight"].kept())
    message = "`rewind` is step:3; a run that was trained with `init` or `mask` has weights of the steps 0 and 7 alone"
    with pytest.raises(OptionError, match=message):
        prune_run(tmp_path / "run", PruningOptions(rounds=1), rewind="step:3")


def test_a_weight_that_comes_back_is_noticed_and_nothing_is_written(tmp_path, mask, monkeypatch):
    monkeypatch.setattr(loop._Run, "start_from", lambda *_: None)

    with pytest.raises(VerificationError, match=r"pruned weights of 'fc1.weight' came back in training"):
        train(tmp_path / "run", mask=mask)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def unfit(trained, tmp_path_factory):
    """Files that are no weights or masks of the network, by name."""
    folder = tmp_path_factory.mktemp("unfit")
    lenet = SAMPLES / "lenet-300-100-mnist.safetensors"
    save_file({"fc1.weight": np.ones((20, 64), np.float32)}, folder / "part.safetensors")
    (folder / "text.safetensors").write_text("no weights")
    return {
        "absent": folder / "absent",
        "text": folder / "text.safetensors",
        "part": folder / "part.safetensors",
        "weights": trained / "seed-0/init.safetensors",
        "other": apply_mask(lenet, lenet, output=folder / "other.safetensors").outputs.mask,
    }


@pytest.mark.parametrize(
    ("role", "name", "error", "message"),
    [
        ("init", "absent", CheckpointError, "absent: cannot be read: No such file"),
        ("mask", "absent", CheckpointError, "absent: cannot be read: No such file"),
        ("init", "text", CheckpointError, r"text.safetensors: cannot be read"),
        ("mask", "weights", CheckpointError, r"init.safetensors: is no mask"),
        ("init", "part", TrainingError, "the weights to start from are not those of mlp:64-20-10"),
        ("mask", "other", TrainingError, r"the mask of 'fc1.weight' has the shape \[300, 784\]; .* has \[20, 64\]"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, unfit, role, name, error, message):
    with pytest.raises(error, match=message):
        train(tmp_path / "run", **{role: unfit[name]})
    assert not (tmp_path / "run").exists()


def test_a_shuffled_mask_is_trained_with_as_many_weights(run, tmp_path, mask):
    init = run / "seed-0/init.safetensors"
    shuffled = apply_mask(init, mask, shuffle_mask="degrees", output=tmp_path / "s.safetensors").outputs.mask

    train(tmp_path / "control", init=init, mask=shuffled)

    n_kept = {name: packed.n_kept for name, packed in read_masks(mask).items()}
    assert {name: np.count_nonzero(weights_in(tmp_path / "control")[name]) for name in n_kept} == n_kept
