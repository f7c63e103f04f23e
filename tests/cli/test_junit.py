"""The files of --junit, and the annotations of --format github."""

import numpy as np
import pytest
from junit_rules import cases_of, violations


@pytest.fixture
def halves(write):
    """A layer in parts and a full one."""
    return write({"split": np.diag([1.0, 0.5]), "whole": np.array([[4.0, 3.0], [2.0, 1.0]])})


@pytest.mark.parametrize(
    ("command", "gate", "failing"),
    [
        (("barcode",), "layer:beta0>1", {"layer 'split'": "beta0 2"}),
        (("bound",), "layer:safe_sparsity<0.5", {"layer 'whole'": "safe_sparsity 0.25"}),
        (("prune", "--rounds", 1), "layer:n_kept>2", {"layer 'whole'": "n_kept 3"}),
    ],
)
def test_every_command_writes_a_suite_of_its_gates(topoimp, halves, tmp_path, command, gate, failing):
    outcome = topoimp(*command, halves, "--fail-if", gate, "--junit", tmp_path / "gates.xml", "-q")

    document = (tmp_path / "gates.xml").read_bytes()
    assert outcome.status == 3
    assert violations(document) == []
    messages = {f"{subject}: {gate}": f"gate {gate!r}: {subject} has {found}" for subject, found in failing.items()}
    assert cases_of(document) == {
        f"layer '{name}': {gate}": (
            f"topoimp.{command[0]}",
            [("failure", message, "gate", message)] if (message := messages.get(f"layer '{name}': {gate}")) else [],
        )
        for name in ("split", "whole")
    }


def test_compare_writes_a_suite_that_passes(topoimp, halves, tmp_path):
    words = ("--fail-if", "barcode_kept==0", "--junit", tmp_path / "gates.xml", "-q")

    outcome = topoimp("compare", halves, halves, *words)

    assert (outcome.status, outcome.err) == (0, "")
    assert [problems for _, problems in cases_of((tmp_path / "gates.xml").read_bytes()).values()] == [[], [], []]


def test_a_dry_run_writes_its_suite(topoimp, halves, tmp_path):
    words = ("--dry-run", "--fail-if", "network:bytes_to_write>1e9", "--junit", tmp_path / "gates.xml", "-q")

    assert topoimp("prune", halves, "--rounds", 1, *words).status == 0
    assert list(cases_of((tmp_path / "gates.xml").read_bytes())) == ["the network: network:bytes_to_write>1e9"]


def test_checkpoints_are_told_apart_and_those_that_cannot_be_used_are_errors(topoimp, halves, tmp_path):
    missing, junit = tmp_path / "missing", tmp_path / "gates.xml"

    outcome = topoimp("barcode", halves, missing, "--fail-if", "network:beta0>9", "--junit", junit, "-q")

    message = f"{missing}: no such file"
    assert outcome.status == 1
    assert violations(junit.read_bytes()) == []
    assert cases_of(junit.read_bytes()) == {
        f"the network of {halves}: network:beta0>9": ("topoimp.barcode", []),
        str(missing): ("topoimp.barcode", [("error", message, "CheckpointError", message)]),
    }


def test_one_checkpoint_that_cannot_be_used_is_an_error_too(topoimp, tmp_path):
    junit = tmp_path / "gates.xml"

    outcome = topoimp("bound", tmp_path / "missing", "--fail-if", "tau<1", "--junit", junit)

    assert (outcome.status, outcome.out) == (1, "")
    assert list(cases_of(junit.read_bytes())) == [str(tmp_path / "missing")]


def test_a_second_run_replaces_the_first(topoimp, halves, tmp_path):
    words = ("barcode", halves, "--junit", tmp_path / "gates.xml", "-q")

    assert [topoimp(*words, "--fail-if", gate).status for gate in ("network:tau<9", "network:tau<0")] == [3, 0]
    assert list(cases_of((tmp_path / "gates.xml").read_bytes())) == ["the network: network:tau<0"]


@pytest.mark.parametrize("command", [("barcode",), ("bound",), ("prune", "--rounds", 1)])
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--junit", "gates.xml"), 2, "--junit needs --fail-if"),
        (("--junit", "gates.txt", "--fail-if", "beta0<1"), 2, "--junit is gates.txt; its name must end in .xml"),
        (("--junit", "mine.xml", "--fail-if", "beta0<1"), 1, "mine.xml: exists already, and topoimp did not write it; "
         "name another output"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_is_refused_before_anything_is_written(
    topoimp, halves, monkeypatch, command, words, status, message
):
    monkeypatch.chdir(halves.parent)
    (halves.parent / "mine.xml").write_text("<mine/>")

    outcome = topoimp(*command, halves, *words)

    assert (outcome.status, outcome.out, outcome.err) == (status, "", f"error: {message}\n")
    assert sorted(path.name for path in halves.parent.iterdir()) == ["mine.xml", "model.safetensors"]


def test_github_has_an_annotation_for_each_error_and_nothing_else_on_stdout(topoimp, halves, tmp_path):
    words = ("--fail-if", "layer:tau<3", "--format", "github", "-q")

    outcome = topoimp("barcode", halves, tmp_path / "missing", *words)

    assert outcome.status == 1
    assert outcome.out.splitlines() == [
        f"::error title=topoimp barcode::{tmp_path / 'missing'}: no such file",
        f"::error title=topoimp barcode::gate 'layer:tau<3': layer 'split' of {halves} has tau 0.5",
        f"::error title=topoimp barcode::gate 'layer:tau<3': layer 'whole' of {halves} has tau 2.0",
    ]
    assert outcome.err.splitlines() == [
        line.replace("::error title=topoimp barcode::", "error: ") for line in outcome.out.splitlines()
    ]


@pytest.mark.parametrize("words", [("barcode",), ("bound",), ("barcode", "--list"), ("prune", "--rounds", "1")])
def test_a_command_without_errors_prints_nothing_there(topoimp, halves, words):
    outcome = topoimp(*words, halves, "--format=github", "-q")

    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


def test_names_cannot_end_a_line_of_an_annotation(topoimp, write):
    path = write({"a\n::stop-commands::b": np.ones((2, 2)), "50%": np.ones((2, 2))})

    outcome = topoimp("barcode", path, "--fail-if", "layer:rows>1", "--format", "github", "-q")

    assert outcome.out.splitlines() == [
        "::error title=topoimp barcode::gate 'layer:rows>1': layer '50%25' has rows 2",
        "::error title=topoimp barcode::gate 'layer:rows>1': layer 'a\\n::stop-commands::b' has rows 2",
    ]


@pytest.mark.parametrize(
    ("words", "status", "flag"),
    [
        (("--check", "--check-limit", "0"), 1, "--check-limit"),
        (("--fail-if", "beta0"), 2, "gate"),
        (("--nix",), 2, "--nix"),
    ],
)
def test_every_error_is_annotated_as_stderr_has_it(topoimp, halves, words, status, flag):
    outcome = topoimp("barcode", halves, "--format", "github", *words)

    assert outcome.status == status
    assert flag in outcome.err
    assert outcome.out == f"::error title=topoimp barcode::{outcome.err.removeprefix('error: ')}"


def test_a_strict_pruning_is_annotated(topoimp, lenet):
    outcome = topoimp("prune", lenet, "--sparsity", "0.999", "--strict", "--format", "github")

    assert outcome.status == 3
    assert outcome.out == f"::error title=topoimp prune::{outcome.err.removeprefix('error: ')}"
