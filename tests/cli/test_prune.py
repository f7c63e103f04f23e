import csv
import io
import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file


def test_rounds_then_layers_then_what_was_written(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 10)

    assert outcome.status == 0
    assert "method topological, scope layer" in outcome.out
    assert "after round 10" in outcome.out
    assert outcome.out.endswith(
        "\n\n"
        "density 10.74% of the selected layers, 10.88% of the checkpoint; 52.10% of the squared norm is kept\n"
        "magnitude pruning to the same targets drops 92 of the 28,584 weights kept\n"
        "held at the floor, as their target is below it: fc3.weight\n"
    )
    assert "held at the floor" not in outcome.err
    assert "no training between rounds: they equal one shot at the last target" in outcome.err
    assert [line.rpartition("/")[2] for line in outcome.err.splitlines()[-3:]] == [
        "lenet-300-100-mnist.pruned.safetensors",
        "lenet-300-100-mnist.pruned.mask.safetensors",
        "lenet-300-100-mnist.pruned.csv",
    ]


@pytest.mark.parametrize(
    ("method", "sparsity", "sentence"),
    [
        ("topological", 0.2, "topological and magnitude pruning keep the same weights in round 1\n"),
        ("magnitude", 0.2, "topological and magnitude pruning keep the same weights in round 1\n"),
        ("topological", 0.9, "magnitude pruning to the same targets drops 104 of the 26,629 weights kept\n"),
        ("magnitude", 0.9, "topological pruning to the same targets keeps 104 of the weights that were dropped\n"),
    ],
)
def test_a_sentence_says_whether_topology_changes_the_mask(topoimp, lenet, method, sparsity, sentence):
    outcome = topoimp("prune", lenet, "--sparsity", sparsity, "--rounds", 1, "--method", method)

    assert sentence in outcome.out


