"""Rounds whose networks are trained by a command of the user's own."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from topoimp.commands.prune_run import prune_run, prune_with_trainer
from topoimp.errors import CheckpointError, OptionError, OutputError, TrainingError, VerificationError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer

TRAINER = Path(__file__).parent.parent / "trainers.py"
ARGUMENTS = "--init {init} --mask {mask} --out {out} --seed {seed}"


def trainer(how, arguments=ARGUMENTS, **options):
    return parse_trainer(f"{sys.executable} {TRAINER} {how} {arguments}", **options)


def test_a_trainer_of_ones_own_trains_the_rounds_of_a_run_folder(run):
    pruning = prune_run(
        run,
        PruningOptions(rounds=2),
        seeds=[1],
        trainer=trainer("right", ARGUMENTS + " --started {started} --metrics {metrics}"),
    )

    network = [row for row in pruning.report.rows if row["level"] == "network"]
    assert [row["test_accuracy"] for row in network[1:]] == [0.75, 0.75]
    assert network[2]["checked"].split() == [
        "nested",
        "counts",
        "forest",
        "barcode",
        "rewound",
        "started",
        "finite",
        "held",
    ]
    assert "training right" in (run / "seed-1/topological/round-02.log").read_text()


WRONG = {
    "revives": (VerificationError, "1 pruned weights of 'fc1.weight' came back in training, the first at index"),
    "ignores-init": (VerificationError, "the weights have nothing to do with those that training was to start from"),
    "writes-nan": (VerificationError, "tensor 'fc1.weight' is NaN or infinite at index 3; training diverged"),
    "wrong-shapes": (VerificationError, r"tensor 'fc1.weight' is F32 \[64, 20\]; .* has F32 \[20, 64\]"),
    "other-names": (VerificationError, "calls tensor 'fc1.weight' 'module.fc1.weight'; a wrapper of the module ren"),
    "other-type": (VerificationError, r"tensor 'fc1.weight' is F16 \[20, 64\]"),
    "writes-half": (VerificationError, "round 1, seed 0: what the trainer wrote cannot be used: model.safetensors: "),
    "exits-1": (
        TrainingError,
        r"round 1, seed 0: the trainer ended with status 1; its last line: 'CUDA out of memory', all of it is in ",
    ),
    "writes-nothing": (
        TrainingError,
        "round 1, seed 0: model.safetensors: the trainer ended without an error, but did not write this",
    ),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_trainer_is_caught_and_its_round_is_not_there(run, how):
    error, message = WRONG[how]

    with pytest.raises(error, match=message):
        prune_run(run, PruningOptions(rounds=2), seeds=[0], trainer=trainer(how))

    left = sorted(path.name for path in (run / "seed-0/topological").iterdir())
    assert left == ["pruning.toml", "round-00", "round-01.log"]


def test_a_trainer_that_says_where_it_started_is_held_to_it(run):
    with pytest.raises(VerificationError, match="the trainer started from other weights than it was given: tensor 'fc"):
        prune_run(
            run,
            PruningOptions(rounds=1),
            seeds=[0],
            trainer=trainer("ignores-init", ARGUMENTS + " --started {started}"),
        )


def test_a_trainer_that_takes_too_long_is_ended(run):
    with pytest.raises(TrainingError, match=r"round 1, seed 0: the trainer took more than 2 s and was ended"):
        prune_run(run, PruningOptions(rounds=1), seeds=[0], trainer=trainer("sleeps", timeout=2.0))


def test_a_trainer_that_is_not_there_is_said(run):
    command = parse_trainer(f"no-such-command {ARGUMENTS}")

    with pytest.raises(
        TrainingError,
        match="round 1, seed 0: the trainer cannot be started: no-such-command: No such file or directory",
    ):
        prune_run(run, PruningOptions(rounds=1), seeds=[0], trainer=command)


def test_a_checkpoint_is_pruned_with_a_trainer(lenet, lenet_init):
    pruning = prune_with_trainer(
        lenet, PruningOptions(rounds=2), rewind_from=lenet_init, trainer=trainer("right"), seeds=[0, 5]
    )

    run = lenet.parent / "lenet-300-100-mnist.rounds"
    assert pruning.report.inputs == {"run": run}
    assert [row["seed"] for row in pruning.report.rows if row["level"] == "network"] == [0, 0, 0, 5, 5, 5]
    init, mask = load_file(lenet_init), read_masks(run / "seed-5/topological/round-02/mask.safetensors")
    model = load_file(run / "seed-5/topological/round-02/model.safetensors")
    kept = mask["fc1.weight"].kept()
    assert np.abs(model["fc1.weight"][kept] - init["fc1.weight"][kept]).max() < 0.1


CHAIN = "fc1,fc2,fc3"


def test_a_chain_gives_a_trainer_the_methods_of_whole_networks(lenet, lenet_init):
    rounds = {"rounds": 2, "sparsity": 0.98}
    of_chain = {"trainer": trainer("right"), "rewind_from": lenet_init, "chain": CHAIN}

    by_paths = prune_with_trainer(lenet, PruningOptions(**rounds, method="paths", paths_below=1.0), **of_chain)
    by_magnitude = prune_with_trainer(lenet, PruningOptions(**rounds, method="magnitude"), **of_chain)

    assert by_paths.report.network["n_off_path"] <= 3  # the layers of the one path that may be cut short
    assert by_magnitude.report.network["n_off_path"] > 1000
    assert by_paths.report.network["n_kept"] == by_magnitude.report.network["n_kept"] == 5324
    assert by_paths.report.settings["chain"] == ["fc1.weight", "fc2.weight", "fc3.weight"]


def test_rounds_of_a_chain_are_finished_and_go_on_with_that_chain_alone(lenet, lenet_init):
    options = {"trainer": trainer("right"), "rewind_from": lenet_init}
    prune_with_trainer(lenet, PruningOptions(rounds=1, rate=0.5, method="synflow-l2"), chain=CHAIN, **options)
    again = prune_with_trainer(lenet, PruningOptions(rounds=2, rate=0.5, method="synflow-l2"), chain=CHAIN, **options)

    assert again.n_new == 1
    assert again.report.network["n_kept"] == 66550
    with pytest.raises(OutputError, match="chain"):
        prune_with_trainer(lenet, PruningOptions(rounds=2, rate=0.5, method="synflow-l2"), chain="fc1,fc2", **options)


def test_without_a_chain_a_trainer_has_no_method_of_whole_networks(lenet, lenet_init):
    with pytest.raises(
        OptionError, match="the method paths needs the graph of the network: `chain` gives that of a ch"
    ):
        prune_with_trainer(
            lenet, PruningOptions(rounds=1, method="paths"), trainer=trainer("right"), rewind_from=lenet_init
        )


def test_what_training_starts_from_must_be_said(lenet):
    with pytest.raises(OptionError, match="`rewind_from` names the weights to rewind to, `rewind` none trains on"):
        prune_with_trainer(lenet, PruningOptions(rounds=1), trainer=trainer("right"))


def test_the_preset_frankle_carbin_takes_the_initial_weights_from_a_checkpoint(lenet, lenet_init):
    options = PruningOptions(rounds=1, preset="frankle-carbin")

    pruning = prune_with_trainer(lenet, options, rewind_from=lenet_init, trainer=trainer("right"))

    assert pruning.folders[0].name == "topological"
    with pytest.raises(OptionError, match="`rewind_from` names the weights to rewind to, `rewind` none trains on"):
        prune_with_trainer(lenet, options, trainer=trainer("right"))


def test_the_preset_paper_trains_on_by_the_users_command(lenet):
    options = PruningOptions(rounds=2, sparsity=0.5, preset="paper")

    pruning = prune_with_trainer(lenet, options, trainer=trainer("right"))

    assert pruning.folders[0].name == "topological-linear-rewind-none"
    assert [row["density"] for row in pruning.report.rounds] == [1.0, 0.75, 0.5]


def test_fine_tuning_goes_on_from_the_trained_weights(lenet):
    pruning = prune_with_trainer(lenet, PruningOptions(rounds=1), rewind="none", trainer=trainer("right"))

    trained = load_file(lenet)
    model = load_file(pruning.folders[0] / "round-01/model.safetensors")
    kept = read_masks(pruning.folders[0] / "round-01/mask.safetensors")["fc1.weight"].kept()
    assert np.abs(model["fc1.weight"][kept] - trained["fc1.weight"][kept]).max() < 0.1


def test_a_checkpoint_to_rewind_to_must_have_the_same_tensors(lenet, tmp_path):
    arrays = load_file(lenet)
    save_file({name: array for name, array in arrays.items() if name != "fc2.bias"}, tmp_path / "init.safetensors")

    with pytest.raises(CheckpointError, match=r"init.safetensors: lacks tensor 'fc2.bias'"):
        prune_with_trainer(
            lenet, PruningOptions(rounds=1), rewind_from=tmp_path / "init.safetensors", trainer=trainer("right")
        )


def test_two_things_to_start_from_are_refused(lenet, lenet_init):
    options = {"rewind": "none", "rewind_from": lenet_init}

    with pytest.raises(OptionError, match="`rewind` is none, and `rewind_from` names weights; give only one"):
        prune_with_trainer(lenet, PruningOptions(rounds=1), **options, trainer=trainer("right"))


def test_a_file_is_not_rewound_to_a_folder(lenet, tmp_path):
    (tmp_path / "folder").mkdir()
    shutil.copy(lenet, tmp_path / "folder/model.safetensors")

    with pytest.raises(CheckpointError, match=r"is a folder, and .* is a file; both need"):
        prune_with_trainer(lenet, PruningOptions(rounds=1), rewind_from=tmp_path / "folder", trainer=trainer("right"))


def test_tied_tensors_of_a_pytorch_file_are_refused(tmp_path):
    weight = torch.ones(4, 5)
    torch.save({"a": weight, "b": weight}, tmp_path / "tied.pt")

    with pytest.raises(CheckpointError, match="tensors 'b' and 'a' share their data"):
        prune_with_trainer(tmp_path / "tied.pt", PruningOptions(rounds=1), rewind="none", trainer=trainer("right"))


def test_a_folder_that_is_the_current_one_is_named(tmp_path, monkeypatch, lenet):
    (tmp_path / "model").mkdir()
    shutil.copy(lenet, tmp_path / "model/model.safetensors")
    monkeypatch.chdir(tmp_path / "model")
    out_of_folder = "--init {init}/model.safetensors --mask {mask} --out {out}/model.safetensors"

    with pytest.raises(TrainingError):  # the trainer makes no folder; what counts is where the rounds are
        prune_with_trainer(Path(), PruningOptions(rounds=1), rewind="none", trainer=trainer("right", out_of_folder))
    assert (tmp_path / "model.rounds/seed-0/topological-rewind-none/round-00/model/model.safetensors").is_file()


def test_rounds_are_never_written_into_a_hub_cache(tmp_path, lenet):
    snapshot = tmp_path / "models--org--name/snapshots/abc"
    snapshot.mkdir(parents=True)
    shutil.copy(lenet, snapshot / "model.safetensors")

    with pytest.raises(OptionError, match=r"abc.rounds: would lie in .*models--org--name of the Hugging Face cache"):
        prune_with_trainer(snapshot, PruningOptions(rounds=1), rewind="none", trainer=trainer("right"))

    assert [path.name for path in snapshot.parent.iterdir()] == ["abc"]