def test_other_methods_are_not_compared_with_magnitude(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--sparsity", 0.9, "--method", "lamp")

    assert "magnitude" not in outcome.out


@pytest.mark.parametrize(("sparsity", "status"), [(0.2, 0), (0.9, 3)])
def test_a_gate_looks_at_the_weights_that_topology_adds(topoimp, lenet, sparsity, status):
    outcome = topoimp("prune", lenet, "--sparsity", sparsity, "--fail-if", "network:n_forest_added>0")

    assert outcome.status == status


def test_csv_on_stdout_is_the_file_that_was_written(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 2, "--format", "csv", "-q")

    assert outcome.out == lenet.with_name("lenet-300-100-mnist.pruned.csv").read_text()
    assert outcome.err == ""
    assert [line["round"] for line in csv.DictReader(io.StringIO(outcome.out))] == ["1"] * 4 + ["2"] * 4


def test_json_lists_the_rounds(topoimp, lenet):
    content = json.loads(topoimp("prune", lenet, "--sparsity", "0.75", "--rounds", 3, "--format", "json").out)

    assert [row["round"] for row in content["rounds"]] == [1, 2, 3]
    assert content["network"]["sparsity"] == 0.75
    assert content["settings"]["rounds"] == 3
    assert content["outputs"] == {
        "checkpoint": str(lenet.with_name("lenet-300-100-mnist.pruned.safetensors")),
        "mask": str(lenet.with_name("lenet-300-100-mnist.pruned.mask.safetensors")),
        "table": str(lenet.with_name("lenet-300-100-mnist.pruned.csv")),
    }


def test_every_option_reaches_the_library(topoimp, lenet, tmp_path):
    options = ["--method", "random", "--scope", "global", "--seed", 7, "--include", "fc*", "--exclude", "fc3*"]
    outputs = ["-o", tmp_path / "o.safetensors", "--mask-out", tmp_path / "m.safetensors", "--emit-rounds", "1, 2"]

    outcome = topoimp("prune", lenet, "--rounds", 2, "--rate", "0.3", *options, *outputs, "--format", "json")

    settings = json.loads(outcome.out)["settings"]
    assert settings == {
        "method": "random",
        "epsilon": None,
        "scope": "global",
        "rounds": 2,
        "rate": 0.3,
        "sparsity": None,
        "seed": 7,
        "include": ["fc*"],
        "exclude": ["fc3*"],
        "embeddings": False,
        "groups": [],
        "view": "matrix",
    }
    for name in ("o.safetensors", "m.safetensors", "o.csv", "o.round-01.safetensors", "o.round-02.safetensors"):
        assert (tmp_path / name).is_file()


def test_strict_exits_with_3_and_writes_nothing(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 10, "--strict")

    assert (outcome.status, outcome.out) == (3, "")
    assert (
        outcome.err == "error: round 10 asks fc3.weight for 107 weights, below its floor of 109; nothing was written\n"
    )
    assert [path.name for path in lenet.parent.iterdir()] == [lenet.name]


def test_force_replaces_outputs(topoimp, lenet):
    topoimp("prune", lenet, "--rounds", 1)

    assert topoimp("prune", lenet, "--rounds", 1).status == 1
    assert topoimp("prune", lenet, "--rounds", 1, "--force").status == 0


def test_embeddings_that_were_left_out_are_named(topoimp, write):
    path = write({"embed": np.eye(3), "fc": np.eye(3)})

    outcome = topoimp("prune", path, "--rounds", 1)

    assert "left out as embeddings or heads: embed, 1 in all (--embeddings adds them)" in outcome.err
    assert "left out" not in topoimp("prune", path, "--rounds", 1, "--embeddings", "--force").err


def test_verbose_names_every_tensor_that_was_left_out(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 1, "-v")

    assert "left out fc1.bias: one axis" in outcome.err


def test_quiet_says_nothing_on_stderr(topoimp, lenet):
    assert topoimp("prune", lenet, "--rounds", 10, "-q").err == ""


def test_the_safe_sparsities_of_bound_are_fed_back(topoimp, lenet):
    table = lenet.with_name("safe.csv")
    table.write_text(topoimp("bound", lenet, "--format", "csv").out)

    outcome = topoimp(
        *("prune", lenet, "--method", "magnitude", "--layer-sparsity", table, "--fail-if", "barcode_kept==0")
    )

    assert outcome.status == 0
    assert outcome.out.splitlines()[3].split()[:4] == ["1", "58,006", "58,006", "21.79%"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["fc1*=0.5", "safe.csv"],
            "--layer-sparsity is 'safe.csv'; it must be a pattern and a sparsity, as in 'conv*=0.5'",
        ),
        (["fc1*=0.5", "fc1*=0.6"], "--layer-sparsity names 'fc1*' twice; name it once"),
        (["fc1*=half"], "--layer-sparsity is 'fc1*=half'; it must be a pattern and a sparsity"),
        (
            ["safe.csv"],
            "safe.csv: cannot be read as a table; needed is a CSV file with the columns layer and sparsity or",
        ),
    ],
)
def test_sparsities_of_layers_that_cannot_be_read_are_refused(topoimp, lenet, values, message):
    outcome = topoimp("prune", lenet, *(part for value in values for part in ("--layer-sparsity", value)))

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {message}")


def test_a_mask_is_applied(topoimp, lenet):
    topoimp("prune", lenet, "--rounds", 3)
    mask = lenet.with_name("lenet-300-100-mnist.pruned.mask.safetensors")

    outcome = topoimp("prune", lenet, "--apply-mask", mask, "-o", lenet.with_name("again.safetensors"))

    assert outcome.status == 0
    assert f"under the mask of {mask}" in outcome.out
    assert "target" not in outcome.out
    assert "no training between rounds" not in outcome.err
    pruned = lenet.with_name("lenet-300-100-mnist.pruned.safetensors")
    assert load_file(lenet.with_name("again.safetensors")).keys() == load_file(pruned).keys()


def test_a_mask_is_repaired_and_the_repair_is_gated(topoimp, lenet):
    topoimp("prune", lenet, "--sparsity", 0.95, "--method", "magnitude")
    mask = lenet.with_name("lenet-300-100-mnist.pruned.mask.safetensors")
    output = lenet.with_name("again.safetensors")

    outcome = topoimp("prune", lenet, "--repair", mask, "-o", output, "--fail-if", "network:n_repaired>0")

    assert outcome.status == 3
    title, header = outcome.out.splitlines()[:2]
    assert title == f"{lenet} under the mask of {mask}, repaired"
    assert "repaired" in header.split()
    assert [line.split()[-2:] for line in outcome.out.splitlines()[3:6]] == [["yes", "100.00%"]] * 3
    assert "grown to the floor, as the mask keeps fewer weights: fc3.weight" in outcome.out


def test_a_repair_takes_the_place_of_a_mask(topoimp, lenet):
    both = topoimp("prune", lenet, "--repair", lenet, "--apply-mask", lenet)
    of_rounds = topoimp("prune", lenet, "--repair", lenet, "--rounds", 3)

    assert both.err == "error: --repair takes the place of --apply-mask; give only one of them\n"
    assert of_rounds.err == "error: --rounds does not go with --repair: the mask decides alone\n"
    assert (both.status, of_rounds.status) == (2, 2)


@pytest.mark.parametrize(
    "option",
    [
        ("--rounds", 3),
        ("--method", "magnitude"),
        ("--seed", 0),
        ("--scope", "layer"),
        ("--epsilon", 0.1),
        ("--strict",),
        ("--dry-run",),
    ],
)
def test_a_mask_goes_with_no_option_of_rounds(topoimp, lenet, option):
    outcome = topoimp("prune", lenet, "--apply-mask", lenet, *option)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"error: {option[0]} does not go with --apply-mask: the mask decides alone\n"


def test_what_is_not_copied_is_said(topoimp, lenet):
    folder = lenet.parent / "model"
    folder.mkdir()
    lenet.rename(folder / "model.safetensors")
    (folder / "pytorch_model.bin").touch()

    outcome = topoimp("prune", folder, "--rounds", 1)

    assert (
        "not copied, as it holds other weights, or is no tensor or file: pytorch_model.bin, 1 in all\n" in outcome.err
    )
    written = [f"wrote {folder}.pruned{end}" for end in ("", ".mask.safetensors", ".csv")]
    assert outcome.err.splitlines()[-3:] == written


def test_a_dry_run_says_what_would_be_and_writes_nothing(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 25, "--dry-run")

    assert outcome.status == 0
    assert "after round 25" in outcome.out
    *findings, sizes = outcome.out.splitlines()[-5:]
    assert findings == [
        "held at the floor from round 10 on: fc3.weight",
        "held at the floor from round 20 on: fc2.weight",
        "held at the floor from round 25 on: fc1.weight",
        "all barcodes are kept in all rounds",
    ]
    assert sizes.startswith("about 1.1 MB to write, 1")
    assert outcome.err.splitlines() == [
        "tensors left out: 3 (one axis)",
        "no training between rounds: they equal one shot at the last target",
        "dry run: nothing was written",
    ]
    assert [path.name for path in lenet.parent.iterdir()] == [lenet.name]


def test_a_dry_run_says_when_plain_magnitude_pruning_changes_a_barcode(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 10, "--method", "magnitude", "--dry-run")

    assert "the barcode is another from round " in outcome.out
    assert "all barcodes are kept" not in outcome.out


def test_a_dry_run_names_outputs_that_are_there(topoimp, lenet):
    topoimp("prune", lenet, "--rounds", 1)

    outcome = topoimp("prune", lenet, "--rounds", 1, "--dry-run")

    assert outcome.status == 0
    assert (
        f"exists already, --force would replace it: {lenet.with_name('lenet-300-100-mnist.pruned.csv')}" in outcome.err
    )


def test_what_a_dry_run_finds_is_in_its_rows_and_noted_where_stdout_is_for_a_program(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 10, "--dry-run", "--format", "json")

    content = json.loads(outcome.out)
    assert all(network["barcode_kept"] for network in content["rounds"])
    assert [row["layer"] for row in content["layers"] if row["floor_binds"]] == ["fc3.weight"]
    assert outcome.err.splitlines()[:4] == [
        "density 10.74% of the selected layers, 10.88% of the checkpoint",
        "magnitude pruning to the same targets drops 92 of the 28,584 weights kept",
        "held at the floor from round 10 on: fc3.weight",
        "all barcodes are kept in all rounds",
    ]


def test_a_dry_run_for_programs_is_marked(topoimp, lenet):
    content = json.loads(topoimp("prune", lenet, "--rounds", 2, "--dry-run", "--format", "json", "-q").out)

    assert content["settings"]["dry_run"] is True
    assert content["network"]["bytes_to_write"] > 1_000_000
    assert content["rounds"][0]["bytes_to_write"] == 0


def test_a_strict_dry_run_is_a_gate(topoimp, lenet):
    assert topoimp("prune", lenet, "--rounds", 10, "--strict", "--dry-run").status == 3


def test_a_dry_run_of_a_run_folder_shows_targets(topoimp, tmp_path):
    run = tmp_path / "run"
    topoimp("train", "mlp:64-20-10", "-o", run, "--epochs", 1)

    outcome = topoimp("prune", run, "--rounds", 15, "--dry-run")

    assert outcome.status == 0
    assert "method topological, scope layer" in outcome.out
    assert "in round 15" in outcome.out
    assert outcome.out.splitlines()[-3:] == [
        "held at the floor from round 9 on: fc2.weight",
        "held at the floor from round 13 on: fc1.weight",
        "about 6.2 kB to write for each round of a seed, round 0 too",
    ]
    assert outcome.err.splitlines()[-2:] == [
        "later rounds are found on weights that are not trained yet: their targets are known",
        "dry run: nothing was written",
    ]
    assert not (run / "rounds.csv").exists()


def test_a_seed_is_shown_as_it_is_given(topoimp, tmp_path):
    run = tmp_path / "run"
    topoimp("train", "mlp:64-20-10", "-o", run, "--epochs", 1, "--seeds", "1234,")

    outcome = topoimp("prune", run, "--rounds", 1, "--dry-run")

    assert "1234" in outcome.out
    assert "1,234" not in outcome.out


def test_a_dry_run_knows_nothing_of_a_trainer_without_a_run_folder(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--rounds", 1, "--trainer", "true {init} {mask} {out}", "--dry-run")

    assert outcome.status == 2
    assert "--dry-run does not go with a checkpoint whose rounds --trainer trains" in outcome.err


def test_a_mask_is_shuffled(topoimp, lenet, tmp_path):
    topoimp("prune", lenet, "--rounds", 5, "-o", tmp_path / "p.safetensors")
    mask = tmp_path / "p.mask.safetensors"

    options = ["--apply-mask", mask, "--shuffle-mask", "degrees", "--seed", 2, "-o", tmp_path / "s.safetensors"]
    outcome = topoimp("prune", lenet, *options)

    assert outcome.status == 0
    assert outcome.out.splitlines()[0] == f"{lenet} under the mask of {mask}, shuffled (degrees)"
    assert (tmp_path / "s.mask.safetensors").is_file()


def test_a_shuffle_or_a_seed_without_a_mask_to_shuffle_is_refused(topoimp, lenet):
    alone = topoimp("prune", lenet, "--rounds", 5, "--shuffle-mask", "rows")
    unshuffled = topoimp("prune", lenet, "--apply-mask", lenet, "--seed", 2)

    assert (alone.status, alone.err) == (2, "error: --shuffle-mask needs --apply-mask or --repair\n")
    assert unshuffled.status == 2
    assert unshuffled.err == "error: --seed does not go with --apply-mask: the mask decides alone\n"


def test_weights_on_no_path_are_shown_where_a_chain_is_given(topoimp, tmp_path):
    """Two hidden neurons: one has inputs and no output, so its kept weight is on no path."""
    network = {
        "a": np.array([[4.0, 0.5], [0.5, 3.0]], np.float32),
        "b": np.array([[9.0, 0.1], [8.0, 0.1]], np.float32),
    }
    save_file(network, tmp_path / "net.safetensors")
    options = ("--rounds", 1, "--sparsity", 0.5, "--method", "magnitude", "--quiet")
    pruned = tmp_path / "net.pruned.safetensors"

    plain = topoimp("prune", tmp_path / "net.safetensors", *options).out
    chained = topoimp("prune", tmp_path / "net.safetensors", *options, "--chain", "a,b", "--force").out
    compared = topoimp("compare", tmp_path / "net.safetensors", pruned, "--chain", "a,b", "-q").out

    assert "off path" not in plain
    for shown in (chained, compared):
        rows = shown.splitlines()
        header = [row for row in rows if "off path" in row][-1]
        place = header.index("off path") + len("off path")
        found = {row.split()[0]: row[:place].split()[-1] for row in rows if row.startswith(("a ", "b ", "network"))}
        assert found == {"a": "1", "b": "0", "network": "1"}
